"""Request + data -> model cards worth measuring, at input sizes that suit the images. Measures nothing."""

from __future__ import annotations

import re

from edge.errors import Infeasible
from edge.records import Gathered, Request
from zoo.models import ModelCard, shortlisted

SIZES_PER_MODEL = 2


def run(request: Request, gathered: Gathered) -> tuple[ModelCard, ...]:
    """Cards of the task; per model the smallest input that shows the median image whole, and the next smaller one.

    Raises:
        Infeasible: the request insists on a model that is not on the list.
    """
    cards = shortlisted(request.task)
    if request.specific_model is not None:
        cards = _named(cards, request.specific_model)
    side = max(gathered.median_width, gathered.median_height)
    return tuple(card for card in cards if card.width in _sizes(cards, card.name, side))


def _sizes(cards: list[ModelCard], name: str, side: int) -> list[int]:
    offered = sorted({card.width for card in cards if card.name == name})
    enough = next((size for size in offered if size >= side), offered[-1])
    return [size for size in offered if size <= enough][-SIZES_PER_MODEL:]


def _named(cards: list[ModelCard], wanted: str) -> list[ModelCard]:
    found = [card for card in cards if _plain(wanted) in _plain(card.name)]
    if not found:
        names = sorted({card.title.split()[0] for card in cards})
        raise Infeasible(
            f"the request insists on {wanted}, which is not among the models edge can make for this task",
            f"Leave the model open, or ask for one of: {', '.join(names)}.",
        )
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())
