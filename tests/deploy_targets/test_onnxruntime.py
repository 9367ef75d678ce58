"""ONNX Runtime: int8 that is executed as int8, and the proof of where and how nodes ran."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy_targets import onnxruntime as engine_file
from deploy_targets.base import FP32, INT8
from deploy_targets.errors import ConversionFailed, PlacementRefused
from deploy_targets.onnxruntime import PROVIDER, OnnxRuntime


def source(networks: Any, name: str, folder: Path) -> Path:
    path: Path = networks[name].write("onnx", folder)
    return path


def quantized(networks: Any, name: str, folder: Path) -> Path:
    shown = [networks[name].tensor(seed) for seed in range(4)]
    return OnnxRuntime().convert(source(networks, name, folder), folder, precision=INT8, calibration=shown)


def test_fp32_is_the_exported_file_itself(networks: Any, tmp_path: Path) -> None:
    file = source(networks, "classifier", tmp_path)
    assert OnnxRuntime().convert(file, tmp_path / "unused") == file
    assert not (tmp_path / "unused").exists()


def test_int8_is_another_file_and_leaves_the_exported_one(networks: Any, tmp_path: Path) -> None:
    before = source(networks, "classifier", tmp_path).read_bytes()
    made = quantized(networks, "classifier", tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"source.onnx", made.name}
    assert (tmp_path / "source.onnx").read_bytes() == before


def test_int8_of_the_same_inputs_is_the_same_file(networks: Any, tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder in folders:
        folder.mkdir()
    first, second = (quantized(networks, "detector", folder).read_bytes() for folder in folders)
    assert first == second


def test_in_a_detector_only_convolutions_before_the_last_read_int8(networks: Any, tmp_path: Path) -> None:
    import onnx

    graph = onnx.load(str(quantized(networks, "detector", tmp_path))).graph
    numbers = {output for node in graph.node if node.op_type == "DequantizeLinear" for output in node.output}
    readers = [node for node in graph.node if numbers & set(node.input)]
    assert {node.op_type for node in readers} == {"Conv"}
    last = next(node for node in graph.node if node.output[0] == "raw")
    assert last.input[1] not in numbers


def test_file_is_refused_in_another_precision_than_its_own(networks: Any, tmp_path: Path) -> None:
    plain = OnnxRuntime().open(source(networks, "classifier", tmp_path), threads=1, precision=INT8)
    with pytest.raises(PlacementRefused, match=r"asked for int8, ONNX Runtime executed .* 3 in fp32"):
        plain.placement()
    lowered = OnnxRuntime().open(quantized(networks, "classifier", tmp_path), threads=1, precision=FP32)
    with pytest.raises(PlacementRefused, match=r"asked for fp32, ONNX Runtime executed .* 1 in fp32, 2 in int8"):
        lowered.placement()


def test_a_node_on_another_device_is_refused(networks: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = {"op_name": "Conv", "input_type_shape": [{"float": [1, 3, 12, 20]}]}
    nodes = [record | {"provider": PROVIDER}, record | {"provider": "CUDAExecutionProvider"}]
    monkeypatch.setattr(engine_file._OpenedModel, "_executed", lambda _: nodes)
    session = OnnxRuntime().open(source(networks, "classifier", tmp_path), threads=1)
    with pytest.raises(PlacementRefused, match="'CUDAExecutionProvider': 1"):
        session.placement()


def test_proof_leaves_no_file_behind(networks: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = source(networks, "classifier", tmp_path)
    scratch, here = tmp_path / "scratch", tmp_path / "here"
    for folder in (scratch, here):
        folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    monkeypatch.chdir(here)
    placement = OnnxRuntime().open(file, threads=1).placement()
    assert placement["arithmetic"] == {"fp32": 3}
    assert not list(scratch.iterdir()) and not list(here.iterdir())


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_half_precisions_are_refused_with_the_reason(precision: str, networks: Any, tmp_path: Path) -> None:
    file = source(networks, "classifier", tmp_path)
    with pytest.raises(ConversionFailed, match="its CPU provider"):
        OnnxRuntime().convert(file, tmp_path, precision=precision)
    with pytest.raises(PlacementRefused, match="its CPU provider"):
        OnnxRuntime().open(file, threads=1, precision=precision)


def test_sums_of_int8_saturate_on_x86_without_vnni_only(monkeypatch: pytest.MonkeyPatch) -> None:
    flags = {"now": "flags : sse2 avx2"}
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: flags["now"])
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert engine_file._saturates()
    flags["now"] += " avx512_vnni"
    assert not engine_file._saturates()
    flags["now"] = ""
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert not engine_file._saturates()


def test_free_batch_size_is_one_image(tmp_path: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper

    kernel = numpy_helper.from_array(np.ones((2, 3, 1, 1), np.float32), "kernel")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["input", "kernel"], ["output"])],
        "free",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, 4, 4])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 2, 4, 4])],
        [kernel],
    )
    file = tmp_path / "free.onnx"
    file.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()
    )
    assert OnnxRuntime().open(file, threads=1).placement()["arithmetic"] == {"fp32": 1}
