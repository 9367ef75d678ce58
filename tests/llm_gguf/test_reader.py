"""Facts about the rules: numbers, units, engines, devices, metrics."""

import pytest

from llm_gguf import numbers, reader
from llm_gguf.reader import Finding


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        ("thirty", [30]),
        ("twenty-five and 7", [25, 7]),
        ("half a million", [0.5e6]),
        ("two and a half million", [2.5e6]),
        ("one hundred and twenty", [120]),
        ("three hundred thousand", [300e3]),
        ("1,5", [1.5]),
        ("0,125", [0.125]),
        ("1,500", [1500]),
        ("1.500.000", [1.5e6]),
        ("3 000 000", [3e6]),
        ("zero point nine", [0.9]),
        ("a quarter of a second", [0.25]),
        ("in a second", [1]),
        ("10-20 ms", [10, 20]),
        ("30fps", [30]),
        ("ResNet-50, YOLOv8, AP50, mAP@0.5, EfficientNet-B0, ViT-B/16", []),
        ("zero, one, two", [0, 1, 2]),
    ],
)
def test_number_is_read_as_written(text: str, amounts: list[float]) -> None:
    assert [n.amount for n in numbers.find(text)] == pytest.approx(amounts)


def only(text: str, field: str) -> Finding:
    (finding,) = reader.read(text).of(field)
    return finding


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("at least 20 fps", 20, "fps"),
        ("30 FPS or faster", 30, "fps"),
        ("thirty frames per second", 30, "fps"),
        ("25 images a second", 25, "fps"),
        ("12 pictures must be processed every second", 12, "fps"),
        ("120 images per minute", 2, "fps"),
        ("7200 photos per hour", 2, "fps"),
        ("within 33 ms per image", 33, "ms"),
        ("latency below 40 milliseconds", 40, "ms"),
        ("in half a second per picture", 0.5, "s"),
        ("each photo may take no more than 2 seconds", 2, "s"),
        ("15 Hz", 15, "fps"),
    ],
)
def test_speed_is_read_with_its_unit(text: str, value: float, unit: str) -> None:
    finding = only(text, "speed")
    assert (finding.value, finding.unit, finding.explicit) == (pytest.approx(value), unit, True)


@pytest.mark.parametrize(
    "text", ["a picture arrives every 30 seconds", "clips last 5 seconds for 10 seconds", "20 cameras"]
)
def test_a_time_that_limits_nothing_is_no_speed(text: str) -> None:
    assert reader.read(text).of("speed") == []


def test_a_cameras_frame_rate_is_not_explicit() -> None:
    assert only("the camera records at 60 fps", "speed").explicit is False


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("under 5 million parameters", 5, "M"),
        ("fewer than 10M parameters", 10, "M"),
        ("half a million weights", 0.5, "M"),
        ("at most 800k params", 800, "K"),
        ("4,000,000 parameters", 4, "M"),
        ("parameter budget: 39K", 39, "K"),
        ("1,5 million parameters", 1.5, "M"),
        ("two billion parameters", 2, "B"),
    ],
)
def test_parameters_are_read_with_their_unit(text: str, value: float, unit: str) -> None:
    finding = only(text, "parameters")
    assert (finding.value, finding.unit) == (pytest.approx(value), unit)


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("1.5 GFLOPs", 1.5, "GFLOPs"),
        ("300 MFLOPs", 300, "MFLOPs"),
        ("two billion floating point operations", 2, "GFLOPs"),
        ("600 million FLOPs", 600, "MFLOPs"),
        ("compute under 4G", 4, "GFLOPs"),
    ],
)
def test_flops_are_read_with_their_unit(text: str, value: float, unit: str) -> None:
    finding = only(text, "flops")
    assert (finding.value, finding.unit) == (pytest.approx(value), unit)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("accuracy of at least 90%", {"accuracy": 0.9}),
        ("mIoU of 0.75", {"mIoU": 0.75}),
        ("90 % top-1 accuracy and 0.8 recall", {"accuracy": 0.9, "recall": 0.8}),
        ("precision 0.9, recall 85 percent", {"precision": 0.9, "recall": 0.85}),
        ("mAP@0.5 of 0.6", {"AP50": 0.6}),
        ("pixel accuracy above 95%", {"pixel accuracy": 0.95}),
        ("a segmentation map of 3 fields", {}),
    ],
)
def test_metrics_take_the_number_that_belongs_to_them(text: str, found: dict[str, float]) -> None:
    read = {
        f.field.removeprefix("metric."): f.value for f in reader.read(text).findings if f.field.startswith("metric.")
    }
    assert read == pytest.approx(found)


@pytest.mark.parametrize(
    ("text", "unit"),
    [("with ONNX Runtime", "onnxruntime"), ("OpenVino", "openvino"), ("NCNN", "ncnn"), ("TRT", "tensorrt"),
     ("as TorchScript", "torchscript"), ("not TensorRT but ncnn", "ncnn"),
     ("instead of OpenVINO use ORT", "onnxruntime")],
)  # fmt: skip
def test_engine_is_read_unless_it_is_refused(text: str, unit: str) -> None:
    assert [f.unit for f in reader.read(text).findings if f.field.startswith("engine.")] == [unit]


@pytest.mark.parametrize(
    ("text", "device"),
    [("on this CPU", "cpu"), ("without a GPU", "cpu"), ("there is no graphics card", "cpu"), ("on an RTX 3060", "gpu"),
     ("a CUDA device", "gpu"), ("GPU is not available", "cpu"), ("Jetson Nano", "gpu")],
)  # fmt: skip
def test_device_is_read_and_negation_is_heard(text: str, device: str) -> None:
    assert [f.unit for f in reader.read(text).findings if f.field.startswith("device.")] == [device]


def test_every_finding_lies_in_the_text() -> None:
    text = "Detect cars at 20 fps on a GPU with ncnn, under 5M parameters, mAP 0.5"
    assert all(0 <= f.start < f.end <= len(text) for f in reader.read(text).findings)


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("mAP 50%", "metric.mAP", 0.5),
        ("mAP 75 percent", "metric.mAP", 0.75),
        ("mAP50 of 60%", "metric.AP50", 0.6),
        ("AP75 0.4", "metric.AP75", 0.4),
    ],
)
def test_a_percentage_is_no_part_of_a_metric_s_name(text: str, field: str, value: float) -> None:
    (found,) = [f for f in reader.read(text).findings if f.field.startswith("metric.")]
    assert (found.field, found.value) == (field, value)
