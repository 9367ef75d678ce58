"""ncnn: what pnnx makes of ONNX files, what is refused, and real exports against ONNX Runtime."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from deploy_targets.base import FP32, INT8, PRECISIONS
from deploy_targets.errors import ConversionFailed, EngineMissing, ModelUnreadable, PlacementRefused
from deploy_targets.ncnn import Ncnn

pytest.importorskip("ncnn")
pytest.importorskip("onnxruntime")

SHAPE = (1, 3, 13, 19)  # planes whose size is no multiple of what ncnn aligns to


def node(operator: str, inputs: str, outputs: str, **attributes: Any) -> Any:
    return helper.make_node(operator, inputs.split(), outputs.split(), **attributes)


def network(path: Path, nodes: list[Any], outputs: dict[str, tuple[int, ...]], **constants: Any) -> Path:
    """A convolution from `input` to `features` (1, 4, 13, 19), then the nodes."""
    random = np.random.default_rng(0)
    constants |= {"kernel": random.normal(size=(4, 3, 3, 3)).astype(np.float32), "bias": np.ones(4, np.float32)}
    graph = helper.make_graph(
        [node("Conv", "input kernel bias", "features", pads=[1, 1, 1, 1]), *nodes],
        "small",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, SHAPE)],
        [
            helper.make_tensor_value_info(n, TensorProto.INT64 if n == "mask" else TensorProto.FLOAT, shape)
            for n, shape in outputs.items()
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def segmenter(path: Path) -> Path:
    return network(
        path, [node("Relu", "features", "relu"), node("ArgMax", "relu", "mask", axis=1)], {"mask": (1, 1, *SHAPE[2:])}
    )


def image(seed: int = 0, shape: tuple[int, ...] = SHAPE) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def ask(model: Path, tensor: Any) -> dict[str, Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {session.get_inputs()[0].name: tensor}), strict=True))


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("segmenter")
    Ncnn().convert(segmenter(folder / "model.onnx"), folder / "made")
    return folder


@pytest.fixture
def converted(original: Path, tmp_path: Path) -> Path:
    """A copy of the segmenter to do as one likes with: model.onnx, and made/model.param, which is returned."""
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    return tmp_path / "made" / "model.param"


def test_mask_is_that_of_onnxruntime(converted: Path) -> None:
    session = Ncnn().open(converted, threads=1)
    for seed in range(3):
        found = session.run(image(seed))
        expected = ask(converted.parent.parent / "model.onnx", image(seed))
        assert list(found) == ["mask"] and found["mask"].dtype == np.int64
        assert np.array_equal(found["mask"], expected["mask"])


def test_conversion_leaves_its_files_and_the_log_and_nothing_else(converted: Path) -> None:
    left = {file.name for file in converted.parent.iterdir()}
    assert left == {file.name for file in Ncnn().files(converted)} | {"pnnx.log"}
    assert [file.name for file in Ncnn().files(converted)] == ["model.param", "model.bin", "model.tail.json"]


def test_outputs_keep_the_names_order_and_shapes_of_the_onnx_file(tmp_path: Path) -> None:
    nodes = [
        node("Neg", "features", "second"),
        node("GlobalAveragePool", "features", "pooled"),
        node("Relu", "pooled", "first"),
    ]
    outputs = {"first": (1, 4, 1, 1), "second": (1, 4, *SHAPE[2:])}
    source = network(tmp_path / "model.onnx", nodes, outputs)
    found = Ncnn().open(Ncnn().convert(source, tmp_path), threads=1).run(image())
    assert {name: array.shape for name, array in found.items()} == outputs
    assert list(found) == list(outputs)
    for name, array in ask(source, image()).items():
        np.testing.assert_allclose(found[name], array, atol=1e-5)


@pytest.mark.parametrize("axis", [1, -1])
@pytest.mark.parametrize("keepdims", [0, 1])
def test_sum_over_one_axis_is_a_sum(axis: int, keepdims: int, tmp_path: Path) -> None:
    kept = [length for i, length in enumerate((1, 4, *SHAPE[2:])) if i != axis % 4]
    shape = [1, 1, *SHAPE[2:]] if axis == 1 else [1, 4, SHAPE[2], 1]
    nodes = [node("ReduceSum", "features axes", "sum", keepdims=keepdims), node("Sigmoid", "sum", "output")]
    outputs = {"output": tuple(shape if keepdims else kept)}
    source = network(tmp_path / "model.onnx", nodes, outputs, axes=np.int64([axis]))
    found = Ncnn().open(Ncnn().convert(source, tmp_path), threads=1).run(image())
    np.testing.assert_allclose(found["output"], ask(source, image())["output"], atol=1e-5)


@pytest.mark.parametrize("operator", ["Gemm", "MatMul"])
def test_product_without_bias_is_that_of_a_row(operator: str, tmp_path: Path) -> None:
    nodes = [
        node("GlobalAveragePool", "features", "pooled"),
        node("Flatten", "pooled", "flat"),
        node(operator, "flat matrix", "output"),
    ]
    matrix = np.random.default_rng(2).normal(size=(4, 5)).astype(np.float32)
    source = network(tmp_path / "model.onnx", nodes, {"output": (1, 5)}, matrix=matrix)
    found = Ncnn().open(Ncnn().convert(source, tmp_path), threads=1).run(image())
    np.testing.assert_allclose(found["output"], ask(source, image())["output"], atol=1e-5)


def test_operator_that_ncnn_lacks_is_named(tmp_path: Path) -> None:
    nodes = [node("NonZero", "features", "places"), node("Cast", "places", "output", to=TensorProto.FLOAT)]
    source = network(tmp_path / "model.onnx", nodes, {"output": (4, 988)})
    with pytest.raises(ConversionFailed) as caught:
        Ncnn().convert(source, tmp_path / "made")
    assert str(caught.value).startswith("ncnn has no layers for these operators of the model: ")
    assert "nonzero" in str(caught.value).lower()
    assert [file.name for file in (tmp_path / "made").iterdir()] == ["pnnx.log"]


def test_open_shape_is_refused(tmp_path: Path) -> None:
    source = network(tmp_path / "model.onnx", [node("Relu", "features", "output")], {"output": (1, 4, *SHAPE[2:])})
    model = onnx.load(source)
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    source.write_bytes(model.SerializeToString())
    with pytest.raises(ConversionFailed, match="ncnn needs fixed shapes, that of 'input' is open"):
        Ncnn().convert(source, tmp_path / "made")


def test_padding_computed_from_shapes_is_no_open_shape(tmp_path: Path) -> None:
    """As EfficientNet pads: by sums over the input's sides, none of which shape inference follows."""
    nodes = [
        node("ConstantOfShape", "rank", "zeros", value=helper.make_tensor("zero", TensorProto.INT64, [1], [0])),
        node("Shape", "features", "sides"),
        node("Sub", "sides wanted", "missing"),
        node("Concat", "zeros missing", "pads", axis=0),
        node("Pad", "features pads", "output", mode="constant"),
    ]
    constants = {"rank": np.int64([4]), "wanted": np.int64([1, 4, SHAPE[2] - 1, SHAPE[3] - 2])}
    source = network(tmp_path / "model.onnx", nodes, {"output": (1, 4, 14, 21)}, **constants)
    model = onnx.load(source)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    source.write_bytes(model.SerializeToString())
    found = Ncnn().open(Ncnn().convert(source, tmp_path / "made"), threads=1).run(image())
    assert found["output"].shape == (1, 4, 14, 21)
    np.testing.assert_allclose(found["output"], ask(source, image())["output"], atol=1e-5)


def test_file_that_is_not_onnx_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(bytes(range(256)))
    with pytest.raises(ConversionFailed, match="is not an ONNX file"):
        Ncnn().convert(tmp_path / "model.onnx", tmp_path / "made")


def test_crash_of_the_converter_is_a_failed_conversion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crashing = tmp_path / "pnnx"
    crashing.write_text("#!/bin/sh\necho no good\nkill -SEGV $$\n", encoding="utf-8")
    crashing.chmod(0o755)
    monkeypatch.setattr("deploy_targets.pnnx.converter", lambda: crashing)
    with pytest.raises(ConversionFailed) as caught:
        Ncnn().convert(segmenter(tmp_path / "model.onnx"), tmp_path / "made")
    assert str(caught.value) == "pnnx could not convert the model (stopped by SIGSEGV)"
    assert caught.value.__notes__ == [f"Its last words: no good. All of them are in {tmp_path / 'made' / 'pnnx.log'}."]
    assert (tmp_path / "made" / "pnnx.log").read_text(encoding="utf-8") == "no good\n"


def test_model_that_ncnn_cannot_run_is_a_failed_conversion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes_nonsense = tmp_path / "pnnx"
    param = "7767517\\n2 2\\nInput in0 0 1 in0\\nPermute p 1 1 in0 out0 0=3\\n"
    writes_nonsense.write_text(f"#!/bin/sh\nprintf '{param}' > model.param\n: > model.bin\n", encoding="utf-8")
    writes_nonsense.chmod(0o755)
    monkeypatch.setattr("deploy_targets.pnnx.converter", lambda: writes_nonsense)
    source = network(tmp_path / "model.onnx", [node("Relu", "features", "output")], {"output": (1, 4, *SHAPE[2:])})
    with pytest.raises(ConversionFailed) as caught:
        Ncnn().convert(source, tmp_path / "made")
    assert str(caught.value) == "ncnn cannot run the converted model (exit code 1)"
    assert "it should be (1, 4, 13, 19)" in caught.value.__notes__[0]


def test_missing_converter_is_named_with_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    with pytest.raises(EngineMissing) as caught:
        Ncnn().convert(segmenter(tmp_path / "model.onnx"), tmp_path / "made")
    assert str(caught.value) == "pnnx, which converts models for ncnn, is not installed"
    assert caught.value.__notes__ == ["pip install --no-deps pnnx"]


@pytest.mark.parametrize("name", ["model.bin", "model.tail.json"])
@pytest.mark.parametrize("damage", ["missing", "empty", "truncated"])
def test_damaged_companion_is_refused_before_ncnn_reads_it(converted: Path, name: str, damage: str) -> None:
    file = converted.with_name(name)
    whole = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(b"" if damage == "empty" else whole[: len(whole) // 2])
    with pytest.raises(ModelUnreadable) as caught:
        Ncnn().open(converted, threads=1)
    assert str(caught.value).startswith(f"{converted} is not a model ncnn can open: ")


def test_tail_of_another_model_is_refused(converted: Path) -> None:
    tail = converted.with_name("model.tail.json")
    document = json.loads(tail.read_text(encoding="utf-8"))
    tail.write_text(json.dumps(document | {"blobs": ["out7"]}), encoding="utf-8")
    with pytest.raises(ModelUnreadable, match=r"its inputs and outputs are not those of its tail\.json"):
        Ncnn().open(converted, threads=1)


def test_every_precision_is_native_or_refused_with_a_reason() -> None:
    status = Ncnn().status()
    assert {*status.precisions, *status.refused} == set(PRECISIONS)
    assert not set(status.precisions) & set(status.refused)
    assert FP32 in status.precisions
    assert "no quantizer" in status.refused[INT8]


def test_refused_precision_is_neither_made_nor_opened(converted: Path, tmp_path: Path) -> None:
    reason = f"ncnn does not do int8 here: {Ncnn().status().refused[INT8]}"
    with pytest.raises(ConversionFailed) as caught:
        Ncnn().convert(tmp_path / "model.onnx", tmp_path / "other", precision=INT8)
    assert str(caught.value) == reason
    with pytest.raises(PlacementRefused) as opened:
        Ncnn().open(converted, threads=1, precision=INT8)
    assert str(opened.value) == reason


def test_native_reduced_precision_changes_the_arithmetic_a_little(tmp_path: Path) -> None:
    reduced = [precision for precision in Ncnn().status().precisions if precision != FP32]
    if not reduced:
        pytest.skip("this machine computes in fp32 only")
    source = network(tmp_path / "model.onnx", [node("Relu", "features", "output")], {"output": (1, 4, *SHAPE[2:])})
    model = Ncnn().convert(source, tmp_path)
    full = Ncnn().open(model, threads=1).run(image())["output"]
    for precision in reduced:
        session = Ncnn().open(model, threads=1, precision=precision)
        error = np.abs(session.run(image())["output"] - full).max()
        assert 0 < error < 0.1
        assert session.placement()["precision"] == precision
        assert session.placement()["reduced_layers"] > 0


def test_placement_counts_the_layers_on_the_cpu(converted: Path) -> None:
    placement = Ncnn().open(converted, threads=1).placement()
    assert placement["vulkan"] is False
    assert placement["nodes"] == {"CPU": sum(placement["layers"].values())}
    assert placement["layers"]["Convolution"] == 1
    assert (placement["precision"], placement["reduced_layers"]) == (FP32, 0)


def test_image_of_another_size_is_refused(converted: Path) -> None:
    with pytest.raises(ValueError, match=r"takes an input of \(1, 3, 13, 19\), this one is \(1, 3, 13, 18\)"):
        Ncnn().open(converted, threads=1).run(image(shape=(1, 3, 13, 18)))


TEST_PIPELINES: dict[str, list[dict[str, Any]]] = {
    "mmdet": [
        {"type": "LoadImageFromFile"},
        {"type": "Resize", "scale": (320, 320), "keep_ratio": True},
        {"type": "Pad", "size": (320, 320)},
        {"type": "PackDetInputs", "meta_keys": ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")},
    ],
    "mmseg": [
        {"type": "LoadImageFromFile"},
        {"type": "Resize", "scale": (256, 256), "keep_ratio": False},
        {"type": "PackSegInputs"},
    ],
}


def export(task: str, name: str, side: int, folder: Path) -> Path:
    """An untrained model of the short list as MMDeploy exports it, a detector's scores raised so that boxes come."""
    from deploy_targets.mmdeploy import export_onnx
    from zoo.models import config_path, shortlisted
    from zoo.openmmlab import prepare

    card = next(card for card in shortlisted(task) if card.name.startswith(name) and card.width == side)
    prepare(card.toolbox)
    import torch
    from mmdet.registry import MODELS
    from mmengine.config import Config
    from mmengine.registry import init_default_scope

    config = Config.fromfile(str(config_path(card)))
    for part in ("data_preprocessor", "backbone"):
        config.model[part].pop("init_cfg", None)
    config.test_pipeline = config.test_dataloader.dataset.pipeline = TEST_PIPELINES[card.toolbox]
    weights = None
    if task == "detection":
        init_default_scope("mmdet")
        config.model.bbox_head.num_classes = 2
        torch.manual_seed(0)
        network = MODELS.build(config.model)
        for parameter_name, parameter in network.named_parameters():
            if "rtm_cls" in parameter_name:
                spread = torch.randn_like(parameter)
                parameter.data += 4.0 + 0.5 * spread if parameter_name.endswith("bias") else 0.3 * spread
        weights = folder / "raised.pth"
        torch.save({"state_dict": network.state_dict(), "meta": {}}, weights)
    outputs = ["dets", "labels"] if task == "detection" else ["output"]
    return export_onnx(config.to_dict(), weights, task, card.toolbox, (side, side), outputs, folder)


@pytest.mark.slow
def test_real_detector_finds_the_boxes_of_onnxruntime(tmp_path: Path) -> None:
    from deploy_targets.tail import split

    source = export("detection", "rtmdet_tiny", 320, tmp_path)
    tensor = image(1, (1, 3, 320, 320))
    expected = ask(source, tensor)
    assert (expected["dets"][0, :, 4] > 0).sum() > 20
    head, tail = split(source, tmp_path / "cut")
    assert tail is not None
    cut = tail.apply(ask(head, tensor))
    assert all(np.array_equal(cut[name], expected[name]) for name in expected)
    found = Ncnn().open(Ncnn().convert(source, tmp_path / "made"), threads=1).run(tensor)
    # boxes of almost equal scores may change places, so each is looked for among all
    for box, label in zip(expected["dets"][0], expected["labels"][0], strict=True):
        distance = np.abs(found["dets"][0] - box).max(axis=1)
        assert distance.min() < 1e-2 and found["labels"][0][distance.argmin()] == label


@pytest.mark.slow
def test_real_segmenter_gives_the_mask_of_onnxruntime(tmp_path: Path) -> None:
    source = export("segmentation", "fast_scnn", 256, tmp_path)
    tensor = image(1, (1, 3, 256, 256))
    found = Ncnn().open(Ncnn().convert(source, tmp_path / "made"), threads=1).run(tensor)
    expected = ask(source, tensor)["output"]
    assert found["output"].shape == expected.shape
    assert (found["output"] == expected).mean() > 0.999
