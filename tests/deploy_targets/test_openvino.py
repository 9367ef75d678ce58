"""OpenVINO: silence on the network, names of outputs, and int8 where it belongs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy_targets import openvino as engine_file
from deploy_targets.base import BF16, FP32, INT8
from deploy_targets.errors import ConversionFailed, PlacementRefused
from deploy_targets.openvino import OpenVino

if not OpenVino().status().available:
    pytest.skip(OpenVino().status().hint, allow_module_level=True)

# What a program that only converts does; every look at a socket or a name is an event of the interpreter's own.
LISTENS = """
import sys
events = []
sys.addaudithook(lambda name, _: events.append(name) if name.startswith("socket.") else None)
"""
CONVERTS = """
from pathlib import Path
import numpy as np
from deploy_targets.openvino import OpenVino
source, folder = map(Path, sys.argv[1:])
assert OpenVino().status().available
shown = [np.random.default_rng(0).uniform(-2, 2, (1, 3, 12, 20)).astype(np.float32)]
for precision in ("fp32", "int8"):
    made = OpenVino().convert(source, folder, precision=precision, calibration=shown)
OpenVino().open(made, threads=1, precision="int8").run(shown[0])
import threading
assert threading.active_count() == 1, threading.enumerate()
assert "nncf" in sys.modules
assert not events, events
"""
UNTOUCHED = """
assert not [name for name in sys.modules if name.startswith("openvino_telemetry.")]
assert not list(Path.home().iterdir())
"""


def small(folder: Path, nodes: list[Any], outputs: list[str], sides: tuple[Any, ...] = (1, 3, 4, 4)) -> Path:
    """An ONNX file with weights `kernel` (4, 3, 1, 1) and `three`, one number."""
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, sides)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [
            numpy_helper.from_array(np.arange(12, dtype=np.float32).reshape(4, 3, 1, 1), "kernel"),
            numpy_helper.from_array(np.float32(3), "three"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    (folder / "small.onnx").write_bytes(model.SerializeToString())
    return folder / "small.onnx"


def node(operator: str, *names: str) -> Any:
    from onnx import helper

    return helper.make_node(operator, list(names[:-1]), [names[-1]])


def quantized(networks: Any, name: str, folder: Path) -> Path:
    shown = [networks[name].tensor(seed) for seed in range(4)]
    return OpenVino().convert(networks[name].write("onnx", folder), folder, precision=INT8, calibration=shown)


@pytest.mark.parametrize(
    "program",
    [LISTENS + CONVERTS + UNTOUCHED, LISTENS + "import openvino_telemetry" + CONVERTS],
    ids=["as it is", "with the sender already loaded"],
)
def test_converting_and_quantizing_touch_no_socket_and_no_home(networks: Any, tmp_path: Path, program: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    source = networks["classifier"].write("onnx", tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", program, str(source), str(tmp_path)],
        env=os.environ | {"HOME": str(home)},
        cwd=Path(engine_file.__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stdout


def test_int8_leaves_all_behind_the_last_convolution_float(networks: Any, tmp_path: Path) -> None:
    core = engine_file._load().Core()
    operations = core.read_model(str(quantized(networks, "detector", tmp_path))).get_ops()
    made = [operation for operation in operations if operation.get_type_name() == "FakeQuantize"]
    readers = {reader.get_type_name() for operation in made for reader in engine_file._readers(operation)}
    assert len(made) >= 2
    assert readers == {"Convolution"}


def test_one_number_added_to_a_convolution_is_no_obstacle_to_int8(tmp_path: Path) -> None:
    nodes = [
        *(node("Conv", "input", "kernel", "conv"), node("Add", "conv", "three", "sum"), node("Relu", "sum", "relu")),
        *(node("GlobalAveragePool", "relu", "pooled"), node("Add", "three", "pooled", "output")),
    ]
    source = small(tmp_path, nodes, ["output"])
    tensors = [np.random.default_rng(seed).uniform(0, 1, (1, 3, 4, 4)).astype(np.float32) for seed in range(4)]
    made = OpenVino().convert(source, tmp_path, precision=INT8, calibration=tensors)
    lower = OpenVino().open(made, threads=1, precision=INT8).run(tensors[0])["output"]
    plain = OpenVino().open(OpenVino().convert(source, tmp_path), threads=1).run(tensors[0])["output"]
    assert np.allclose(lower, plain, atol=0.05 * plain.max())


def test_outputs_keep_their_names_and_order_also_behind_nodes_that_vanish(tmp_path: Path) -> None:
    nodes = [node("Conv", "input", "kernel", "conv"), node("Identity", "conv", "b"), node("Relu", "conv", "a")]
    session = OpenVino().open(OpenVino().convert(small(tmp_path, nodes, ["b", "a"]), tmp_path), threads=1)
    assert list(session.run(np.ones((1, 3, 4, 4), np.float32))) == ["b", "a"]


def test_free_batch_size_becomes_one_image(tmp_path: Path) -> None:
    source = small(tmp_path, [node("Conv", "input", "kernel", "conv")], ["conv"], ("batch", 3, 4, 4))
    session = OpenVino().open(OpenVino().convert(source, tmp_path), threads=1)
    assert session.run(np.ones((1, 3, 4, 4), np.float32))["conv"].shape == (1, 4, 4, 4)
    assert sum(session.placement()["nodes"].values()) > 0


def test_an_input_written_to_the_engines_memory_answers_as_one_that_is_copied_there(tmp_path: Path) -> None:
    from onnx import helper

    file = small(tmp_path, [helper.make_node("Conv", ["input", "kernel"], ["output"])], ["output"])
    session = OpenVino().open(OpenVino().convert(file, tmp_path / "made"), threads=1)
    one, other = (np.random.default_rng(seed).random((1, 3, 4, 4), np.float32) for seed in (1, 2))
    copied = session.run(one)["output"]
    assert session.input_memory is not None
    session.run(other)
    session.input_memory[...] = one
    assert np.array_equal(session.run(session.input_memory)["output"], copied)
    with pytest.raises(ValueError, match=r"takes an input of \(1, 3, 4, 4\), this one is \(1, 3, 5, 4\)"):
        session.run(np.zeros((1, 3, 5, 4), np.float32))


def test_open_image_size_is_refused(tmp_path: Path) -> None:
    source = small(tmp_path, [node("Conv", "input", "kernel", "conv")], ["conv"], (1, 3, "height", "width"))
    with pytest.raises(ConversionFailed, match="export it with a fixed size"):
        OpenVino().convert(source, tmp_path)


def test_int8_file_is_refused_as_fp32_and_the_other_way_round(networks: Any, tmp_path: Path) -> None:
    lowered = quantized(networks, "classifier", tmp_path)
    with pytest.raises(PlacementRefused, match=r"asked for fp32, OpenVINO executed .* 3 in int8"):
        OpenVino().open(lowered, threads=1, precision=FP32).placement()
    plain = OpenVino().convert(networks["classifier"].write("onnx", tmp_path), tmp_path)
    with pytest.raises(PlacementRefused, match=r"asked for int8, OpenVINO executed .* 3 in fp32"):
        OpenVino().open(plain, threads=1, precision=INT8).placement()


def test_precision_that_the_processor_falls_back_from_is_refused(
    networks: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = OpenVino().convert(networks["classifier"].write("onnx", tmp_path), tmp_path)
    # what a processor without bfloat16 makes of the hint
    monkeypatch.setitem(engine_file._HINTS, BF16, "f32")
    with pytest.raises(PlacementRefused, match=r"asked for bf16, OpenVINO executed .* 3 in fp32"):
        OpenVino().open(model, threads=1, precision=BF16).placement()


def test_nothing_but_the_model_is_written(networks: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = networks["classifier"].write("onnx", tmp_path)
    (tmp_path / "made").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    model = OpenVino().convert(source, tmp_path / "made")
    OpenVino().open(model, threads=1).placement()
    assert {file.name for file in (tmp_path / "made").iterdir()} == {"model.xml", "model.bin"}
    assert not list((tmp_path / "here").iterdir())
    assert str(tmp_path) not in model.read_text(encoding="utf-8")


def test_broken_installation_is_a_status(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Any:
        raise OSError("libopenvino.so: cannot open shared object file")

    monkeypatch.setattr(engine_file, "_load", broken)
    status = OpenVino().status()
    assert not status.available
    assert status.hint == (
        "openvino is installed but cannot be loaded (libopenvino.so: cannot open shared object file); install it again"
    )


def test_without_the_quantizer_int8_is_refused_and_the_rest_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "nncf" else object())
    status = OpenVino().status()
    assert status.refused[INT8] == "NNCF, which makes OpenVINO's int8 models, is not installed: pip install nncf"
    assert INT8 not in status.precisions and FP32 in status.precisions
