"""Weights to start from: opened safely, and checked to fit before any time is spent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import DataError
from edge.trainers.recipe import Fragment
from edge.trainers.reference import build
from edge.workdir import write_atomic
from zoo.openmmlab import prepare

# What OpenMMLab's checkpoints hold beside tensors and plain values: the curves of the original training (mmengine's
# HistoryBuffer, whose __getstate__ adds its own methods, pickled by getattr), and numpy's arrays and scalars, by the
# names of numpy 1 and 2.
NOTES = (
    "mmengine.logging.history_buffer.HistoryBuffer",
    "builtins.getattr",
    "numpy.ndarray",
    "numpy.dtype",
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
)
LEAST_SHARE = 0.5  # of the model's tensors: below, the file belongs to another architecture


@dataclass(frozen=True)
class Fit:
    """`plain` holds the tensors alone; `matching` of `tensors` have the name and shape the model wants."""

    plain: Path
    matching: int
    tensors: int


class _Note:
    """Stands where a checkpoint has an object that is no tensor: takes what that is built from, keeps and runs nothing.

    torch's safe reader lets files build and call what it is told to allow, and nothing else. With this in the place of
    everything allowed, not even getattr does anything.
    """

    def __new__(cls, *_: Any) -> _Note:
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        """Nothing of it is kept."""


def fit(weights: Path, toolbox: str, model: Fragment, folder: Path) -> Fit:
    """Read a checkpoint without running any code in it, and keep a plain copy in `folder`.

    Raises:
        DataError: not a checkpoint of plain tensors, or one of another architecture.
    """
    prepare(toolbox)
    import io

    import torch

    try:
        with torch.serialization.safe_globals([(_Note, name) for name in NOTES]):
            held: Any = torch.load(weights, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zip and torch each raise their own
        raise DataError(
            f"{weights} cannot be read safely: {_reason(error)}",
            "Give a checkpoint that holds tensors only, or train from scratch: --weights scratch.",
        ) from error
    state = held.get("state_dict", held) if isinstance(held, dict) else {}
    wanted = build(model).state_dict()
    matching = {
        name: value
        for name, value in state.items()
        if name in wanted and getattr(value, "shape", None) == wanted[name].shape
    }
    if len(matching) < LEAST_SHARE * len(wanted):
        raise DataError(
            f"{weights} fits {len(matching)} of the {len(wanted)} tensors of the chosen model",
            "Name that model in the request, give its weights, or train from scratch: --weights scratch.",
        )
    buffer = io.BytesIO()
    torch.save({"state_dict": matching}, buffer)
    plain = folder / "start.pth"
    write_atomic(plain, buffer.getvalue())
    return Fit(plain, len(matching), len(wanted))


def _reason(error: Exception) -> str:
    """The fact alone: torch's safe reader puts in front what to do if one trusts the file, which nobody here can."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    facts = [line for line in lines if not line.startswith("Check the documentation")]
    fact = facts[-1] if lines[0].startswith("Weights only load failed") else lines[0]
    return fact.rpartition("rror: ")[2].split(" was not an allowed global")[0].split(". ")[0]
