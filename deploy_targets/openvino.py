"""OpenVINO on the CPU. The only file that imports openvino and its quantizer, nncf; neither reports its use anywhere.

One IR (model.xml with model.bin) serves fp32 and bf16: what executes is decided when it is opened. int8 is another
graph, made by NNCF.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy_targets.base import BF16, FP16, FP32, INT8, PRECISIONS, Array, Backend, Outputs, Session, Source, Status
from deploy_targets.errors import ConversionFailed, EngineMissing, ModelUnreadable, PlacementRefused
from deploy_targets.quantization import behind_the_last, proven, require_convertible

DEVICE = "CPU"
MODEL_FILE = "model.xml"
INSTALL = "pip install openvino"

# int8 is in the graph; its other nodes are computed in 32 bits: bf16 for them gained nothing measurable
_HINTS = {FP32: "f32", FP16: "f16", BF16: "bf16", INT8: "f32"}
_CONVOLUTIONS = frozenset(
    ("Convolution", "GroupConvolution", "ConvolutionBackpropData", "GroupConvolutionBackpropData")
)
_HEAVY = _CONVOLUTIONS | {"MatMul"}
# what the CPU plugin makes of those, its names begin so; its words for types, in either case, end the name of the
# code it executed
_EXECUTED_HEAVY = (*sorted(_HEAVY), "FullyConnected", "Deconvolution", "ScaledDotProductAttention")
_EXECUTED_TYPES = {"f32": FP32, "f16": FP16, "bf16": BF16, "i8": INT8, "u8": INT8}
_DECIDING = frozenset(("Result", "NonMaxSuppression", "TopK"))


class OpenVino:
    name = "openvino"
    source: Source = "onnx"

    def status(self) -> Status:
        if importlib.util.find_spec("openvino") is None:
            return Status(False, "", (), INSTALL)
        try:
            openvino = _load()
            core = openvino.Core()
            devices = tuple(core.available_devices)
            if DEVICE not in devices:
                return Status(False, openvino.__version__, devices, "OpenVINO finds no CPU plugin; install it again")
            able = set(core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES"))
            processor = core.get_property(DEVICE, "FULL_DEVICE_NAME")
        except Exception as error:  # a broken installation may raise anything while it loads its libraries
            return Status(False, "", (), f"openvino is installed but cannot be loaded ({error}); install it again")
        refused = {
            precision: f"OpenVINO executes no {precision} on this processor ({processor})"
            for precision in PRECISIONS
            if precision.upper() not in able
        }
        if importlib.util.find_spec("nncf") is None:
            refused.setdefault(INT8, "NNCF, which makes OpenVINO's int8 models, is not installed: pip install nncf")
        precisions = tuple(precision for precision in PRECISIONS if precision not in refused)
        return Status(True, openvino.__version__, devices, precisions=precisions, refused=refused)

    def convert(self, source: Path, folder: Path, *, precision: str = FP32, calibration: Sequence[Array] = ()) -> Path:
        openvino = _load()
        require_convertible(self.name, precision, self.status(), calibration)
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / MODEL_FILE
        try:
            model = openvino.convert_model(str(source))
            _name_outputs(model, source)
            _fix_batch(model)
            if precision == INT8:
                model = _quantized(model, calibration, folder / "quantization.log")
            openvino.save_model(model, str(target), compress_to_fp16=precision == FP16)
        except Exception as error:  # openvino, onnx and nncf raise their own, without a common base
            failed = ConversionFailed(f"OpenVINO could not convert {source} to {precision}: {error}")
            failed.add_note("Take another engine, another precision or another model.")
            raise failed from error
        return target

    def files(self, model: Path) -> tuple[Path, ...]:
        return model, model.with_suffix(".bin")

    def open(self, model: Path, *, threads: int, precision: str = FP32) -> Session:
        if precision not in _HINTS:
            raise PlacementRefused(f"OpenVINO knows no precision {precision!r}, only {', '.join(_HINTS)}")
        return _OpenedModel(model, threads, precision)


def _load() -> Any:
    """The openvino module, kept from reporting its use.

    openvino and nncf send an event over the network when they are imported and at each conversion, unless the package
    that sends is missing; both have an empty stand-in for that case.

    Raises:
        EngineMissing: it is not installed.
    """
    sender = sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # importlib's word for absent
    if sender is not None:  # something imported openvino before
        importlib.import_module("openvino_telemetry.utils.sender").TelemetrySender.send = lambda *_, **__: None
    try:
        import openvino
    except ImportError as error:
        missing = EngineMissing("OpenVINO is not installed")
        missing.add_note(INSTALL)
        raise missing from error
    return openvino


def _name_outputs(model: Any, source: Path) -> None:
    """Each output under its one name in the ONNX file; OpenVINO may add those of nodes it folded."""
    import onnx

    for output, named in zip(model.outputs, onnx.load(str(source), load_external_data=False).graph.output, strict=True):
        output.get_tensor().set_names({named.name})


def _fix_batch(model: Any) -> None:
    """One image at a time, where the file leaves their number open."""
    shape = model.inputs[0].partial_shape
    if shape.rank.is_static and len(shape) and shape[0].is_dynamic:
        shape[0] = 1
        model.reshape(shape)
    if model.inputs[0].partial_shape.is_dynamic:
        raise ValueError(f"the input's shape {shape} is not known; export it with a fixed size")


def _quantized(model: Any, calibration: Sequence[Array], log: Path) -> Any:
    """The model with int8 convolutions and matrix products, ranges from the inputs; what decides at its end is left."""
    with (
        log.open("w", encoding="utf-8") as chatter,
        contextlib.redirect_stdout(chatter),
        contextlib.redirect_stderr(chatter),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # of the libraries that nncf brings along
        import nncf

        for handler in logging.getLogger("nncf").handlers:  # made at the first import, around that day's stdout
            if type(handler) is logging.StreamHandler:  # not those of subclasses, which know where they write
                handler.stream = chatter  # not setStream, which flushes the one before, closed by now
        _widen_biases(model)
        return nncf.quantize(
            model,
            nncf.Dataset(list(calibration)),
            subset_size=len(calibration),
            target_device=nncf.TargetDevice.CPU,
            model_type=nncf.ModelType.TRANSFORMER if _attends(model) else None,
            ignored_scope=nncf.IgnoredScope(names=sorted(_float_nodes(model)), validate=False),
        )


def _widen_biases(model: Any) -> None:
    """Write one number added to all of a convolution's channels, like the 3 of h-swish, once per channel.

    NNCF takes it for the bias, which it corrects channel by channel, and fails on a single number.
    """
    import numpy

    constant = _load().opset13.constant
    for node in model.get_ops():
        if node.get_type_name() != "Add":
            continue
        left, right = (given.get_source_output().get_node() for given in node.inputs())
        for place, added, made in ((0, left, right), (1, right, left)):
            if added.get_type_name() == "Constant" and added.data.size == 1 and made.get_type_name() in _CONVOLUTIONS:
                shape = (1, made.output(0).get_shape()[1], 1, 1)
                wide = constant(numpy.full(shape, added.data.item(), numpy.float32))
                node.input(place).replace_source_output(wide.output(0))


def _attends(model: Any) -> bool:
    """Whether a softmax weighs the rows of a matrix product: attention, whose ranges NNCF treats differently."""
    return any(
        node.get_type_name() == "ScaledDotProductAttention"
        or (node.get_type_name() == "Softmax" and "MatMul" in (reader.get_type_name() for reader in _readers(node)))
        for node in model.get_ops()
    )


def _readers(node: Any) -> Iterable[Any]:
    return (target.get_node() for output in node.outputs() for target in output.get_target_inputs())


def _float_nodes(model: Any) -> Iterable[str]:
    nodes = {node.get_friendly_name(): node for node in model.get_ops()}
    kinds = {name: node.get_type_name() for name, node in nodes.items()}

    def above(name: str) -> list[str]:
        return [given.get_source_output().get_node().get_friendly_name() for given in nodes[name].inputs()]

    ends = [name for name, kind in kinds.items() if kind in _DECIDING]
    found = behind_the_last(ends, above, lambda name: kinds[name] in _HEAVY)
    return (name for name in found if kinds[name] not in ("Constant", "Parameter", "Result"))


class _OpenedModel:
    def __init__(self, path: Path, threads: int, precision: str) -> None:
        self._path, self._threads, self._precision = path, threads, precision
        self._compiled = self._compile(count=False)
        self._names = [output.any_name for output in self._compiled.outputs]
        self._request = self._compiled.create_infer_request()
        # giving the request another tensor each time makes a network of 7 ms 1 % slower, and so do
        # `infer({0: tensor})` and looking for its own again
        self.input_memory = self._request.get_input_tensor().data

    def _compile(self, *, count: bool) -> Any:
        openvino = _load()
        wanted = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": self._threads,
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": _HINTS[self._precision],
            "PERF_COUNT": count,
        }
        try:
            core = openvino.Core()
            compiled = core.compile_model(core.read_model(str(self._path)), DEVICE, wanted)
        except Exception as error:  # openvino raises bare RuntimeError for most, other classes for some
            unreadable = ModelUnreadable(f"{self._path} is not a model OpenVINO can open: {error}")
            unreadable.add_note("The file may be cut short or of another format; make the package again.")
            raise unreadable from error
        devices = compiled.get_property("EXECUTION_DEVICES")
        if devices != [DEVICE]:
            raise PlacementRefused(f"asked for {DEVICE}, OpenVINO uses {devices}")
        hint = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        if hint != _HINTS[self._precision]:
            lacking = PlacementRefused(f"asked for {self._precision}, OpenVINO uses {hint} on this processor")
            lacking.add_note("Make the package again on this machine, or ask for fp32.")
            raise lacking
        return compiled

    def run(self, tensor: Array) -> Outputs:
        import numpy

        if tensor is not self.input_memory:
            if tensor.shape != self.input_memory.shape:
                raise ValueError(f"the model takes an input of {self.input_memory.shape}, this one is {tensor.shape}")
            numpy.copyto(self.input_memory, tensor)
        # copies, which the next run leaves alone, in the order of the outputs
        return dict(zip(self._names, self._request.infer().values(), strict=True))

    def bound(self, tensor: Array) -> Callable[[], Any]:
        openvino = _load()
        request = self._compiled.create_infer_request()
        request.set_input_tensor(openvino.Tensor(tensor, shared_memory=True))

        def execute(kept: Array = tensor) -> None:  # the request holds the memory, not the array that owns it
            request.infer(share_outputs=True)

        return execute

    def placement(self) -> dict[str, Any]:
        import numpy

        counting = self._compile(count=True)
        request = counting.create_infer_request()
        request.infer({0: numpy.zeros(tuple(counting.inputs[0].shape), numpy.float32)})
        executed = [node for node in request.get_profiling_info() if node.status.name == "EXECUTED"]
        heavy = [node for node in executed if node.node_type.startswith(_EXECUTED_HEAVY)]
        words = Counter(node.exec_type.rpartition("_")[2].lower() for node in heavy)
        arithmetic: Counter[str] = Counter()
        for word, count in words.items():
            arithmetic[_EXECUTED_TYPES.get(word, word)] += count
        return {
            "engine": OpenVino.name,
            "version": _load().__version__,
            "device": DEVICE,
            "threads": counting.get_property("INFERENCE_NUM_THREADS"),
            "precision": proven("OpenVINO", self._precision, arithmetic),
            "arithmetic": dict(arithmetic),
            "nodes": {DEVICE: len(executed)},
        }


if TYPE_CHECKING:
    _fits: Backend = OpenVino()
