"""The shipped model reads plain requests right: class names, task, numbers, device and engine, end to end."""

from dataclasses import dataclass

import pytest

from llm_gguf import batch, errors, parameters_count, reading, speed_fps, understand
from llm_gguf.understanding import DEFAULT_MODEL

pytest.importorskip("llama_cpp")


@dataclass(frozen=True)
class Wanted:
    """What a request says; None and "none" where it says nothing."""

    text: str
    task: str
    objects: tuple[str, ...]
    fps: float | None = None
    parameters: float | None = None
    engine: str = "none"
    device: str = "none"
    model: str = "none"


DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
REQUESTS = (
    Wanted(
        "Classify handwritten digits: zero, one, two, three, four, five, six, seven, eight and nine. At least 200 fps "
        "on this CPU with ONNX Runtime, under 5 million parameters.",
        "classification", DIGITS, 200, 5e6, "onnxruntime", "cpu",
    ),
    Wanted(
        "Detect RBC, WBC and platelets in blood smear images, at least 5 fps on the CPU, under 10M parameters",
        "detection", ("RBC", "WBC", "platelets"), 5, 10e6, device="cpu",
    ),
    Wanted(
        "Segment nucleus and nucleus border in microscope pictures with ONNX Runtime, at least 10 FPS, fewer than 5 "
        "million parameters",
        "segmentation", ("nucleus", "nucleus border"), 10, 5e6, "onnxruntime",
    ),
    Wanted(
        "Find the keypoints of the mouse in an open arena filmed from above, at least 20 frames per second",
        "keypoint", ("mouse",), 20,
    ),
    Wanted(
        "Please build an object detector for forklifts, pallets and workers in our warehouse. It must run at 15 frames "
        "per second on the CPU with OpenVINO.",
        "detection", ("forklifts", "pallets", "workers"), 15, engine="openvino", device="cpu",
    ),
    Wanted(
        "Tag every photo with all that apply: sunny, crowded, indoor, food. Fewer than 3 million parameters.",
        "multilabel-classification", ("sunny", "crowded", "indoor", "food"), None, 3e6,
    ),
    Wanted(
        "Instance segmentation of strawberries and leaves, 33 ms per image at most, with TensorRT on an RTX 3060",
        "instance-segmentation", ("strawberries", "leaves"), 1000 / 33, engine="tensorrt", device="gpu",
    ),
    Wanted(
        "I want to sort seashells into cowrie, conch and scallop using MobileNetV3, half a million parameters at most.",
        "classification", ("cowrie", "conch", "scallop"), None, 0.5e6, model="MobileNetV3",
    ),
    Wanted(
        "detection: pothole, manhole cover, traffic cone; 30 fps; ncnn; <= 4M parameters",
        "detection", ("pothole", "manhole cover", "traffic cone"), 30, 4e6, "ncnn",
    ),
    Wanted(
        "We need semantic segmentation of road, sidewalk and vegetation in dashcam frames. Use PIDNet-S. Each frame "
        "may take no more than 100 milliseconds.",
        "segmentation", ("road", "sidewalk", "vegetation"), 10, model="PIDNet-S",
    ),
    Wanted("Detect apples", "detection", ("apples",)),
    Wanted("Classify photos of cats and dogs", "classification", ("cats", "dogs")),
    Wanted("Classify digit 0, digit 1 and digit 2", "classification", ("digit 0", "digit 1", "digit 2")),
    Wanted(
        "Watch the loading dock for pallets and forklifts. The old program managed 7 fps with YOLOv3 and nobody liked "
        "it. 25 fps - no, 15 fps is enough.",
        "detection", ("pallets", "forklifts"), 15,
    ),
    Wanted(
        "Label every pixel of the frame as lawn, gravel or water so that the mower knows where it drives. Not with "
        "OpenVINO, please, we use ncnn.",
        "segmentation", ("lawn", "gravel", "water"), engine="ncnn",
    ),
    Wanted(
        "Our zoo films the okapi at night. Nose, left ear, right ear and tail base of the okapi should be marked in "
        "every frame.",
        "keypoint", ("okapi",),
    ),
    Wanted(
        "Pose estimation for horses at 25 fps, exported as TorchScript.",
        "keypoint", ("horses",), 25, engine="torchscript",
    ),
)  # fmt: skip


@pytest.mark.parametrize("wanted", REQUESTS, ids=lambda w: w.text[:40])
def test_plain_request_is_read_right(wanted: Wanted) -> None:
    done = understand(wanted.text, threads=1)
    config = done.config
    assert config.model.task == wanted.task
    assert config.data.object == wanted.objects
    assert speed_fps(config) == pytest.approx(wanted.fps)
    assert parameters_count(config) == pytest.approx(wanted.parameters)
    assert config.deploy.inference_engine == wanted.engine
    assert config.deploy.gpu == wanted.device
    assert config.model.specific_model == wanted.model
    assert all(wanted.text[s.start : s.end] == s.text for s in done.spans.values())
    assert 0 < done.confidence <= 1
    assert len(done.model_sha256) == 64


@pytest.mark.parametrize(
    "text",
    [
        "Write me a poem about the sea and the wind",
        "Translate this letter into French",
        "What is the capital of Peru?",
        "Good morning, how are you?",
    ],
)
def test_a_text_without_a_vision_request_is_refused(text: str) -> None:
    with pytest.raises(errors.NoVisionRequestError):
        understand(text, threads=1)


def test_a_very_long_request_is_refused_with_its_length() -> None:
    with pytest.raises(errors.RequestTooLongError, match="tokens, at most 1600 are read"):
        understand("detect cars " * 900, threads=1)


def test_the_same_text_is_read_the_same_way_twice() -> None:
    first, second = (understand("Detect cars and buses at 10 fps", threads=1) for _ in range(2))
    assert (first.config, first.confidence) == (second.config, second.confidence)


def test_the_figures_in_the_docs_are_those_of_this_file() -> None:
    """A third of edge's own benchmark reaches what docs/REQUESTS.md states for all of it, less what chance takes."""
    rows = batch.rows(batch.OWN_BENCHMARK)[::3]
    done = batch.score(list(batch.read(rows, reading(threads=1))))
    assert done.score.request_level >= 0.5
    assert done.score.key_level >= 0.9
    assert done.median_seconds <= 1.0


def test_the_shipped_model_is_small() -> None:
    assert DEFAULT_MODEL.stat().st_size <= 10_000_000
