"""ncnn on the CPU, converted from ONNX by pnnx. The only file that imports ncnn.

Three files make a model: `model.param` (the layers), `model.bin` (their weights), and `model.tail.json`, which says
what ncnn itself forgets: shapes with the batch, names of the outputs, and what is done after the network.
"""

from __future__ import annotations

import collections
import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy_targets import pnnx
from deploy_targets.base import BF16, FP16, FP32, INT8, PRECISIONS, Array, Backend, Outputs, Session, Source, Status
from deploy_targets.errors import ConversionFailed, DeployError, EngineMissing, ModelUnreadable, PlacementRefused
from deploy_targets.memory import keep_freed
from deploy_targets.tail import Tail, split

MAGIC = "7767517"  # first line of every ncnn param file
LOG_FILE = "pnnx.log"
TRIAL_S = 120
DEVICE = "CPU"

_INT8 = "the ncnn package brings no quantizer (ncnn2table, ncnn2int8), and pnnx makes no int8"
_FP16 = "ncnn computes convolutions in fp16 on ARM processors with asimdhp only; here it would go on in fp32"
_BF16 = "this processor has no bf16 instructions; ncnn would convert back and forth around fp32"
# every switch of ncnn's options that may take a layer out of fp32, by the precision that it belongs to
_SWITCHES = {
    FP16: ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic"),
    BF16: ("use_bf16_packed", "use_bf16_storage"),
    INT8: ("use_int8_packed", "use_int8_storage", "use_int8_arithmetic", "use_int8_inference"),
}


class Ncnn:
    name = "ncnn"
    source: Source = "onnx"

    def status(self) -> Status:
        if importlib.util.find_spec("ncnn") is None:
            return Status(False, "", (), "pip install ncnn")
        try:
            import ncnn

            refused = _refused(ncnn)
        except Exception as error:  # a broken installation may raise anything while it loads its libraries
            return Status(False, "", (), f"ncnn is installed but cannot be loaded ({error}); install it again")
        native = tuple(precision for precision in PRECISIONS if precision not in refused)
        return Status(True, ncnn.__version__, (DEVICE,), precisions=native, refused=refused)

    def convert(self, source: Path, folder: Path, *, precision: str = FP32, calibration: Sequence[Array] = ()) -> Path:
        ncnn, program = _runtime(), pnnx.converter()
        refused = _why_not(ncnn, precision)
        if refused is not None:
            failed = ConversionFailed(f"ncnn does not do {precision} here: {refused}")
            failed.add_note("Ask for another precision, or another engine.")
            raise failed
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="pnnx-", dir=folder) as scratch:
            head, tail = split(source, Path(scratch))
            network = pnnx.prepared(head)
            made = pnnx.convert(program, network, Path(scratch), folder / LOG_FILE)
            _refuse_unknown_layers(ncnn, made)
            layout = _layout(network, tail, made)
            made.with_name("model.tail.json").write_text(json.dumps(layout.to_json(), indent=1), encoding="utf-8")
            _try_out(made, precision)
            for file in reversed(self.files(made)):  # the main file last: where it is, the others are
                file.replace(folder / file.name)
        return folder / "model.param"

    def files(self, model: Path) -> tuple[Path, ...]:
        return model, model.with_suffix(".bin"), model.with_suffix(".tail.json")

    def open(self, model: Path, *, threads: int, precision: str = FP32) -> Session:
        ncnn = _runtime()
        refused = _why_not(ncnn, precision)
        if refused is not None:
            lacking = PlacementRefused(f"ncnn does not do {precision} here: {refused}")
            lacking.add_note("Make the package again on this machine, or ask for fp32.")
            raise lacking
        layout = _checked(model)
        keep_freed()
        net = ncnn.Net()
        net.opt.use_vulkan_compute = False
        net.opt.num_threads = threads
        for owner, switches in _SWITCHES.items():
            for switch in switches:
                setattr(net.opt, switch, owner == precision)
        if net.load_param(str(model)) != 0 or net.load_model(str(model.with_suffix(".bin"))) != 0:
            raise _unreadable(model, "ncnn refused it, its words are on stderr")
        if net.vulkan_device() is not None:
            raise PlacementRefused("asked for the CPU, ncnn took a Vulkan device")
        if set(net.input_names()) != {layout.input} or set(net.output_names()) != set(layout.blobs):
            raise _unreadable(model, "its inputs and outputs are not those of its tail.json")
        return _OpenedModel(ncnn, net, layout, threads, precision)


@dataclass(frozen=True)
class _Layout:
    """What ncnn's own files don't say. Sizes of those files are kept because ncnn crashes on weights cut short."""

    input: str  # ncnn's name of it
    shape: tuple[int, ...]
    blobs: tuple[str, ...]  # ncnn's names of the outputs
    names: tuple[str, ...]  # ONNX's names of the same
    shapes: tuple[tuple[int, ...], ...]
    param_bytes: int
    bin_bytes: int
    tail: Tail | None

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(dataclasses.replace(self, tail=None)) | {
            "tail": self.tail.to_json() if self.tail else None
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> _Layout:
        return cls(
            input=str(document["input"]),
            shape=tuple(document["shape"]),
            blobs=tuple(document["blobs"]),
            names=tuple(document["names"]),
            shapes=tuple(tuple(shape) for shape in document["shapes"]),
            param_bytes=int(document["param_bytes"]),
            bin_bytes=int(document["bin_bytes"]),
            tail=Tail.from_json(document["tail"]) if document["tail"] else None,
        )


class _OpenedModel:
    input_memory: Array | None = None

    def __init__(self, ncnn: Any, net: Any, layout: _Layout, threads: int, precision: str) -> None:
        self._ncnn = ncnn
        self._net = net
        self._layout = layout
        self._threads = threads
        self._precision = precision

    def run(self, tensor: Array) -> Outputs:
        import numpy as np

        found = self._execute(self._image(tensor))
        outputs = {
            # a view where planes lie without gaps: the array keeps its Mat alive, and the next run makes another
            name: np.asarray(mat, dtype=np.float32).reshape(shape)
            for name, shape, mat in zip(self._layout.names, self._layout.shapes, found, strict=True)
        }
        return self._layout.tail.apply(outputs) if self._layout.tail else outputs

    def bound(self, tensor: Array) -> Callable[[], Any]:
        image = self._image(tensor)
        return lambda: self._execute(image)

    def placement(self) -> dict[str, Any]:
        import numpy as np

        self._execute(self._image(np.zeros(self._layout.shape, np.float32)))
        device = self._net.vulkan_device()
        if device is not None or self._net.opt.use_vulkan_compute:
            raise PlacementRefused("asked for the CPU, ncnn runs layers on a Vulkan device")
        layers = self._net.layers()
        reduced = self._reduced(layers)
        if self._precision != FP32 and not reduced:
            raise PlacementRefused(f"asked for {self._precision}, no layer of this model takes it in ncnn")
        return {
            "engine": "ncnn",
            "version": self._ncnn.__version__,
            "device": DEVICE,
            "threads": self._net.opt.num_threads,
            "precision": self._precision,
            "memory": keep_freed(),
            # without a Vulkan device a net has no other place for a layer than the CPU
            "nodes": {DEVICE: len(layers)},
            "layers": dict(collections.Counter(layer.type for layer in layers)),
            "reduced_layers": reduced,
            "vulkan": False,
        }

    def _reduced(self, layers: Sequence[Any]) -> int:
        """How many layers take the reduced precision; the others of the net stay in fp32."""
        kinds = {FP16: "support_fp16_storage", BF16: "support_bf16_storage"}
        kind = kinds.get(self._precision)
        return sum(bool(getattr(layer, kind)) for layer in layers) if kind else 0

    def _image(self, tensor: Array) -> Any:
        import numpy as np

        if tuple(tensor.shape) != self._layout.shape:
            raise ValueError(f"the model takes an input of {self._layout.shape}, this one is {tuple(tensor.shape)}")
        # a copy of ncnn's own: aligned planes, and no array of the caller's to keep alive
        return self._ncnn.Mat(np.ascontiguousarray(tensor[0], dtype=np.float32)).clone()

    def _execute(self, image: Any) -> list[Any]:
        """Run the whole net; an extractor answers once, so each run has its own."""
        extractor = self._net.create_extractor()
        if extractor.input(self._layout.input, image) != 0:
            raise RuntimeError(f"ncnn does not take the input {self._layout.input}")
        found = []
        for blob, shape in zip(self._layout.blobs, self._layout.shapes, strict=True):
            code, mat = extractor.extract(blob)
            if code != 0:
                raise RuntimeError(f"ncnn could not compute the output {blob} (code {code})")
            if _essential(_shape_of(mat)) != _essential(shape):
                raise RuntimeError(f"ncnn gives the output {blob} as {_shape_of(mat)}, it should be {shape}")
            found.append(mat)
        return found


def _shape_of(mat: Any) -> tuple[int, ...]:
    return tuple((mat.c, mat.d, mat.h, mat.w)[4 - mat.dims :] if mat.dims != 3 else (mat.c, mat.h, mat.w))


def _essential(shape: Sequence[int]) -> tuple[int, ...]:
    """A shape without its ones: ncnn drops the batch, and pnnx drops some more."""
    return tuple(length for length in shape if length != 1)


def _runtime() -> Any:
    try:
        import ncnn
    except ImportError as error:
        missing = EngineMissing("ncnn is not installed")
        missing.add_note("pip install ncnn")
        raise missing from error
    return ncnn


def _why_not(ncnn: Any, precision: str) -> str | None:
    if precision not in PRECISIONS:
        return f"the precisions are {', '.join(PRECISIONS)}"
    return _refused(ncnn).get(precision)


def _refused(ncnn: Any) -> dict[str, str]:
    """The precisions that this machine does not execute natively under ncnn, each with the reason."""
    refused = {INT8: _INT8}
    if not ncnn.create_layer("Convolution").support_fp16_storage:
        refused[FP16] = _FP16
    if not (ncnn.create_layer("Convolution").support_bf16_storage and _has_bf16()):
        refused[BF16] = _BF16
    return refused


def _has_bf16() -> bool:
    """Whether the processor multiplies bf16, by the names that Linux gives on x86 and on ARM."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False  # no Linux: not known to be there, so not claimed
    words = {word for line in lines if line.startswith(("flags", "Features")) for word in line.split()}
    return bool(words & {"avx512_bf16", "bf16"})


def _layers(param: str) -> list[str]:
    """The lines of a param file that hold a layer each.

    Raises:
        ValueError: it is none, or cut short.
    """
    lines = param.splitlines()
    if not lines or lines[0].strip() != MAGIC:
        raise ValueError(f"it does not begin with {MAGIC}")
    layers = [line for line in lines[2:] if line.strip()]
    if len(lines) < 2 or lines[1].split()[:1] != [str(len(layers))]:
        raise ValueError("it does not hold the number of layers that it names")
    return layers


def _refuse_unknown_layers(ncnn: Any, param: Path) -> None:
    """pnnx writes what it cannot translate as a layer that ncnn does not have."""
    try:
        names = {line.split()[0] for line in _layers(param.read_text(encoding="utf-8"))}
    except ValueError as error:
        raise ConversionFailed(f"what pnnx wrote is no ncnn model: {error}") from error
    unknown = sorted(name for name in names if ncnn.layer_to_index(name) < 0)
    if unknown:
        failed = ConversionFailed(f"ncnn has no layers for these operators of the model: {', '.join(unknown)}")
        failed.add_note("Take another engine, or a model without them.")
        raise failed


def _layout(network: Any, tail: Tail | None, param: Path) -> _Layout:
    """pnnx names inputs in0, in1 and outputs out0, out1 in the order of the ONNX file."""
    outputs = network.graph.output
    return _Layout(
        input="in0",
        shape=pnnx.dims(network.graph.input[0]),
        blobs=tuple(f"out{number}" for number in range(len(outputs))),
        names=tuple(output.name for output in outputs),
        shapes=tuple(pnnx.dims(output) for output in outputs),
        param_bytes=param.stat().st_size,
        bin_bytes=param.with_suffix(".bin").stat().st_size,
        tail=tail,
    )


def _try_out(model: Path, precision: str) -> None:
    """Load and run a converted model once in a child: ncnn crashes on some models where others raise."""
    command = [sys.executable, "-P", "-m", "deploy_targets.ncnn", str(model), precision]
    # -P leaves the current folder out, so that a checkout that is not installed must be named
    home = os.pathsep.join(filter(None, [str(Path(__file__).resolve().parent.parent), os.environ.get("PYTHONPATH")]))
    here = {**os.environ, "PYTHONPATH": home}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TRIAL_S, check=False, env=here)
    except subprocess.TimeoutExpired as error:
        slow = ConversionFailed(f"the converted model did not answer once in {TRIAL_S} s")
        slow.add_note("Take a smaller model or input, or another engine.")
        raise slow from error
    if done.returncode != 0:
        failed = ConversionFailed(f"ncnn cannot run the converted model ({pnnx.ended(done.returncode)})")
        failed.add_note(f"Its last words: {' / '.join(done.stderr.strip().splitlines()[-3:]) or 'none'}")
        raise failed


def _checked(model: Path) -> _Layout:
    """The layout of a model whose files are whole.

    Weights changed inside are not noticed here; the package's manifest holds their checksums.
    """
    bin_file, tail_file = model.with_suffix(".bin"), model.with_suffix(".tail.json")
    try:
        _layers(model.read_text(encoding="utf-8"))
        layout = _Layout.from_json(json.loads(tail_file.read_text(encoding="utf-8")))
        sizes = model.stat().st_size, bin_file.stat().st_size
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(model, str(error)) from error
    if sizes != (layout.param_bytes, layout.bin_bytes):
        raise _unreadable(model, f"{model.name} and {bin_file.name} have not the size they were made with")
    return layout


def _unreadable(model: Path, reason: str) -> ModelUnreadable:
    unreadable = ModelUnreadable(f"{model} is not a model ncnn can open: {reason}")
    unreadable.add_note("The file may be cut short or of another format; make the package again.")
    return unreadable


def _trial(model: Path, precision: str) -> int:
    """Entry of the child that `_try_out` starts."""
    import numpy as np

    try:
        session = Ncnn().open(model, threads=1, precision=precision)
        layout = _checked(model)
        session.run(np.full(layout.shape, 0.5, np.float32))
    except (DeployError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if TYPE_CHECKING:
    _fits: Backend = Ncnn()

if __name__ == "__main__":
    raise SystemExit(_trial(Path(sys.argv[1]), sys.argv[2]))
