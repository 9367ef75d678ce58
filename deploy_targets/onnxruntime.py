"""ONNX Runtime on the CPU. The only file that imports onnxruntime and its quantizer."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import platform
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy_targets.base import BF16, FP16, FP32, INT8, Array, Backend, Outputs, Session, Source, Status
from deploy_targets.errors import ConversionFailed, EngineMissing, ModelUnreadable, PlacementRefused
from deploy_targets.quantization import behind_the_last, proven, require_convertible

PROVIDER = "CPUExecutionProvider"
QUANTIZED_FILE = "model-int8.onnx"
INSTALL = "pip install onnxruntime"

_HEAVY = ("Conv", "ConvTranspose", "MatMul", "Gemm")
# with these in int8 too, values need not turn float between two convolutions: RTMDet-tiny 13 ms, without them 20 ms
_BETWEEN = (
    *("Add", "Mul", "Sigmoid", "HardSigmoid", "Concat", "MaxPool", "AveragePool", "GlobalAveragePool"),
    *("Resize", "Clip", "Relu", "LeakyRelu"),
)
_DECIDING = ("NonMaxSuppression", "TopK", "ArgMax")
_EXECUTED_INT8 = ("QLinearConv", "QLinearMatMul", "QGemm", "ConvInteger", "MatMulInteger", "MatMulIntegerToFloat")
_EXECUTED_FLOAT = (*_HEAVY, "FusedConv", "FusedMatMul", "FusedGemm", "NhwcFusedConv")

_NO_KERNELS = {
    FP16: "its CPU provider casts float16 convolutions to float32, so nothing is gained",
    BF16: "its CPU provider has no bfloat16 convolutions",
}


class OnnxRuntime:
    name = "onnxruntime"
    source: Source = "onnx"

    def status(self) -> Status:
        if importlib.util.find_spec("onnxruntime") is None:
            return Status(False, "", (), INSTALL)
        try:
            import onnxruntime
        except Exception as error:  # a broken installation may raise anything while it loads its libraries
            return Status(False, "", (), f"onnxruntime is installed but cannot be loaded ({error}); install it again")
        refused = dict(_NO_KERNELS)
        if importlib.util.find_spec("onnx") is None:
            refused[INT8] = "onnx, which its quantizer needs, is not installed: pip install onnx"
        precisions = tuple(precision for precision in (FP32, INT8) if precision not in refused)
        devices = tuple(onnxruntime.get_available_providers())
        return Status(True, onnxruntime.__version__, devices, precisions=precisions, refused=refused)

    def convert(self, source: Path, folder: Path, *, precision: str = FP32, calibration: Sequence[Array] = ()) -> Path:
        _load()
        require_convertible(self.name, precision, self.status(), calibration)
        if precision == FP32:
            return source
        folder.mkdir(parents=True, exist_ok=True)
        try:
            _quantize(source, folder / QUANTIZED_FILE, calibration)
        except Exception as error:  # onnxruntime and onnx raise their own classes, without a common base
            failed = ConversionFailed(f"ONNX Runtime could not quantize {source}: {error}")
            failed.add_note("Take another precision or engine for this model.")
            raise failed from error
        return folder / QUANTIZED_FILE

    def files(self, model: Path) -> tuple[Path, ...]:
        return (model,)

    def open(self, model: Path, *, threads: int, precision: str = FP32) -> Session:
        if precision not in (FP32, INT8):
            reason = _NO_KERNELS.get(precision, "it knows no such precision")
            lacking = PlacementRefused(f"ONNX Runtime executes no {precision} here: {reason}")
            lacking.add_note("Ask for fp32 or int8, or another engine.")
            raise lacking
        return _OpenedModel(model, threads, precision)


def _load() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        missing = EngineMissing("ONNX Runtime is not installed")
        missing.add_note(INSTALL)
        raise missing from error
    return onnxruntime


def _quantize(source: Path, target: Path, calibration: Sequence[Array]) -> None:
    """The model with int8 weights per channel and activations whose ranges are the extremes over the inputs."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with (
        tempfile.TemporaryDirectory(prefix="edge-quantize-") as scratch,
        warnings.catch_warnings(),
        contextlib.redirect_stdout(None),
    ):
        warnings.simplefilter("ignore")  # remarks on ops that are left float
        prepared = Path(scratch) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        model = onnx.load(str(prepared))
        for number, node in enumerate(model.graph.node):
            node.name = node.name or f"node {number}"  # what stays float is told by name
        quantize_static(
            model,
            str(target),
            _Calibration(model.graph.input[0].name, calibration),
            op_types_to_quantize=[*_HEAVY, *_BETWEEN],
            nodes_to_exclude=sorted(_float_nodes(model.graph)),
            per_channel=True,
            # unsigned activations: for signed ones most kernels of x86 are missing, and the convolutions run in float
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            reduce_range=_saturates(),
        )


class _Calibration:
    """What onnxruntime.quantization reads as a CalibrationDataReader."""

    def __init__(self, name: str, tensors: Sequence[Array]) -> None:
        self._left = iter([{name: tensor} for tensor in tensors])

    def get_next(self) -> dict[str, Array] | None:
        return next(self._left, None)


def _float_nodes(graph: Any) -> frozenset[str]:
    """What is behind the last convolutions, and those as well: in int8 here their answers would have 256 values."""
    nodes = {node.name: node for node in graph.node}
    makers = {output: node.name for node in graph.node for output in node.output}
    ends = [makers[output.name] for output in graph.output if output.name in makers]
    ends += [name for name, node in nodes.items() if node.op_type in _DECIDING]

    def above(name: str) -> list[str]:
        return [makers[given] for given in nodes[name].input if given in makers]

    behind = behind_the_last(ends, above, lambda name: nodes[name].op_type in _HEAVY)
    return behind.union(*map(above, behind), ends)


def _saturates() -> bool:
    """Whether products of 8 bits are added up in 16, which overflows if weights use all 8: x86 without VNNI."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return False
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    return not {"avx512_vnni", "avx_vnni"} & set(flags)


class _OpenedModel:
    input_memory: Array | None = None

    def __init__(self, path: Path, threads: int, precision: str) -> None:
        self._path, self._threads, self._precision = path, threads, precision
        self._session = self._open(None)
        self._input = self._session.get_inputs()[0].name
        self._outputs = [output.name for output in self._session.get_outputs()]

    def _open(self, profiles: str | None) -> Any:
        """A session; with `profiles`, a prefix of file names, one that writes down what it executes."""
        onnxruntime = _load()
        onnxruntime.set_default_logger_severity(3)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        if profiles is not None:
            options.enable_profiling = True
            options.profile_file_prefix = profiles
        try:
            session = onnxruntime.InferenceSession(str(self._path), options, providers=[PROVIDER])
        except Exception as error:  # onnxruntime raises its own classes, without a common base
            unreadable = ModelUnreadable(f"{self._path} is not a model ONNX Runtime can open: {error}")
            unreadable.add_note("The file may be cut short or of another format; make the package again.")
            raise unreadable from error
        if session.get_providers() != [PROVIDER]:
            raise PlacementRefused(f"asked for {PROVIDER}, ONNX Runtime uses {session.get_providers()}")
        return session

    def run(self, tensor: Array) -> Outputs:
        return dict(zip(self._outputs, self._session.run(None, {self._input: tensor}), strict=True))

    def bound(self, tensor: Array) -> Callable[[], Any]:
        binding = self._session.io_binding()
        binding.bind_cpu_input(self._input, tensor)
        for name in self._outputs:
            binding.bind_output(name)
        run = self._session.run_with_iobinding
        return lambda: run(binding)

    def placement(self) -> dict[str, Any]:
        executed = self._executed()
        providers = Counter(node["provider"] for node in executed)
        if set(providers) != {PROVIDER}:
            raise PlacementRefused(f"asked for {PROVIDER}, ONNX Runtime executed its nodes on {dict(providers)}")
        arithmetic = Counter(filter(None, map(_arithmetic, executed)))
        return {
            "engine": OnnxRuntime.name,
            "version": _load().__version__,
            "device": PROVIDER,
            "threads": self._threads,
            "precision": proven("ONNX Runtime", self._precision, arithmetic),
            "arithmetic": dict(arithmetic),
            "nodes": dict(providers),
        }

    def _executed(self) -> list[dict[str, Any]]:
        """The runtime's own record of each node that one run executed."""
        import numpy

        with tempfile.TemporaryDirectory(prefix="edge-placement-") as scratch:
            session = self._open(str(Path(scratch) / "profile"))
            # a free batch size is the only size that may be open, and one image is what is run
            shape = [side if isinstance(side, int) else 1 for side in session.get_inputs()[0].shape]
            session.run(None, {self._input: numpy.zeros(shape, numpy.float32)})
            events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
        return [event["args"] for event in events if event["cat"] == "Node" and event["name"].endswith("_kernel_time")]


def _arithmetic(node: dict[str, Any]) -> str | None:
    """The precision of a convolution or matrix product, None for anything else."""
    if node["op_name"] in _EXECUTED_INT8:
        return INT8
    if node["op_name"] not in _EXECUTED_FLOAT:
        return None
    kinds = list(node["input_type_shape"][0])
    return FP32 if kinds == ["float"] else ", ".join(kinds)


if TYPE_CHECKING:
    _fits: Backend = OnnxRuntime()
