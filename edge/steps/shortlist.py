"""Request + data -> model cards worth measuring, at input sizes that suit the images. Measures nothing."""

from __future__ import annotations

from edge.errors import Infeasible
from edge.records import Gathered, Request
from zoo.errors import ZooError
from zoo.models import ModelCard, metafile_entries, shortlisted
from zoo.models.naming import named
from zoo.tasks import TASKS

SIZES_PER_MODEL = 2


def run(request: Request, gathered: Gathered) -> tuple[ModelCard, ...]:
    """Cards of the task; per model the smallest input that shows the median image whole, and the next smaller one.

    Raises:
        Infeasible: the request insists on a model that is not on the list.
    """
    cards = shortlisted(request.task)
    if request.specific_model is not None:
        cards = _named(cards, request.specific_model, request.task)
    side = max(gathered.median_width, gathered.median_height)
    return tuple(card for card in cards if card.width in _sizes(cards, card.name, side))


def _sizes(cards: list[ModelCard], name: str, side: int) -> list[int]:
    offered = sorted({card.width for card in cards if card.name == name})
    enough = next((size for size in offered if size >= side), offered[-1])
    return [size for size in offered if size <= enough][-SIZES_PER_MODEL:]


def _named(cards: list[ModelCard], wanted: str, task: str) -> list[ModelCard]:
    entries = metafile_entries(TASKS[task].toolbox)
    listed = ", ".join(sorted({card.stem for card in cards}))
    try:
        meant = set(named(wanted, entries))
    except ZooError as error:
        raise Infeasible(str(error), " ".join([*error.__notes__, f"Edge makes {listed}."])) from error
    found = [card for card in cards if card.name in meant]
    if not found:
        raise Infeasible(
            f"the request insists on {wanted}: the zoo has {len(meant)} entries of that name, but none is among the"
            f" models that edge is known to train and export for {task}",
            f"Leave the model open, or ask for one of: {listed}.",
        )
    return found
