"""Weights to start from, given by the user: opened safely, and checked to fit before any time is spent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import DataError
from edge.trainers.recipe import Fragment
from edge.trainers.reference import build
from edge.workdir import write_atomic
from zoo.openmmlab import prepare

LEAST_SHARE = 0.5  # of the model's tensors: below, the file belongs to another architecture


@dataclass(frozen=True)
class Fit:
    """`plain` holds the tensors alone; `matching` of `tensors` have the name and shape the model wants."""

    plain: Path
    matching: int
    tensors: int


def fit(weights: Path, toolbox: str, model: Fragment, folder: Path) -> Fit:
    """Read a checkpoint without running any code in it, and keep a plain copy in `folder`.

    Raises:
        DataError: not a checkpoint of plain tensors, or one of another architecture.
    """
    prepare(toolbox)
    import io

    import torch

    try:
        held: Any = torch.load(weights, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zip and torch each raise their own
        raise DataError(
            f"--weights {weights} cannot be read safely: {str(error).splitlines()[0]}",
            "Give a checkpoint that holds tensors only, or leave it out to train from scratch.",
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
            f"--weights {weights} fits {len(matching)} of the {len(wanted)} tensors of the chosen model",
            "Name that model in the request, give its weights, or leave them out to train from scratch.",
        )
    buffer = io.BytesIO()
    torch.save({"state_dict": matching}, buffer)
    plain = folder / "start.pth"
    write_atomic(plain, buffer.getvalue())
    return Fit(plain, len(matching), len(wanted))
