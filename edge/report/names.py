"""How a candidate is called in tables and plots, and which reasons belong to it. Knows no layout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from edge.records import Choice, Measured
from edge.report.words import sentences

NO_REASON = "no reason recorded"


def candidate_names(candidates: Sequence[Measured]) -> list[str]:
    """Short titles; the full name of the zoo where two candidates share a title."""
    titles = Counter(candidate.card.title for candidate in candidates)
    return [
        candidate.card.title if titles[candidate.card.title] == 1 else full_name(candidate) for candidate in candidates
    ]


def full_name(candidate: Measured) -> str:
    card = candidate.card
    return f"{card.name} {card.width}x{card.height}"


def why_not(candidate: Measured, name: str, choice: Choice | None) -> str:
    """Why this candidate is not the chosen one, in the words of the choice; its own measurement where that is silent.

    Rejections carry a title. Where two candidates share one, the title tells nothing, and only the full name counts.
    """
    if choice is None:
        return candidate.explanation or NO_REASON
    if candidate.card == choice.chosen.card:
        return ""
    own = {name, full_name(candidate)}
    reasons = [reason for rejection in choice.rejected if rejection.title in own for reason in rejection.reasons]
    if reasons:
        return sentences(reason.removeprefix(f"{candidate.verdict}: ") for reason in reasons)
    runner_up = next((text for text in choice.runners_up if any(text.startswith(title) for title in own)), None)
    if runner_up is not None:
        return "Meets every limit; ranked behind the chosen one." if runner_up in own else sentences([runner_up])
    return candidate.explanation or NO_REASON
