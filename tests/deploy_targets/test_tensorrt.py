"""The order and content of what we ask of TensorRT 10 and pycuda, against small classes that know just these calls.

No test here shows that an engine is fast or right on a card: only that our side of the conversation is.
"""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import dataclass, field
from enum import Enum
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from deploy_targets.base import Array
from deploy_targets.errors import ConversionFailed, DeployError, EngineMissing, ModelUnreadable, PlacementRefused
from deploy_targets.registry import BACKENDS
from deploy_targets.tensorrt import UNTRIED, TensorRt

SHAPE = (1, 3, 4, 5)


@dataclass
class Machine:
    """What the stand-ins share: a card with memory, and everything that was asked of it."""

    card: str = "Card A"
    capability: tuple[int, int] = (8, 6)
    cards: int = 1
    fast_int8: bool = True
    parser_errors: tuple[str, ...] = ()
    build_error: str = ""
    starts: bool = True
    calls: list[str] = field(default_factory=list)
    memory: dict[int, bytes] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)
    flags: set[str] = field(default_factory=lambda: {"TF32"})


def pycuda_driver(machine: Machine) -> ModuleType:
    module = ModuleType("pycuda.driver")

    @dataclass(frozen=True)
    class Allocation:
        address: int

        def __int__(self) -> int:
            return self.address

    class Stream:
        handle = 77

        def synchronize(self) -> None:
            machine.calls.append("synchronize")

    class Device:
        @staticmethod
        def count() -> int:
            return machine.cards

        def name(self) -> str:
            return machine.card

        def compute_capability(self) -> tuple[int, int]:
            return machine.capability

    def mem_alloc(size: int) -> Allocation:
        made = Allocation(1000 + len(machine.sizes))
        machine.sizes[made.address] = size
        return made

    def upload(target: Allocation, source: Array, *_stream: Any) -> None:
        assert source.nbytes == machine.sizes[target.address] and source.flags.c_contiguous
        machine.memory[target.address] = source.tobytes()
        machine.calls.append("upload")

    def download(target: Array, source: Allocation, _stream: Stream) -> None:
        target[...] = np.frombuffer(machine.memory[source.address], target.dtype).reshape(target.shape)
        machine.calls.append("download")

    vars(module).update(
        init=lambda: None,
        Device=Device,
        Stream=Stream,
        mem_alloc=mem_alloc,
        pagelocked_empty=lambda shape, kind: np.empty(shape, kind),
        memcpy_htod=upload,
        memcpy_htod_async=upload,
        memcpy_dtoh_async=download,
        get_driver_version=lambda: 12080,
    )
    return module


class Severity(Enum):
    INTERNAL_ERROR = 0
    ERROR = 1
    WARNING = 2


class ILogger:
    Severity = Severity


class IInt8EntropyCalibrator2:
    pass


class Mode(Enum):
    INPUT = 1
    OUTPUT = 2


def tensorrt(machine: Machine, version: str = "10.9.0") -> ModuleType:
    module = ModuleType("tensorrt")

    class Builder:
        platform_has_fast_fp16 = True

        def __init__(self, log: Any) -> None:
            self.platform_has_fast_int8 = machine.fast_int8
            self._log = log

        def create_network(self) -> Network:
            return Network()

        def create_builder_config(self) -> Config:
            return Config()

        def build_serialized_network(self, network: Network, config: Config) -> bytes | None:
            machine.calls.append("build")
            if machine.build_error:
                self._log.log(Severity.WARNING, "only a remark")
                self._log.log(Severity.ERROR, machine.build_error)
                return None
            calibrator = getattr(config, "int8_calibrator", None)
            while calibrator is not None and calibrator.get_batch(["input"]) is not None:
                pass
            if calibrator is not None:
                assert calibrator.read_calibration_cache() is None and calibrator.get_batch_size() == 1
                calibrator.write_calibration_cache(memoryview(b"ranges"))
            return network.blob

    class Network:
        blob = b""

        @property
        def num_inputs(self) -> int:
            return len(onnx.load_from_string(self.blob).graph.input)

        def get_input(self, number: int) -> Any:
            info = onnx.load_from_string(self.blob).graph.input[number]
            return SimpleNamespace(name=info.name, shape=[d.dim_value or -1 for d in info.type.tensor_type.shape.dim])

    class Config:
        def set_memory_pool_limit(self, pool: str, size: int) -> None:
            machine.calls.append(f"limit {pool} {size}")

        def set_flag(self, flag: str) -> None:
            machine.flags.add(flag)

        def clear_flag(self, flag: str) -> None:
            machine.flags.remove(flag)

    class OnnxParser:
        def __init__(self, network: Network, _log: Any) -> None:
            self._network = network
            self.num_errors = len(machine.parser_errors)

        def parse(self, blob: bytes) -> bool:
            self._network.blob = blob
            return not machine.parser_errors

        def get_error(self, number: int) -> str:
            return machine.parser_errors[number]

    class Runtime:
        def __init__(self, log: Any) -> None:
            self._log = log

        def deserialize_cuda_engine(self, blob: bytes) -> Engine | None:
            try:
                return Engine(onnx.load_from_string(blob))
            except Exception:  # protobuf's own classes
                self._log.log(Severity.ERROR, "magic tag does not match")
                return None

    class Engine:
        def __init__(self, model: Any) -> None:
            if not model.graph.output:
                raise ValueError("empty")
            self.model = model
            self.inputs = [info.name for info in model.graph.input]
            self.infos = {info.name: info for info in (*model.graph.input, *model.graph.output)}
            self.num_io_tensors = len(self.infos)

        def get_tensor_name(self, number: int) -> str:
            return list(self.infos)[number]

        def get_tensor_mode(self, name: str) -> Mode:
            return Mode.INPUT if name in self.inputs else Mode.OUTPUT

        def get_tensor_dtype(self, name: str) -> Any:
            return onnx.helper.tensor_dtype_to_np_dtype(self.infos[name].type.tensor_type.elem_type)

        def get_tensor_shape(self, name: str) -> list[int]:
            return [dim.dim_value for dim in self.infos[name].type.tensor_type.shape.dim]

        def create_execution_context(self) -> Context:
            return Context(self)

        def create_engine_inspector(self) -> Any:
            layers = [{"Name": node.name, "LayerType": node.op_type} for node in self.model.graph.node]
            return SimpleNamespace(get_engine_information=lambda kind: json.dumps({"Layers": layers, "kind": kind}))

    class Context:
        def __init__(self, engine: Engine) -> None:
            self._engine, self._addresses = engine, dict[str, int]()

        def set_tensor_address(self, name: str, address: int) -> None:
            self._addresses[name] = address

        def execute_async_v3(self, stream: int) -> bool:
            assert stream == 77
            machine.calls.append("execute")
            infos = self._engine.infos
            given = {
                name: np.frombuffer(machine.memory[self._addresses[name]], np.float32).reshape(
                    self._engine.get_tensor_shape(name)
                )
                for name in self._engine.inputs
            }
            names = [name for name in infos if name not in given]
            for name, value in zip(names, ReferenceEvaluator(self._engine.model).run(names, given), strict=True):
                machine.memory[self._addresses[name]] = value.tobytes()
            return machine.starts

    vars(module).update(
        __version__=version,
        ILogger=ILogger,
        IInt8EntropyCalibrator2=IInt8EntropyCalibrator2,
        Builder=Builder,
        OnnxParser=OnnxParser,
        Runtime=Runtime,
        TensorIOMode=Mode,
        nptype=lambda kind: kind,
        MemoryPoolType=SimpleNamespace(WORKSPACE="workspace"),
        ProfilingVerbosity=SimpleNamespace(DETAILED="detailed"),
        LayerInformationFormat=SimpleNamespace(JSON="json"),
        BuilderFlag=SimpleNamespace(FP16="FP16", BF16="BF16", INT8="INT8", TF32="TF32"),
    )
    return module


def install(monkeypatch: pytest.MonkeyPatch, machine: Machine, version: str = "10.9.0") -> None:
    pycuda, context = ModuleType("pycuda"), ModuleType("pycuda.autoprimaryctx")
    driver = pycuda_driver(machine)
    vars(context)["device"] = vars(driver)["Device"]()
    vars(pycuda).update(driver=driver, autoprimaryctx=context, __path__=[])
    for module in (pycuda, driver, context, tensorrt(machine, version)):
        module.__spec__ = ModuleSpec(module.__name__, None)
        monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    install(monkeypatch, made)
    return made


def write(path: Path, *, height: int | str = SHAPE[2]) -> Path:
    """A segmentation in small: every channel doubled, then ArgMax over the channels."""
    nodes = [
        helper.make_node("Add", ["input", "input"], ["doubled"], name="add"),
        helper.make_node("ArgMax", ["doubled"], ["output"], name="argmax", axis=1, keepdims=1),
    ]
    shape = [1, 3, height, SHAPE[3]]
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)
    answer = helper.make_tensor_value_info("output", TensorProto.INT64, [1, 1, height, SHAPE[3]])
    model = helper.make_model(
        helper.make_graph(nodes, "small", [given], [answer]),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
    )
    onnx.save(model, str(path))
    return path


def tensor(seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32)


@pytest.fixture
def model(machine: Machine, tmp_path: Path) -> Path:
    return TensorRt().convert(write(tmp_path / "model.onnx"), tmp_path / "made")


def test_without_tensorrt_the_status_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    status = TensorRt().status()
    assert (status.available, status.devices, status.hint) == (False, (), BACKENDS["tensorrt"].install)


def test_without_pycuda_the_hint_is_another(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "pycuda" else found(name))
    status = TensorRt().status()
    assert not status.available
    assert status.hint == f"pip install pycuda, which is compiled with CUDA's own compiler; {UNTRIED}"


def test_a_library_that_does_not_load_is_an_answer(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise OSError("libnvinfer.so.10: cannot open shared object file")

    monkeypatch.setattr("deploy_targets.tensorrt._libraries", broken)
    status = TensorRt().status()
    assert not status.available
    assert "cannot be loaded (libnvinfer.so.10: cannot open shared object file)" in status.hint


def test_a_machine_without_a_card_is_told_so_and_cannot_convert(machine: Machine, tmp_path: Path) -> None:
    machine.cards = 0
    assert TensorRt().status().hint == f"CUDA finds no card here; {UNTRIED}"
    with pytest.raises(EngineMissing) as caught:
        TensorRt().convert(tmp_path / "model.onnx", tmp_path)
    assert caught.value.__notes__ == [f"CUDA finds no card here; {UNTRIED}"]


def test_precisions_are_those_the_card_has(machine: Machine) -> None:
    machine.capability, machine.fast_int8 = (7, 5), False
    status = TensorRt().status()
    assert status.available and status.devices == ("Card A",)
    assert status.precisions == ("fp32", "fp16")
    assert status.refused == {"bf16": "Card A has no fast bf16", "int8": "Card A has no fast int8"}


def test_tensorrt_11_offers_float32_only(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, machine, "11.0.0")
    status = TensorRt().status()
    assert status.precisions == ("fp32",)
    assert set(status.refused) == {"fp16", "bf16", "int8"}


def test_answers_are_those_of_the_whole_network(machine: Machine, model: Path, tmp_path: Path) -> None:
    session = TensorRt().open(model, threads=4)
    whole = ReferenceEvaluator(str(tmp_path / "model.onnx"))
    answers = [session.run(tensor(seed)) for seed in range(2)]
    for seed, answer in enumerate(answers):
        assert list(answer) == ["output"]
        assert np.array_equal(answer["output"], whole.run(None, {"input": tensor(seed)})[0])


def test_run_uploads_executes_downloads_and_then_waits(machine: Machine, model: Path) -> None:
    session = TensorRt().open(model, threads=1)
    machine.calls.clear()
    session.run(tensor())
    assert machine.calls == ["upload", "execute", "download", "synchronize"]


def test_buffers_are_as_large_as_the_tensors(machine: Machine, model: Path) -> None:
    TensorRt().open(model, threads=1)
    assert list(machine.sizes.values()) == [4 * 60, 4 * 60]  # the input, and the head's output before ArgMax


def test_bound_call_only_executes_and_reads_its_own_input(machine: Machine, model: Path) -> None:
    session = TensorRt().open(model, threads=1)
    expected = session.run(tensor(1))
    call = session.bound(tensor(2))
    machine.calls.clear()
    call()
    assert machine.calls == ["execute", "synchronize"]
    assert np.array_equal(session.run(tensor(1))["output"], expected["output"])


def test_placement_names_card_driver_and_layers(machine: Machine, model: Path) -> None:
    placement = TensorRt().open(model, threads=4).placement()
    assert placement == {
        "engine": "tensorrt",
        "version": "10.9.0",
        "device": "Card A",
        "driver": 12080,
        "threads": 1,
        "precision": "fp32",
        "nodes": {"Card A": 1},
    }


def test_a_session_on_another_card_is_refused(machine: Machine, model: Path) -> None:
    session = TensorRt().open(model, threads=1)
    machine.card = "Card B"
    with pytest.raises(PlacementRefused, match="asked for Card A, CUDA's context is on Card B"):
        session.placement()


def test_a_network_that_does_not_start_is_an_error(machine: Machine, model: Path) -> None:
    session = TensorRt().open(model, threads=1)
    machine.starts = False
    with pytest.raises(DeployError, match="could not start the network"):
        session.run(tensor())


def test_float32_is_built_without_tf32_and_within_the_workspace(machine: Machine, model: Path) -> None:
    assert machine.flags == set()
    assert machine.calls[:2] == [f"limit workspace {2**30}", "build"]
    assert [file.name for file in TensorRt().files(model)] == ["model.engine", "model.tail.json"]
    assert all(file.is_file() for file in TensorRt().files(model))


@pytest.mark.parametrize(("precision", "flags"), [("fp16", {"FP16"}), ("bf16", {"BF16"})])
def test_half_precisions_set_their_flag(machine: Machine, tmp_path: Path, precision: str, flags: set[str]) -> None:
    model = TensorRt().convert(write(tmp_path / "model.onnx"), tmp_path / "made", precision=precision)
    assert machine.flags == flags
    with pytest.raises(ModelUnreadable, match=f"was built in {precision} and cannot run in fp32"):
        TensorRt().open(model, threads=1)


def test_int8_sees_every_calibration_input_once_and_keeps_the_ranges_aside(machine: Machine, tmp_path: Path) -> None:
    shown = [tensor(seed) for seed in range(3)]
    model = TensorRt().convert(write(tmp_path / "m.onnx"), tmp_path / "made", precision="int8", calibration=shown)
    assert machine.flags == {"INT8", "FP16"}
    assert machine.calls.count("upload") == 3
    assert (tmp_path / "made" / "calibration.cache").read_bytes() == b"ranges"
    assert tmp_path / "made" / "calibration.cache" not in TensorRt().files(model)


def test_int8_without_calibration_is_refused(machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(ConversionFailed, match="without inputs to take its ranges from"):
        TensorRt().convert(write(tmp_path / "model.onnx"), tmp_path / "made", precision="int8")


def test_every_error_of_the_parser_is_told(machine: Machine, tmp_path: Path) -> None:
    machine.parser_errors = ("node 3: no such operator", "node 9: bad shape")
    with pytest.raises(ConversionFailed) as caught:
        TensorRt().convert(write(tmp_path / "model.onnx"), tmp_path / "made")
    assert str(caught.value) == "TensorRT could not read the network: node 3: no such operator; node 9: bad shape"


def test_a_build_without_result_gives_the_errors_that_were_logged(machine: Machine, tmp_path: Path) -> None:
    machine.build_error = "out of memory"
    with pytest.raises(ConversionFailed) as caught:
        TensorRt().convert(write(tmp_path / "model.onnx"), tmp_path / "made")
    assert str(caught.value) == "TensorRT could not build an engine: out of memory"


def test_an_input_of_open_shape_is_refused(machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(ConversionFailed, match=r"one input of a fixed shape, the network has input \(1, 3, -1, 5\)"):
        TensorRt().convert(write(tmp_path / "model.onnx", height="rows"), tmp_path / "made")


def test_a_precision_nobody_knows_is_refused(machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(ConversionFailed, match="cannot make fp4"):
        TensorRt().convert(write(tmp_path / "model.onnx"), tmp_path / "made", precision="fp4")


def test_an_engine_of_another_card_is_refused_before_it_is_read(machine: Machine, model: Path) -> None:
    machine.card = "Card B"
    with pytest.raises(ModelUnreadable) as caught:
        TensorRt().open(model, threads=1)
    here = "was built by TensorRT 10.9.0 for Card A and cannot run in TensorRT 10.9.0 on Card B"
    assert str(caught.value) == f"{model} {here}"


def test_an_engine_that_does_not_deserialize_is_refused_with_what_was_logged(machine: Machine, model: Path) -> None:
    model.write_bytes(b"noise")
    with pytest.raises(ModelUnreadable) as caught:
        TensorRt().open(model, threads=1)
    assert str(caught.value) == f"{model} is not a model TensorRT can open: magic tag does not match"


@pytest.mark.parametrize("part", [0, 1])
def test_a_missing_file_is_refused(machine: Machine, model: Path, part: int) -> None:
    TensorRt().files(model)[part].unlink()
    with pytest.raises(ModelUnreadable, match="is not a model TensorRT can open"):
        TensorRt().open(model, threads=1)
