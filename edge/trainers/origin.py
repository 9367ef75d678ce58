"""What a job's trainings start from: given weights, those that were fetched for the chosen model, or none.

Decided once and kept with the job, so that a store that changes meanwhile changes nothing about a job that was begun.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from edge.errors import DataError
from edge.records import Origin
from edge.trainers.recipe import Fragment
from edge.trainers.weights import fit
from edge.workdir import from_json, sha256_file, to_json, write_atomic
from zoo.errors import ZooError
from zoo.models import ModelCard
from zoo.supply.published import checkpoint
from zoo.supply.store import Store

DECIDED = "origin.json"


def settle(
    given: Path | Literal["scratch"] | None, store: Store, card: ModelCard, model: Fragment, folder: Path
) -> Origin:
    """The decision as an earlier call left it in `folder`, or made now.

    Raises:
        DataError: given weights do not fit the model.
        DamagedError: what was fetched for it is no longer what came.
    """
    path = folder / DECIDED
    if path.is_file():
        return from_json(Origin, path.read_text(encoding="utf-8"))
    origin = _decided(given, store, card, model, folder)
    write_atomic(path, to_json(origin).encode())
    return origin


def _decided(
    given: Path | Literal["scratch"] | None, store: Store, card: ModelCard, model: Fragment, folder: Path
) -> Origin:
    if given == "scratch":
        return Origin(source="as asked for")
    if given is not None:
        return _from(given, sha256_file(given), "given with --weights", card, model, folder)
    try:
        held = store.find(wanted := checkpoint(card))
    except ZooError as error:
        return Origin(source=str(error))
    if held is None:
        return Origin(source=f"`edge fetch {card.name}{store.elsewhere}` would bring weights to start from")
    path = store.verify(held)
    try:
        return _from(path, held.sha256, f"fetched from {wanted.host}", card, model, folder)
    except DataError as error:  # nobody asked for it, and fetching it again would not help
        return Origin(source=f"what was fetched for it is of no use: {error}")


def _from(weights: Path, sha256: str, source: str, card: ModelCard, model: Fragment, folder: Path) -> Origin:
    found = fit(weights, card.toolbox, model, folder)
    return Origin(
        name=weights.name,
        source=source,
        sha256=sha256,
        file=str(found.plain.relative_to(folder.parent.parent)),
        matching=found.matching,
        tensors=found.tensors,
    )
