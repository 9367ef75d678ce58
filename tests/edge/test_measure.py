"""The search for a candidate: best expected first, nothing hopeless, and never more than is needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from edge.artefacts.blueprint import blueprint
from edge.artefacts.variant import Offer, Variant
from edge.profiling.database import Database
from edge.profiling.forecast import PRIOR, Observation
from edge.records import Limits, Measured, Timing
from edge.steps.measure import Training, _counted, _Field, _Net, over_limits
from edge.trainers.reference import Counted
from zoo.models import find

from .report.story import request

OFFER = Offer((Variant("onnxruntime", "fp32"), Variant("openvino", "fp32")), ())


def net(title: str, macs: float) -> _Net:
    """A network of the list, with invented work."""
    work = {**dict.fromkeys(PRIOR, macs / 100), "conv": macs}
    return _Net(blueprint(find([title])[0], None, 1), Counted(1_000_000, int(macs), work), ())


@dataclass
class Search(_Field):
    """Instead of measuring it looks latencies up."""

    p90_ms: dict[str, float] = field(default_factory=dict)
    fitting: dict[str, int] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)

    def updates(self, net: _Net) -> int:
        return self.fitting.get(net.plan.card.title, 1000)

    def measure(self, net: _Net) -> list[Measured]:
        title, items = net.plan.card.title, []
        self.order.append(title)
        for variant in self.offer.lossless():
            p90 = self.p90_ms[title]
            holds = self.limit_ms is None or p90 <= self.limit_ms
            base = _counted(net, "PASS" if holds else "FAIL", "")
            timing = Timing("pipeline", 64, p90, p90, p90)
            items.append(replace(base, engine=variant.engine, timings=(timing,), updates=self.updates(net)))
            observed = Observation(net.counts.work, variant.engine, variant.precision, p90, title)
            self.observations.append(observed)
        self.found[net.plan.card] = items
        return items


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database.open(tmp_path / "profiles.db") as opened:
        yield opened


def search(database: Database, min_fps: float | None, p90_ms: dict[str, float], **updates: int) -> Search:
    asked = request(limits=Limits(min_fps=min_fps), engine=None)
    training = Training(100.0, 1, 0)
    return Search(
        asked, None, Path(), 1, OFFER, training, database, lambda _: None, p90_ms=p90_ms, fitting=updates  # type: ignore[arg-type]  # no data is looked at
    )  # fmt: skip


# quoted: resnet18 69.9, shufflenet 69.6, mobilenet-v3-small 66.7
NAMES = ["resnet18 64x64", "shufflenet-v2-1x 64x64", "mobilenet-v3-small 64x64"]
NETS = [net(name, macs) for name, macs in zip(NAMES, (1.5e8, 1.2e7, 5e6), strict=True)]


def test_without_a_limit_only_the_best_expected_is_measured(database: Database) -> None:
    found = search(database, None, dict.fromkeys(NAMES, 5.0))
    found.search(NETS)
    assert found.order == NAMES[:1]
    assert found.skipped == dict.fromkeys(NAMES[1:], "not needed: another holds that is expected to be better")


def test_the_next_best_is_measured_where_the_best_is_too_slow(database: Database) -> None:
    found = search(database, 100.0, dict(zip(NAMES, (30.0, 8.0, 2.0), strict=True)))
    found.search(NETS)
    assert found.order == NAMES[:2]
    assert list(found.skipped) == NAMES[2:]


def test_a_network_that_cannot_be_trained_in_the_time_does_not_end_the_search(database: Database) -> None:
    found = search(database, None, dict.fromkeys(NAMES, 5.0), **{NAMES[0]: 10})
    found.search(NETS)
    assert found.order == NAMES[1:2]
    assert found.skipped[NAMES[0]] == "trains too slowly: about 10 updates in the time there is"


def test_where_none_trains_fast_enough_the_fastest_to_train_that_holds_is_measured(database: Database) -> None:
    p90_ms = dict(zip(NAMES, (9.0, 5.0, 30.0), strict=True))
    found = search(database, 100.0, p90_ms, **dict(zip(NAMES, (10, 20, 30), strict=True)))
    found.search(NETS)
    assert found.order == [NAMES[2], NAMES[1]]


def test_what_the_forecast_calls_hopeless_is_skipped_and_told_with_its_interval(database: Database) -> None:
    found = search(database, 200.0, dict(zip(NAMES, (400.0, 4.0, 2.0), strict=True)))
    for number in range(12):  # this machine is known: latency is work over 1e6
        for variant in OFFER.variants:
            macs = 3e6 * 1.5**number
            work = {**dict.fromkeys(PRIOR, macs / 100), "conv": macs}
            found.observations.append(
                Observation(work, variant.engine, "fp32", macs / 1e6 * (1 + number % 3 / 50), f"known{number} 1x1")
            )
    found.search([net(NAMES[0], 4e8), net(NAMES[1], 4e6), NETS[2]])
    assert found.order == [NAMES[1]]
    assert "beyond 5 ms as a whole" in found.skipped[NAMES[0]]


def test_counted_limits_that_are_broken_are_told_in_words() -> None:
    counts = Counted(11_180_000, 1_800_000_000)
    assert over_limits(counts, Limits(max_parameters=5e6, max_flops=1e9)) == [
        "11.18 M parameters, at most 5 M wanted",
        "1.800 GFLOPs, at most 1 wanted",
    ]
    assert over_limits(counts, Limits()) == []
