"""How a network and its forms are called in tables and plots, and which reasons belong to a form. Knows no layout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from edge.records import Choice, Measured
from edge.report.words import form, sentence, sentences
from zoo.models import ModelCard

NO_REASON = "no reason recorded"
SCOPE = "pipeline"
"""The scope whose p90 the choice compares."""


def network_names(candidates: Iterable[Measured]) -> dict[ModelCard, str]:
    """Short titles by card, in the order of the candidates; the zoo's full name where two networks share a title."""
    cards = dict.fromkeys(candidate.card for candidate in candidates)
    titles = Counter(card.title for card in cards)
    return {card: card.title if titles[card.title] == 1 else full_name(card) for card in cards}


def full_name(card: ModelCard) -> str:
    return f"{card.name} {card.width}x{card.height}"


def form_name(candidate: Measured) -> str:
    """ "OpenVINO bf16"; empty where counting alone ruled the network out."""
    return form(candidate.engine, candidate.precision) if candidate.engine else ""


def same(one: Measured, other: Measured | None) -> bool:
    """Whether both are the same network in the same form."""
    return other is not None and (one.card, one.engine, one.precision) == (other.card, other.engine, other.precision)


def why_not(candidate: Measured, network: str, choice: Choice | None) -> str:
    """Why this candidate is not the chosen one, in the words of the choice; its own measurement where that is silent.

    Rejections carry a title. Where two networks share one, the title tells nothing, and only the full name counts.
    """
    if choice is None:
        return sentence(candidate.explanation or NO_REASON)
    if same(candidate, choice.chosen):
        return ""
    suffix = f", {candidate.engine} {candidate.precision}" if candidate.engine else ""
    own = {f"{network}{suffix}", f"{full_name(candidate.card)}{suffix}"}
    reasons = [reason for rejection in choice.rejected if rejection.title in own for reason in rejection.reasons]
    if reasons:
        return sentences(reason.removeprefix(f"{candidate.verdict}: ") for reason in reasons)
    if own & {*choice.runners_up}:
        return "Meets every limit; ranked behind the chosen one."
    if candidate.card == choice.chosen.card and candidate.holds:
        return _beside(candidate, choice)
    return sentence(candidate.explanation or NO_REASON)


def _beside(candidate: Measured, choice: Choice) -> str:
    """A form of the chosen network that holds as well."""
    own, chosen = candidate.timing(SCOPE), choice.chosen.timing(SCOPE)
    if any(same(candidate, item) for item in choice.lower):
        return "Faster in a lower precision; to be proven on the trained network."
    if own is None or chosen is None:
        return sentence(NO_REASON)
    if own.p90_ms > chosen.p90_ms:
        return f"Takes {own.p90_ms / chosen.p90_ms:.2f} times as long."
    return "A tie in speed with the chosen form." if candidate.lossless else "Hardly faster than the chosen form."
