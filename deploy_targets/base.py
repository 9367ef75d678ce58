"""The two small protocols every inference engine fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

Array = Any  # numpy.ndarray; numpy itself loads only where arrays are made
Outputs = Mapping[str, Array]


@dataclass(frozen=True)
class Status:
    """What an engine says of itself on this machine."""

    available: bool
    version: str
    devices: tuple[str, ...]
    hint: str = ""


class Session(Protocol):
    """One opened model. Inputs are float32 arrays of shape (1, 3, H, W)."""

    def run(self, tensor: Array) -> Outputs:
        """Answer one input: output name -> array. Includes the transfer of the input and of the outputs."""
        ...

    def bound(self, tensor: Array) -> Callable[[], Any]:
        """A call that only executes, with the input already where the device reads it (scope `device`)."""
        ...

    def placement(self) -> dict[str, Any]:
        """The device that really executes, the threads it may use, and the runtime's version."""
        ...


class Backend(Protocol):
    """One inference engine."""

    name: str

    def status(self) -> Status:
        """Whether it can run here; never raises."""
        ...

    def convert(self, onnx: Path, folder: Path) -> Path:
        """Bring MMDeploy's ONNX file into the engine's own form; returns the main file."""
        ...

    def open(self, model: Path, *, threads: int) -> Session:
        """Load a model for single-image inference with a stated number of threads.

        Raises:
            EngineMissing: the runtime is not installed.
            ModelUnreadable: the file is broken or of another format.
            PlacementRefused: the runtime would not use the device asked for.
        """
        ...
