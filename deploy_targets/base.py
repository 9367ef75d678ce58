"""The two small protocols every inference engine fits, and the words for precision."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

Array = Any  # numpy.ndarray; numpy itself loads only where arrays are made
Outputs = Mapping[str, Array]

FP32, FP16, BF16, INT8 = "fp32", "fp16", "bf16", "int8"
PRECISIONS = (FP32, FP16, BF16, INT8)

Source = Literal["onnx", "torchscript"]


@dataclass(frozen=True)
class Status:
    """What an engine says of itself on this machine.

    `precisions` are those that it and this machine execute natively; `refused` gives the reason for each other one.
    """

    available: bool
    version: str
    devices: tuple[str, ...]
    hint: str = ""
    precisions: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)


class Session(Protocol):
    """One opened model. Inputs are float32 arrays of shape (1, 3, H, W), whatever the precision inside.

    `input_memory` is where the engine itself reads its input, None where it has no such place: an input that is written
    there and given to `run` is not copied again.
    """

    input_memory: Array | None

    def run(self, tensor: Array) -> Outputs:
        """Answer one input: output name -> array. Includes the transfer of the input and of the outputs."""
        ...

    def bound(self, tensor: Array) -> Callable[[], Any]:
        """A call that only executes, with the input already where the device reads it (scope `device`)."""
        ...

    def placement(self) -> dict[str, Any]:
        """Proof of what executes: engine, version, device, threads, precision, and `nodes`.

        `nodes` counts the executed nodes per device or provider as the runtime itself reports them after a run, not
        as they were asked for. May open the model once more, so it is for measuring and verifying, not for serving.

        Raises:
            PlacementRefused: a node runs elsewhere than on the device asked for.
        """
        ...


class Backend(Protocol):
    """One inference engine."""

    name: str
    source: Source
    """What `convert` starts from: MMDeploy's ONNX file, or its TorchScript file."""

    def status(self) -> Status:
        """Whether it can run here, and in which precisions; never raises."""
        ...

    def convert(self, source: Path, folder: Path, *, precision: str = FP32, calibration: Sequence[Array] = ()) -> Path:
        """Bring MMDeploy's export into the engine's own form in `folder`; returns the main file.

        Args:
            calibration: inputs (1, 3, H, W) that int8 takes its ranges from; no other precision looks at them.

        Raises:
            ConversionFailed: the engine's converter refused the model, or cannot make this precision.
            EngineMissing: the converter is not installed.
        """
        ...

    def files(self, model: Path) -> tuple[Path, ...]:
        """All files that make up a converted model, the main file first."""
        ...

    def open(self, model: Path, *, threads: int, precision: str = FP32) -> Session:
        """Load a model for single-image inference with a stated number of threads.

        Raises:
            EngineMissing: the runtime is not installed.
            ModelUnreadable: the file is broken or of another format.
            PlacementRefused: the runtime would not use the device asked for.
        """
        ...
