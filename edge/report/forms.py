"""Networks and their forms as rows: what was compared, what could not run, what a lower precision gave and cost.

A form is an engine with a precision. Knows no layout: every cell is a plain string.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from edge.records import Choice, Exported, Measured, Measurements, PrecisionTrial, Story
from edge.report import words
from edge.report.names import form_name, network_names, same, why_not
from zoo.models import ModelCard


@dataclass(frozen=True)
class FormRow:
    name: str
    engine: str
    precision: str
    file_size: str
    median: str
    p90: str
    fps: str
    speedup: str  # over fp32 on the same engine
    verdict: str
    verdict_words: str
    sign: str
    timed: bool
    chosen: bool
    packed: bool
    note: str  # why it is not the chosen one, or what came of it after training
    parity: str

    @property
    def standing(self) -> str:
        """Its part in the package, if it has one."""
        if self.chosen:
            return "chosen and packed" if self.packed else "chosen"
        return "packed" if self.packed else ""

    @property
    def remark(self) -> str:
        """Its part, then the note."""
        if not self.standing or not self.note:
            return self.standing or self.note
        return f"{self.standing}, {self.note[0].lower()}{self.note[1:]}"


@dataclass(frozen=True)
class NetworkRow:
    """A network with its forms, fastest first; `note` holds for all of them, or says why there are none."""

    name: str
    full_name: str
    input_size: str
    parameters: str
    macs: str
    verdict: str  # empty where the forms have their own
    verdict_words: str
    sign: str
    chosen: bool
    note: str
    forms: tuple[FormRow, ...]


@dataclass(frozen=True)
class TrialRow:
    """A lower precision of the trained network beside its full one."""

    form: str
    metric: str
    full_metric: str
    speedup: str
    kept: str
    reason: str


def network_rows(
    measurements: Measurements, choice: Choice | None, exported: Exported | None = None
) -> list[NetworkRow]:
    """Every candidate under its network; the chosen network first, the others in the order of the measurement."""
    groups: dict[ModelCard, list[Measured]] = {}
    for candidate in measurements.candidates:
        groups.setdefault(candidate.card, []).append(candidate)
    names = network_names(measurements.candidates)
    chosen = choice.chosen.card if choice is not None else None
    ordered = sorted(groups, key=lambda card: card != chosen)
    return [
        _network_row(groups[card], names[card], measurements.scope, choice, exported if card == chosen else None)
        for card in ordered
    ]


def chosen_row(story: Story) -> NetworkRow | None:
    """The chosen network with all its forms; None if the record of the measurement lacks it."""
    rows = network_rows(story.measurements, story.choice, story.exported)
    return next((row for row in rows if row.chosen), None)


def parity_rows(story: Story) -> list[tuple[str, str]]:
    """How near the answers of each form of the chosen network came to PyTorch's, before training."""
    row = chosen_row(story)
    return [(form.name, form.parity) for form in row.forms if form.parity] if row is not None else []


def chosen_name(story: Story) -> str:
    card = story.choice.chosen.card
    return network_names(story.measurements.candidates).get(card, card.title)


def packed_name(story: Story) -> str:
    """The form in the package: "OpenVINO bf16"."""
    return words.form(story.exported.engine, story.exported.precision)


def packed(story: Story) -> Measured | None:
    """The form in the package as it was measured before training; None if it was not."""
    own = (story.choice.chosen.card, story.exported.engine, story.exported.precision)
    return next((c for c in story.measurements.candidates if (c.card, c.engine, c.precision) == own), None)


def coverage(measurements: Measurements) -> str:
    """How many of the networks in question were measured, and in how many forms."""
    timed = [candidate for candidate in measurements.candidates if candidate.timings]
    networks, forms = len({candidate.card for candidate in timed}), words.plural(len(timed), "form")
    if not measurements.networks:
        return f"{words.plural(networks, 'network')} measured, in {forms}"
    saved = f"; measuring all would have taken about {words.duration(measurements.saved_s)} more"
    return f"{networks} of {words.plural(measurements.networks, 'network')} measured, in {forms}" + (
        saved if measurements.saved_s >= 1 else ""
    )


def left_out(measurements: Measurements) -> list[str]:
    """Networks not measured, those with the same reason together; without those that stand in the table with it."""
    told = {f"{candidate.card.title}: {candidate.explanation}" for candidate in measurements.candidates}
    by_reason: dict[str, list[str]] = {}
    for line in measurements.not_measured:
        if line not in told:
            title, _, reason = line.partition(": ")
            by_reason.setdefault(reason, []).append(title)
    return [": ".join(filter(None, (", ".join(titles), reason))) for reason, titles in by_reason.items()]


def refused_lines(measurements: Measurements) -> list[str]:
    """What cannot run here, one line per engine; an engine that does not run at all is named without precisions."""
    engines: dict[str, dict[str, list[str]]] = {}
    for line in measurements.refused:
        title, _, reason = line.partition(": ")
        engine, _, precision = title.partition(" ")
        engines.setdefault(engine, {}).setdefault(reason, []).append(precision)
    running = {candidate.engine for candidate in measurements.candidates}
    lines = []
    for engine, reasons in engines.items():
        whole = engine not in running and len(reasons) == 1
        told = [reason if whole else f"{', '.join(filter(None, p))}: {reason}" for reason, p in reasons.items()]
        lines.append(f"{words.ENGINES.get(engine, engine)}{':' if whole else ''} {'; '.join(told)}")
    return lines


def doubts(measurements: Measurements) -> list[str]:
    """What was noted while measuring, each once, with the networks it concerns; forms are named where not all do."""
    concerned: dict[str, dict[ModelCard, list[str]]] = {}
    timed: dict[ModelCard, int] = {}
    for candidate in measurements.candidates:
        timed[candidate.card] = timed.get(candidate.card, 0) + bool(candidate.timings)
        unsteady = ("the latency did not become steady",) if candidate.timings and not candidate.stable else ()
        beside = ("some of what counts was timed beside other work",) if candidate.disturbed else ()
        for warning in dict.fromkeys((*unsteady, *beside, *candidate.warnings)):
            concerned.setdefault(warning, {}).setdefault(candidate.card, []).append(form_name(candidate))
    names = network_names(measurements.candidates)
    lines = []
    for warning, cards in concerned.items():
        who = [
            names[card] + (f" ({', '.join(filter(None, forms))})" if any(forms) and len(forms) < timed[card] else "")
            for card, forms in cards.items()
        ]
        lines.append(f"{words.listing(who)}: {warning}")
    return lines


def trial_rows(exported: Exported) -> list[TrialRow]:
    return [
        TrialRow(
            _trial_form(trial),
            words.fine_share(trial.metric),
            words.fine_share(trial.full_metric),
            words.factor(trial.speedup),
            "kept" if trial.kept else "not kept",
            trial.reason,
        )
        for trial in exported.trials
    ]


def _trial_form(trial: PrecisionTrial) -> str:
    engine, _, precision = trial.title.partition(" ")
    return words.form(engine, precision)


def _network_row(
    candidates: Sequence[Measured], name: str, scope: str, choice: Choice | None, exported: Exported | None
) -> NetworkRow:
    card = candidates[0].card
    made = sorted((c for c in candidates if c.engine), key=lambda c: _median(c, scope) or math.inf)
    rows = [_form_row(candidate, candidates, name, scope, choice, exported) for candidate in made]
    shared = rows[0].note if len(rows) > 1 and len({row.note for row in rows}) == 1 else ""
    bare = candidates[0] if not rows else None
    verdict = bare.verdict if bare else ""
    return NetworkRow(
        name=name,
        full_name=card.name,
        input_size=words.times(card.width, card.height),
        parameters=words.amount(candidates[0].parameters),
        macs=words.amount(candidates[0].flops),
        verdict=verdict,
        verdict_words=words.VERDICT_WORDS.get(verdict, verdict),
        sign=words.VERDICT_SIGNS.get(verdict, ""),
        chosen=choice is not None and card == choice.chosen.card,
        note=why_not(bare, name, choice) if bare else shared,
        forms=tuple(replace(row, note="") for row in rows) if shared else tuple(rows),
    )


def _form_row(
    candidate: Measured,
    family: Sequence[Measured],
    name: str,
    scope: str,
    choice: Choice | None,
    exported: Exported | None,
) -> FormRow:
    timing = candidate.timing(scope)
    return FormRow(
        name=form_name(candidate),
        engine=words.ENGINES.get(candidate.engine, candidate.engine),
        precision=candidate.precision,
        file_size=words.size(candidate.model_bytes) if candidate.model_bytes else words.UNAVAILABLE,
        median=words.milliseconds(timing.median_ms if timing else None),
        p90=words.milliseconds(timing.p90_ms if timing else None),
        fps=words.rate(timing.fps if timing else None),
        speedup=_speedup(candidate, family, scope),
        verdict=candidate.verdict,
        verdict_words=words.VERDICT_WORDS.get(candidate.verdict, candidate.verdict),
        sign=words.VERDICT_SIGNS.get(candidate.verdict, ""),
        timed=timing is not None,
        chosen=choice is not None and same(candidate, choice.chosen),
        packed=exported is not None
        and (candidate.engine, candidate.precision) == (exported.engine, exported.precision),
        note=_after_training(candidate, choice, exported) or why_not(candidate, name, choice),
        parity=", ".join(f"{key} {value:.3g}" for key, value in candidate.parity.items()),
    )


def _speedup(candidate: Measured, family: Sequence[Measured], scope: str) -> str:
    """Of the median over fp32 on the same engine; empty for fp32 itself."""
    if candidate.lossless:
        return ""
    full = next((c for c in family if c.engine == candidate.engine and c.lossless), None)
    own, other = _median(candidate, scope), _median(full, scope) if full else None
    return words.factor(other / own if own and other else None)


def _median(candidate: Measured, scope: str) -> float | None:
    timing = candidate.timing(scope)
    return timing.median_ms if timing else None


def _after_training(candidate: Measured, choice: Choice | None, exported: Exported | None) -> str:
    """What came of a lower precision once the network was trained; empty for all others."""
    if choice is None or exported is None:
        return ""
    found = next((t for t in exported.trials if t.title == f"{candidate.engine} {candidate.precision}"), None)
    if found is not None:
        return words.sentence(f"{'kept' if found.kept else 'not kept'} after training: {found.reason}")
    if any(same(candidate, item) for item in choice.lower):
        return "Faster in a lower precision; not tried on the trained network."
    return ""
