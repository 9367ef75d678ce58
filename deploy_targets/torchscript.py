"""TorchScript on the CPU, run by torch itself. The only file that knows how such a file is laid out.

A model is one file with the names of its outputs inside, written by `write_named`; it loads with torch alone.
The number of threads is torch's own and so of the whole process: the session opened last sets it for all.
CUDA is not used, also where torch has it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy_targets.base import BF16, FP16, FP32, INT8, Array, Backend, Outputs, Session, Source, Status
from deploy_targets.errors import ConversionFailed, EngineMissing, ModelUnreadable, PlacementRefused
from deploy_targets.memory import keep_freed
from deploy_targets.quantization import proven

MODEL_FILE = "model.pt"
FACTS_FILE = "facts.json"  # inside the model file, beside torch's own records
DEVICE = "cpu"
SETTLING_RUNS = 2  # torch's executor watches the first run and rebuilds the graph in the second
INSTALL = "pip install torch"

# Operators that oneDNN computes in half precision, and their inputs that must be of one type.
_HEAVY: dict[str, tuple[int, ...]] = {
    "aten::_convolution": (0, 1, 2),
    "aten::conv2d": (0, 1, 2),
    "aten::conv_transpose2d": (0, 1, 2),
    "aten::linear": (0, 1, 2),
    "aten::addmm": (0, 1, 2),
    "aten::baddbmm": (0, 1, 2),
    "aten::matmul": (0, 1),
    "aten::bmm": (0, 1),
}
_CONVOLUTIONS = ("aten::_convolution", "aten::conv2d", "aten::conv_transpose2d")
# what the dispatcher sees at inference: the same, and what some of them are made of
_DISPATCHED_HEAVY = frozenset(name.removeprefix("aten::") for name in _HEAVY) | {
    *("convolution", "mm", "scaled_dot_product_attention", "_scaled_dot_product_flash_attention_for_cpu")
}
_TYPES = {"float32": FP32, "float16": FP16, "bfloat16": BF16}

_NO_FP16 = (
    "no float16 matrix instructions (AMX-FP16) here; with AVX512-FP16 alone torch's float16 convolutions took 1.4 to"
    " 1.6 times as long as float32"
)
_NO_BF16 = "this processor has no bfloat16 instructions (AVX512-BF16, AMX) that torch knows of"
_NO_INT8 = (
    "torch quantizes TorchScript files only by a pass that it has announced to remove, and that refuses detectors and"
    " other networks which use one module in two places"
)


@dataclass(frozen=True)
class _Facts:
    """What a TorchScript file itself does not say."""

    outputs: tuple[str, ...]
    input: tuple[int, ...]  # shape
    precision: str = FP32


def write_named(module: Any, outputs: Sequence[str], shape: Sequence[int], path: Path, precision: str = FP32) -> None:
    """Save a TorchScript module that takes one tensor of that shape and gives a tensor per name, in that order."""
    import torch

    facts = _Facts(tuple(outputs), tuple(shape), precision)
    with undeprecated():
        torch.jit.save(module, str(path), _extra_files={FACTS_FILE: json.dumps(asdict(facts))})


@contextlib.contextmanager
def undeprecated() -> Iterator[None]:
    """torch calls all of TorchScript deprecated since 2.5; the file is what was asked for, so nobody needs to hear."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.", category=DeprecationWarning)
        # said once per process, when a traced detector first runs
        warnings.filterwarnings("ignore", message=r"torch\.meshgrid: in an upcoming release", category=UserWarning)
        yield


class TorchScript:
    name = "torchscript"
    source: Source = "torchscript"

    def status(self) -> Status:
        if importlib.util.find_spec("torch") is None:
            return Status(False, "", (), INSTALL)
        try:
            import torch

            precisions, refused = _precisions()
        except Exception as error:  # a broken installation may raise anything while it loads its libraries
            return Status(False, "", (), f"torch is installed but cannot be loaded ({error}); install it again")
        return Status(True, torch.__version__, (DEVICE,), "", precisions, refused)

    def convert(self, source: Path, folder: Path, *, precision: str = FP32, calibration: Sequence[Array] = ()) -> Path:
        """Freeze: weights become constants, BatchNorm joins the convolutions, weights lie in channels-last order.

        Not `optimize_for_inference`: of six networks it made none faster on one thread, and one 1.3 times slower;
        channels last made all six faster, 1.1 to 1.4 times.
        """
        torch = _torch()
        precisions, refused = _precisions()
        if precision not in precisions:
            reason = refused.get(precision, f"there is no precision {precision!r}")
            failed = ConversionFailed(f"TorchScript cannot make {precision}: {reason}")
            failed.add_note(f"Ask for one of: {', '.join(precisions)}.")
            raise failed
        folder.mkdir(parents=True, exist_ok=True)
        model = folder / MODEL_FILE
        try:
            with undeprecated(), torch.inference_mode(False), torch.no_grad():
                module, facts = _load(source)
                frozen = torch.jit.freeze(module.eval())
                _rewrite(frozen.graph, precision)
                frozen(torch.zeros(facts.input))
            write_named(frozen, facts.outputs, facts.input, model, precision)
        except (RuntimeError, ValueError, OSError) as error:
            failed = ConversionFailed(f"torch could not convert {source} to {precision}: {error}")
            failed.add_note("Convert a file that deploy_targets.mmdeploy.export_torchscript wrote.")
            raise failed from error
        return model

    def files(self, model: Path) -> tuple[Path, ...]:
        return (model,)

    def open(self, model: Path, *, threads: int, precision: str = FP32) -> Session:
        torch = _torch()
        precisions, refused = _precisions()
        if precision not in precisions:
            lacking = PlacementRefused(f"TorchScript executes no {precision} here: {refused.get(precision, 'no such')}")
            lacking.add_note("Make the package again on this machine, or ask for fp32.")
            raise lacking
        torch.set_num_threads(threads)
        keep_freed()
        try:
            with undeprecated(), torch.inference_mode():
                module, facts = _load(model)
                for _ in range(SETTLING_RUNS):
                    module(_tensor(torch.zeros(facts.input).numpy()))
        except (RuntimeError, ValueError, OSError) as error:
            unreadable = ModelUnreadable(f"{model} is not a model TorchScript can open: {error}")
            unreadable.add_note("The file may be cut short or of another format; make the package again.")
            raise unreadable from error
        if facts.precision != precision:
            other = ModelUnreadable(f"{model} was converted to {facts.precision} and cannot run in {precision}")
            other.add_note(f"Convert it to {precision}, or open it as {facts.precision}.")
            raise other
        return _OpenedModel(module, facts)


class _OpenedModel:
    input_memory: Array | None = None

    def __init__(self, module: Any, facts: _Facts) -> None:
        self._module = module
        self._facts = facts

    def run(self, tensor: Array) -> Outputs:
        return dict(zip(self._facts.outputs, map(_array, self._answers(_tensor(tensor))), strict=True))

    def bound(self, tensor: Array) -> Callable[[], Any]:
        import torch

        module, given = self._module, _tensor(tensor)

        def call() -> Any:
            with torch.inference_mode():
                return module(given)

        return call

    def placement(self) -> dict[str, Any]:
        import torch

        nodes, arithmetic = _executed(lambda: self._answers(_tensor(torch.zeros(self._facts.input).numpy())))
        held = {str(tensor.device) for tensor in _constants(self._module.graph)}
        elsewhere = sorted((held | set(nodes)) - {DEVICE})
        if elsewhere:
            raise PlacementRefused(f"asked for {DEVICE}, torch has tensors of the model on {', '.join(elsewhere)}")
        return {
            "engine": TorchScript.name,
            "version": torch.__version__,
            "device": DEVICE,
            "threads": torch.get_num_threads(),
            "precision": proven("TorchScript", self._facts.precision, arithmetic),
            "arithmetic": arithmetic,
            "memory": keep_freed(),
            "nodes": nodes,
        }

    def _answers(self, given: Any) -> list[Any]:
        import torch

        with torch.inference_mode():
            answer = self._module(given)
        return [answer] if isinstance(answer, torch.Tensor) else list(answer)


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        missing = EngineMissing("torch is not installed")
        missing.add_note(INSTALL)
        raise missing from error
    return torch


def _precisions() -> tuple[tuple[str, ...], dict[str, str]]:
    """Those that torch and this processor compute natively, and why not the others."""
    import torch

    refused = {INT8: _NO_INT8}
    if not (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()):
        refused[BF16] = _NO_BF16
    if not torch.cpu._is_amx_fp16_supported():
        refused[FP16] = _NO_FP16
    return tuple(precision for precision in (FP32, FP16, BF16) if precision not in refused), refused


def _load(path: Path) -> tuple[Any, _Facts]:
    """Raises RuntimeError, ValueError or OSError for a file that is no TorchScript file, or has no facts in it."""
    import torch

    if not path.is_file():
        raise ValueError("it is not a file")
    extra = {FACTS_FILE: ""}
    module = torch.jit.load(str(path), map_location=DEVICE, _extra_files=extra)
    try:
        document = json.loads(extra[FACTS_FILE])
        return module, _Facts(tuple(document["outputs"]), tuple(document["input"]), document["precision"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"it does not say how its outputs are called ({FACTS_FILE} inside it)") from error


def _rewrite(graph: Any, precision: str) -> None:
    """Bring the weights of a frozen graph into channels-last order and, for half precisions, into that type.

    In half precision the heavy operators' other inputs are cast as well; whatever stands between them takes the type
    it is given, as under torch's autocast, but the weights are cast once and not in every run.
    """
    import torch

    kind = {FP16: torch.float16, BF16: torch.bfloat16}.get(precision)
    for name, places in _HEAVY.items():
        for node in graph.findAllNodes(name, True):
            inputs = list(node.inputs())
            for place in places:
                value = _weight(inputs[place])
                with graph.insert_point_guard(node):
                    if value is not None:
                        order = torch.channels_last if name in _CONVOLUTIONS and value.dim() == 4 else None
                        value = value.to(kind or value.dtype, memory_format=order or torch.preserve_format)
                        node.replaceInput(place, graph.insertConstant(value))
                    elif kind is not None and inputs[place].node().kind() != "prim::Constant":
                        node.replaceInput(place, _cast(graph, inputs[place], kind))
    torch._C._jit_pass_dce(graph)


def _weight(value: Any) -> Any:
    """The floating-point tensor that a constant of the graph holds, None for anything else."""
    node = value.node()
    if node.kind() != "prim::Constant" or not node.hasAttribute("value") or node.kindOf("value") != "t":
        return None
    tensor = node.t("value")
    return tensor if tensor.is_floating_point() else None


def _cast(graph: Any, value: Any, kind: Any) -> Any:
    false, none = graph.insertConstant(False), graph.insertConstant(None)
    cast = graph.create("aten::to", [value, graph.insertConstant(kind), false, false, none], 1)
    cast.output().setType(value.type())
    return graph.insertNode(cast).output()


def _constants(graph: Any) -> list[Any]:
    """All tensors that a frozen graph holds; it has no parameters besides."""
    nodes = graph.findAllNodes("prim::Constant", True)
    return [node.t("value") for node in nodes if node.hasAttribute("value") and node.kindOf("value") == "t"]


def _executed(call: Callable[[], Any]) -> tuple[dict[str, int], dict[str, int]]:
    """How many operators ran by the device that their result is on, and how many convolutions and matrix products by
    the precision of their inputs, as torch's dispatcher saw them."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    devices: Counter[str] = Counter()
    arithmetic: Counter[str] = Counter()

    class Seen(TorchDispatchMode):  # type: ignore[misc]  # torch is untyped here
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            devices.update({str(leaf.device) for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)})
            if func.overloadpacket.__name__ in _DISPATCHED_HEAVY:
                name = str(args[0].dtype).removeprefix("torch.")
                arithmetic[_TYPES.get(name, name)] += 1
            return result

    with Seen():
        call()
    return dict(devices), dict(arithmetic)


def _tensor(array: Array) -> Any:
    import torch

    whole = array if array.flags.writeable else array.copy()  # torch shares memory, and warns if it may not write
    return torch.from_numpy(whole).contiguous(memory_format=torch.channels_last)


def _array(tensor: Any) -> Array:
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()


if TYPE_CHECKING:
    _fits: Backend = TorchScript()
