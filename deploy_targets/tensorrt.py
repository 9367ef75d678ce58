"""TensorRT on an NVIDIA card, its buffers held through pycuda. The only file that imports either.

Written against the Python interface of TensorRT 10; with 11, which has dropped the flags for lower precisions, float32
only. It has not been run on a card yet: its tests stand in for TensorRT with classes that know the calls used here.

An engine belongs to the card and the TensorRT version it was built with; both are written beside it, with the tail
(NMS, ArgMax) that numpy does after it. Nothing here runs on several threads: `threads` of `open` is without effect, and
the session must be used on the thread that opened it, where pycuda's context is current.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy_targets.base import BF16, FP16, FP32, INT8, PRECISIONS, Array, Backend, Outputs, Session, Source, Status
from deploy_targets.errors import ConversionFailed, DeployError, EngineMissing, ModelUnreadable, PlacementRefused
from deploy_targets.tail import Tail, split

ENGINE_FILE = "model.engine"
FACTS_SUFFIX = ".tail.json"
CALIBRATION_FILE = "calibration.cache"
WORKSPACE_BYTES = 2**30  # for one layer's scratch; trtexec takes all of the card, which other programs may need too

INSTALL = "install TensorRT and pycuda for the card's driver"
UNTRIED = "edge has not been run on TensorRT yet"


@dataclass(frozen=True)
class _Facts:
    """What an engine file itself does not say, or says only by failing."""

    precision: str
    tensorrt: str
    card: str
    tail: Tail | None

    def write(self, path: Path) -> None:
        tail = self.tail.to_json() if self.tail else None
        path.write_text(json.dumps({**asdict(self), "tail": tail}, indent=1), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> _Facts:
        """Raises OSError, ValueError, KeyError or TypeError for anything but what `write` wrote."""
        found = json.loads(path.read_text(encoding="utf-8"))
        tail = Tail.from_json(found["tail"]) if found["tail"] else None
        return cls(found["precision"], found["tensorrt"], found["card"], tail)


class TensorRt:
    name = "tensorrt"
    source: Source = "onnx"

    def status(self) -> Status:
        if importlib.util.find_spec("tensorrt") is None:
            return Status(False, "", (), INSTALL)
        if importlib.util.find_spec("pycuda") is None:
            return Status(False, "", (), f"pip install pycuda, which is compiled with CUDA's own compiler; {UNTRIED}")
        try:
            trt, cuda = _libraries()
        except Exception as error:  # a missing or broken library of the vendor raises anything
            hint = f"TensorRT or pycuda cannot be loaded ({error}); install both for the card's driver; {UNTRIED}"
            return Status(False, "", (), hint)
        try:
            cuda.init()
            if cuda.Device.count() == 0:
                return Status(False, trt.__version__, (), f"CUDA finds no card here; {UNTRIED}")
            card = _card()
            precisions, refused = _precisions(trt, card)
        except Exception as error:  # pycuda's errors have no public base, TensorRT's none at all
            hint = f"CUDA finds no card that it can use ({error}): check nvidia-smi; {UNTRIED}"
            return Status(False, trt.__version__, (), hint)
        return Status(True, trt.__version__, (card.name(),), UNTRIED, precisions, refused)

    def convert(self, source: Path, folder: Path, *, precision: str = FP32, calibration: Sequence[Array] = ()) -> Path:
        trt, cuda = _ready()
        card = _card()
        precisions, refused = _precisions(trt, card)
        if precision not in precisions:
            raise _failed(f"cannot make {precision}: {refused.get(precision, 'there is no such precision')}")
        if precision == INT8 and not calibration:
            raise _failed("cannot make int8 without inputs to take its ranges from")
        folder.mkdir(parents=True, exist_ok=True)
        head, tail = split(source, folder)
        log = _log(trt)
        builder = trt.Builder(log)
        network = _parsed(trt, builder, head, log)
        config = _config(trt, builder, precision)
        if precision == INT8:
            # kept in a name: the configuration holds no reference of its own
            calibrator = _calibrator(trt, cuda, calibration, folder / CALIBRATION_FILE)
            config.int8_calibrator = calibrator
        engine = builder.build_serialized_network(network, config)
        if engine is None:
            raise _failed(f"could not build an engine: {_words(log)}")
        model = folder / ENGINE_FILE
        model.write_bytes(bytes(engine))
        _Facts(precision, trt.__version__, card.name(), tail).write(model.with_suffix(FACTS_SUFFIX))
        return model

    def files(self, model: Path) -> tuple[Path, ...]:
        return (model, model.with_suffix(FACTS_SUFFIX))

    def open(self, model: Path, *, threads: int, precision: str = FP32) -> Session:
        trt, cuda = _ready()
        card = _card()
        try:
            blob = model.read_bytes()
            facts = _Facts.read(model.with_suffix(FACTS_SUFFIX))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _unreadable(model, f"{type(error).__name__}: {error}") from error
        if (facts.tensorrt, facts.card) != (trt.__version__, card.name()):
            here = f"TensorRT {trt.__version__} on {card.name()}"
            raise _foreign(model, f"was built by TensorRT {facts.tensorrt} for {facts.card} and cannot run in {here}")
        if facts.precision != precision:
            raise _foreign(model, f"was built in {facts.precision} and cannot run in {precision}")
        log = _log(trt)
        engine = trt.Runtime(log).deserialize_cuda_engine(blob)
        context = engine.create_execution_context() if engine is not None else None
        if context is None:
            raise _unreadable(model, _words(log))
        return _OpenedModel(trt, cuda, engine, context, facts)


class _OpenedModel:
    input_memory: Array | None = None

    def __init__(self, trt: Any, cuda: Any, engine: Any, context: Any, facts: _Facts) -> None:
        self._trt, self._cuda, self._engine, self._context, self._facts = trt, cuda, engine, context, facts
        self._stream = cuda.Stream()
        self._outputs: dict[str, _Buffer] = {}
        for number in range(engine.num_io_tensors):
            name = engine.get_tensor_name(number)
            buffer = _Buffer.like(trt, cuda, engine, name)
            context.set_tensor_address(name, int(buffer.device))
            if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT:
                self._input_name, self._input = name, buffer
            else:
                self._outputs[name] = buffer

    def run(self, tensor: Array) -> Outputs:
        self._input.host[...] = tensor
        self._cuda.memcpy_htod_async(self._input.device, self._input.host, self._stream)
        self._execute(self._input)
        for buffer in self._outputs.values():
            self._cuda.memcpy_dtoh_async(buffer.host, buffer.device, self._stream)
        self._stream.synchronize()
        found = {name: buffer.host.copy() for name, buffer in self._outputs.items()}
        return self._facts.tail.apply(found) if self._facts.tail else found

    def bound(self, tensor: Array) -> Callable[[], Any]:
        own = _Buffer.like(self._trt, self._cuda, self._engine, self._input_name)
        own.host[...] = tensor
        self._cuda.memcpy_htod_async(own.device, own.host, self._stream)
        self._stream.synchronize()

        def call() -> None:
            self._execute(own)
            self._stream.synchronize()

        return call

    def placement(self) -> dict[str, Any]:
        card = _card().name()
        if card != self._facts.card:
            raise PlacementRefused(f"asked for {self._facts.card}, CUDA's context is on {card}")
        inspector = self._engine.create_engine_inspector()
        inspector.execution_context = self._context
        layers = json.loads(inspector.get_engine_information(self._trt.LayerInformationFormat.JSON))["Layers"]
        return {
            "engine": TensorRt.name,
            "version": self._trt.__version__,
            "device": card,
            "driver": self._cuda.get_driver_version(),
            "threads": 1,  # the one that hands work to the card, whatever was asked for
            "precision": self._facts.precision,
            "nodes": {card: len(layers)},  # TensorRT has no other place to put a layer unless it is given a DLA core
        }

    def _execute(self, given: _Buffer) -> None:
        self._context.set_tensor_address(self._input_name, int(given.device))
        if not self._context.execute_async_v3(self._stream.handle):
            failed = DeployError("TensorRT could not start the network on the card")
            failed.add_note("The card may be lost or its memory full: look at nvidia-smi.")
            raise failed


@dataclass(frozen=True)
class _Buffer:
    """One tensor twice: in pagelocked memory of the host and on the card."""

    host: Array
    device: Any

    @classmethod
    def like(cls, trt: Any, cuda: Any, engine: Any, name: str) -> _Buffer:
        kind = trt.nptype(engine.get_tensor_dtype(name))
        host = cuda.pagelocked_empty(tuple(engine.get_tensor_shape(name)), kind)
        return cls(host, cuda.mem_alloc(host.nbytes))


def _libraries() -> tuple[Any, Any]:
    import pycuda.driver
    import tensorrt

    return tensorrt, pycuda.driver


def _ready() -> tuple[Any, Any]:
    """TensorRT and pycuda's driver where there is a card to use. Raises EngineMissing."""
    status = TensorRt().status()
    if not status.available:
        missing = EngineMissing("TensorRT cannot run here")
        missing.add_note(status.hint)
        raise missing
    return _libraries()


def _card() -> Any:
    """The card of the process's primary context, which importing this makes current on the thread and pops at exit."""
    import pycuda.autoprimaryctx

    return pycuda.autoprimaryctx.device


def _precisions(trt: Any, card: Any) -> tuple[tuple[str, ...], dict[str, str]]:
    """What this card computes natively and this TensorRT can be told to; why not the others."""
    if int(trt.__version__.split(".")[0]) >= 11:
        dropped = (
            f"TensorRT {trt.__version__} takes lower precisions from the network only; version 10 has flags for them"
        )
        return (FP32,), dict.fromkeys((FP16, BF16, INT8), dropped)
    builder = trt.Builder(_log(trt))
    native = {
        FP16: builder.platform_has_fast_fp16,
        BF16: card.compute_capability() >= (8, 0),  # since Ampere
        INT8: builder.platform_has_fast_int8,
    }
    refused = {precision: f"{card.name()} has no fast {precision}" for precision, fast in native.items() if not fast}
    return tuple(precision for precision in PRECISIONS if precision not in refused), refused


def _parsed(trt: Any, builder: Any, onnx: Path, log: Any) -> Any:
    """The network of an ONNX file, whose shapes must all be fixed."""
    network = builder.create_network()
    parser = trt.OnnxParser(network, log)
    if not parser.parse(onnx.read_bytes()):
        found = [str(parser.get_error(number)) for number in range(parser.num_errors)]
        raise _failed(f"could not read the network: {'; '.join(found) or _words(log)}")
    given = [network.get_input(number) for number in range(network.num_inputs)]
    if len(given) != 1 or -1 in tuple(given[0].shape):
        shapes = ", ".join(f"{tensor.name} {tuple(tensor.shape)}" for tensor in given)
        raise _failed(f"wants one input of a fixed shape, the network has {shapes or 'none'}")
    return network


def _config(trt: Any, builder: Any, precision: str) -> Any:
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, WORKSPACE_BYTES)
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    # on by default, and no float32: its mantissa has 10 bits
    config.clear_flag(trt.BuilderFlag.TF32)
    # int8 with float16 beside it: a layer without an int8 kernel would otherwise run in float32
    flags = {FP16: ("FP16",), BF16: ("BF16",), INT8: ("INT8", "FP16")}
    for flag in flags.get(precision, ()):
        config.set_flag(getattr(trt.BuilderFlag, flag))
    return config


def _calibrator(trt: Any, cuda: Any, inputs: Sequence[Array], cache: Path) -> Any:
    """Feeds one input after the other. The cache is written for people to read and never read back: ranges of another
    network would be taken as willingly."""
    import numpy as np

    class Calibrator(trt.IInt8EntropyCalibrator2):  # type: ignore[misc]  # TensorRT is untyped here
        def __init__(self) -> None:
            trt.IInt8EntropyCalibrator2.__init__(self)  # pybind11 wants it called by name
            self._left = iter(inputs)
            self._device = cuda.mem_alloc(inputs[0].nbytes)

        def get_batch_size(self) -> int:
            return 1

        def get_batch(self, names: Sequence[str]) -> list[int] | None:
            tensor = next(self._left, None)
            if tensor is None:
                return None
            cuda.memcpy_htod(self._device, np.ascontiguousarray(tensor))
            return [int(self._device)]

        def read_calibration_cache(self) -> None:
            return None

        def write_calibration_cache(self, ranges: Any) -> None:
            cache.write_bytes(bytes(ranges))

    return Calibrator()


def _log(trt: Any) -> Any:
    """A logger that keeps errors in `lines` and prints nothing."""

    class Log(trt.ILogger):  # type: ignore[misc]  # TensorRT is untyped here
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.lines: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR):
                self.lines.append(message)

    return Log()


def _words(log: Any) -> str:
    return "; ".join(log.lines) or "TensorRT gives no reason"


def _failed(words: str) -> ConversionFailed:
    failed = ConversionFailed(f"TensorRT {words}")
    failed.add_note(f"{UNTRIED[0].upper()}{UNTRIED[1:]}; onnxruntime takes every network that edge exports.")
    return failed


def _unreadable(model: Path, reason: str) -> ModelUnreadable:
    unreadable = ModelUnreadable(f"{model} is not a model TensorRT can open: {reason}")
    unreadable.add_note("The file may be cut short or of another format; make the package again.")
    return unreadable


def _foreign(model: Path, words: str) -> ModelUnreadable:
    foreign = ModelUnreadable(f"{model} {words}")
    foreign.add_note("An engine belongs to the card, the version and the precision it was built for; convert it here.")
    return foreign


if TYPE_CHECKING:
    _fits: Backend = TensorRt()
