"""Published speeds held against those measured here: how often a choice by the former goes wrong. Measures nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edge.profiling.row import Row
from edge.report import words
from edge.report.leaderboard import best_forms, figure, grouped, markdown, model_names, newest, place

LIMITS_FPS = (1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 80.0, 100.0, 120.0, 150.0, 200.0)
"""Speeds that people ask for: a picture now and then, video at half and full rate, fast lines."""
ANY_FORM = "fastest form of each"


@dataclass(frozen=True)
class LimitChoice:
    """What a choice by published speed and one by measured speed take for a limit, and whether the first holds here.

    "misses": its model is too slow here; "finds nothing": it gives up though a model holds; "poorer": its model holds,
    but a better one does too.
    """

    limit_fps: float
    by_published: str | None
    by_measured: str | None
    outcome: Literal["right", "poorer", "misses", "finds nothing"]


@dataclass(frozen=True)
class Comparison:
    """Published against measured speed over models that were published and measured alike.

    `rank_correlation` is Spearman's, of published and median milliseconds; None below three models or without spread.
    """

    task: str | None
    quality_source: str
    published_on: str
    hardware: str
    power_mode: str
    threads: int
    form: str
    scope: str
    models: int
    rank_correlation: float | None
    choices: tuple[LimitChoice, ...]

    def count(self, *outcomes: str) -> int:
        return sum(choice.outcome in outcomes for choice in self.choices)

    @property
    def wrong(self) -> int:
        """Limits for which the published speeds lead to a model that is too slow here, or to none."""
        return self.count("misses", "finds nothing")


def static_comparison(rows: Iterable[Row], limits_fps: Sequence[float] = LIMITS_FPS) -> list[Comparison]:
    """A choice by published speeds held against one by the speeds measured here, per task, machine and form.

    Only models with a published speed, a quoted quality and a measured speed take part, and only those that were
    published on the same hardware and timed in the same scope; the inputs that were published differ, as they do for
    whoever chooses by such figures. Each choice takes the best quoted quality among the models
    that hold the limit by its own figures, the faster one if two are equal.
    """
    known = [
        row
        for row in newest(rows)
        if row.scope and row.subject.published_ms and row.subject.quoted_quality is not None
        and row.parity_holds is not False
    ]  # fmt: skip
    compared = []
    for where, some in grouped(known, lambda row: (*place(row), *_published(row))).items():
        forms = grouped(some, lambda row: f"{row.key.engine} {row.key.precision}")
        for form, of_form in [(ANY_FORM, some), *sorted(forms.items())]:
            for scope, alike in grouped(best_forms(of_form), lambda row: row.scope or "").items():
                compared.append(_comparison(where, form, scope, alike, limits_fps))
    return compared


def _comparison(
    where: tuple[Any, ...], form: str, scope: str, rows: Sequence[Row], limits_fps: Sequence[float]
) -> Comparison:
    from scipy.stats import spearmanr

    task, hardware, power_mode, threads, source, published_on = where
    published = [float(row.subject.published_ms or 0) for row in rows]
    measured = [float(row.median_ms() or 0) for row in rows]
    spread = len(rows) > 2 and len(set(published)) > 1 and len(set(measured)) > 1
    correlation = float(spearmanr(published, measured).statistic) if spread else None
    name = model_names(rows)
    choices = tuple(_limit_choice(rows, limit, name) for limit in limits_fps)
    return Comparison(
        task, source, published_on, hardware, power_mode, threads, form, scope, len(rows), correlation, choices
    )


def _limit_choice(rows: Sequence[Row], limit_fps: float, name: Callable[[Row], str]) -> LimitChoice:
    def quality(row: Row) -> float:
        return row.subject.quoted_quality or 0.0

    def published_fps(row: Row) -> float:
        return 1000 / (row.subject.published_ms or float("inf"))

    def measured_fps(row: Row) -> float:
        return row.fps() or 0.0

    def pick(fps: Callable[[Row], float]) -> Row | None:
        fitting = [row for row in rows if fps(row) >= limit_fps]
        return max(fitting, key=lambda row: (quality(row), fps(row)), default=None)

    static, real = pick(published_fps), pick(measured_fps)
    outcome: Literal["right", "poorer", "misses", "finds nothing"] = "right"
    if static is not None and measured_fps(static) < limit_fps:
        outcome = "misses"
    elif static is None and real is not None:
        outcome = "finds nothing"
    elif static is not None and real is not None and quality(static) < quality(real):
        outcome = "poorer"
    return LimitChoice(limit_fps, name(static) if static else None, name(real) if real else None, outcome)


def comparison_text(compared: Sequence[Comparison]) -> str:
    """Markdown: one line per comparison, and what the words mean."""
    if not compared:
        return "No model has both a published and a measured speed yet.\n"
    heads = ["Task", "Published on", "Timed as", "Models", "Rank correlation", "Limits", "Wrong", "Too slow here",
             "Finds nothing", "Poorer"]  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", "|---|---|---|" + "---:|" * 7]
    for one in compared:
        task = words.TASK_WORDS.get(one.task or "", one.task or "Files")
        cells = [task, markdown(one.published_on or "not stated"), f"{one.form}, {one.scope}", str(one.models),
                 figure(one.rank_correlation, "{:.2f}"), str(len(one.choices)), str(one.wrong),
                 str(one.count("misses")), str(one.count("finds nothing")), str(one.count("poorer"))]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    limits = words.listing([f"{choice.limit_fps:g}" for choice in compared[0].choices], most=99)
    return "\n".join([
        *lines, "",
        "Rank correlation is Spearman's between published and measured milliseconds: 1 if both order the models alike.",
        f"For each limit ({limits} fps) the model of the best quoted quality is chosen by published speed, and by",
        "measured speed (1000 / p90). The first choice is wrong where its model is too slow here, or where it finds no",
        "model though one holds; poorer where its model holds, but a better one does too.",
    ]) + "\n"  # fmt: skip


def _published(row: Row) -> tuple[str, str]:
    return row.subject.quality_source, row.subject.published_on
