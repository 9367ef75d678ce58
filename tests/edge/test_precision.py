"""A lower precision is shipped only if it is faster and as good: both figures decide, and both are told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from deploy_targets.errors import ConversionFailed
from edge.artefacts.variant import Variant
from edge.profiling.heat import Against
from edge.records import Choice
from edge.steps import export

from .report.story import measured


@dataclass
class Maker:
    """Instead of converting it looks metrics up; a variant without one cannot be made."""

    metrics: dict[str, float]
    asked: list[str] = field(default_factory=list)
    plan: Any = None
    dataset: Any = None

    def make(self, variant: Variant) -> Path:
        self.asked.append(variant.title)
        if variant.title not in self.metrics:
            raise ConversionFailed(f"{variant.title} cannot be made")
        return Path(variant.title)

    def metric(self, made: Path) -> float:
        return self.metrics[str(made)]


def form(precision: str) -> Any:
    return replace(measured(), engine="openvino", precision=precision)


def tried(
    monkeypatch: pytest.MonkeyPatch, maker: Maker, speedups: dict[str, float | None], *, chosen: str, lower: list[str]
) -> list[Any]:
    found = {title: Against(speedup, "" if speedup else "it crashed") for title, speedup in speedups.items()}
    monkeypatch.setattr(export, "_compared", lambda _maker, made, _full: found[str(made)])
    choice = Choice(form(chosen), (), (), (), tuple(form(precision) for precision in lower))
    return export._trials(maker, Path("openvino fp32"), choice, 0.01, lambda _: None)  # type: ignore[arg-type]


def test_the_first_that_is_faster_and_as_good_is_kept_and_no_other_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    maker = Maker({"openvino fp32": 0.95, "openvino int8": 0.93, "openvino bf16": 0.945, "openvino fp16": 0.95})
    speedups: dict[str, float | None] = {"openvino int8": 3.0, "openvino bf16": 2.0, "openvino fp16": 1.5}
    trials = tried(monkeypatch, maker, speedups, chosen="fp32", lower=["int8", "bf16", "fp16"])
    assert [(trial.title, trial.kept) for trial in trials] == [("openvino int8", False), ("openvino bf16", True)]
    assert trials[0].reason == "loses 0.0200 of the metric, at most 0.01 allowed"
    assert (trials[1].speedup, trials[1].metric, trials[1].full_metric) == (2.0, 0.945, 0.95)
    assert maker.asked == ["openvino int8", "openvino bf16"]


@pytest.mark.parametrize(
    ("speedup", "reason"),
    [(1.01, "1.01 times as fast, at least 1.02 wanted"), (None, "it crashed")],
)
def test_what_is_not_faster_is_not_kept_however_good(
    speedup: float | None, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker = Maker({"openvino fp32": 0.95, "openvino bf16": 0.99})
    trials = tried(monkeypatch, maker, {"openvino bf16": speedup}, chosen="fp32", lower=["bf16"])
    assert [(trial.kept, trial.reason) for trial in trials] == [(False, reason)]


def test_what_cannot_be_made_of_the_trained_network_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = tried(monkeypatch, Maker({"openvino fp32": 0.95}), {}, chosen="fp32", lower=["int8"])
    assert [(trial.metric, trial.reason) for trial in trials] == [(None, "openvino int8 cannot be made")]


def test_a_chosen_lower_precision_is_tried_first(monkeypatch: pytest.MonkeyPatch) -> None:
    maker = Maker({"openvino fp32": 0.95, "openvino int8": 0.95, "openvino bf16": 0.95})
    speedups: dict[str, float | None] = {"openvino int8": 3.0, "openvino bf16": 2.0}
    trials = tried(monkeypatch, maker, speedups, chosen="bf16", lower=["int8"])
    assert [trial.title for trial in trials] == ["openvino bf16"]


def test_without_lower_precisions_nothing_is_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tried(monkeypatch, Maker({}), {}, chosen="fp32", lower=[]) == []
