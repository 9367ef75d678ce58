"""The forecast of speed on machines whose true costs are known, the search it serves, and the work it reads."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping

import pytest

from edge.profiling.forecast import PRIOR, Observation, WorkMissing, fit
from edge.profiling.search import LAST_RESORT, SEEDS, Option, Step, Tried, next_to_measure

COSTS = {"engine a": 1e-8, "engine b": 3e-8}  # ms per multiply-accumulate; the rest as the prior says
INT8 = 0.4  # of the time at fp32


def network(rng: random.Random, size: float = 0.0) -> dict[str, float]:
    """Work like that of real networks, from 1e7 to 1e10 multiply-accumulates unless a size is given."""
    total = size or 10 ** rng.uniform(7, 10)
    kind = rng.choice(["conv", "pointwise", "linear"])
    work = dict.fromkeys(PRIOR, 0.0)
    work |= {"conv": 0.2 * total, kind: 0.7 * total, "depthwise": 0.02 * total}
    work |= {"products": total / 300, "elements": total / 300, "weights": total / 100}
    return work | {"product_calls": rng.uniform(20, 80), "calls": rng.uniform(20, 150)}


def true_ms(work: Mapping[str, float], engine: str = "engine a", precision: str = "fp32") -> float:
    factor = COSTS[engine] * (INT8 if precision == "int8" else 1.0)
    return factor * sum(work[name] * cost for name, cost in PRIOR.items())


def observed(
    count: int, rng: random.Random, engine: str = "engine a", precision: str = "fp32", noise: float = 0.2
) -> list[Observation]:
    found = []
    for index in range(count):
        work = network(rng)
        ms = true_ms(work, engine, precision) * math.exp(rng.gauss(0, noise))
        found.append(Observation(work, engine, precision, ms, f"{engine[-1]}{precision}{index} 64x64"))
    return found


@pytest.mark.parametrize("count", [6, 8, 12, 30])
def test_the_interval_holds_about_its_share_of_unseen_networks(count: int) -> None:
    rng, inside, asked = random.Random(count), 0, 0
    for _ in range(40):
        forecaster = fit(observed(count, rng))
        for unseen in observed(15, rng):
            found = forecaster.predict(unseen.features, "engine a", "fp32")
            assert found is not None
            inside += found.low_ms <= unseen.median_ms <= found.high_ms
            asked += 1
    assert 0.83 <= inside / asked <= 0.98


def test_an_interval_holds_its_median_and_says_what_it_rests_on() -> None:
    rng = random.Random(1)
    for count, basis in [(8, "student t"), (9, "cv+")]:
        found = fit(observed(count, rng)).predict(network(rng), "engine a", "fp32")
        assert found is not None
        assert found.low_ms <= found.median_ms <= found.high_ms
        assert found.basis == basis


def test_many_sizes_of_few_networks_are_few_witnesses() -> None:
    rng = random.Random(8)
    seen = [
        Observation(o.features, o.engine, o.precision, o.median_ms, f"n{i % 4} {i}x{i}")
        for i, o in enumerate(observed(20, rng))
    ]
    found = fit(seen).predict(network(rng), "engine a", "fp32")
    assert found is not None and found.basis == "student t"


def test_a_network_unlike_all_measured_gets_a_wider_interval() -> None:
    rng = random.Random(2)
    forecaster = fit(observed(40, rng))
    near = forecaster.predict(network(rng, 3e8), "engine a", "fp32")
    strange = dict.fromkeys(PRIOR, 0.0) | {"grouped": 1e9, "other": 1e9, "calls": 3000.0}
    far = forecaster.predict(strange, "engine a", "fp32")
    assert near is not None and far is not None
    assert far.high_ms / far.low_ms > 1.15 * near.high_ms / near.low_ms


def test_an_engine_is_forecast_with_what_others_taught_and_its_own_factor() -> None:
    rng = random.Random(3)
    seen = observed(40, rng, noise=0.05) + observed(6, rng, "engine b", noise=0.05)
    work = network(rng, 1e9)
    found = fit(seen).predict(work, "engine b", "fp32")
    assert found is not None
    assert found.median_ms == pytest.approx(true_ms(work, "engine b"), rel=0.15)


def test_the_factor_of_a_precision_is_learned_from_few() -> None:
    rng = random.Random(4)
    seen = observed(30, rng, noise=0.05) + observed(3, rng, precision="int8", noise=0.05)
    work = network(rng, 1e9)
    found = fit(seen).predict(work, "engine a", "int8")
    assert found is not None
    assert found.median_ms == pytest.approx(true_ms(work, precision="int8"), rel=0.2)


def test_nothing_is_said_of_what_was_hardly_measured() -> None:
    rng = random.Random(5)
    five = observed(5, rng)
    sizes = [
        Observation(o.features, o.engine, o.precision, o.median_ms, f"one {i}x{i}") for i, o in enumerate(five * 2)
    ]
    for seen, precision, reason in [
        ([], "fp32", "0 measured with engine a on this machine, 6 are needed for a forecast"),
        (five, "fp32", "5 measured with engine a on this machine, 6 are needed for a forecast"),
        (sizes, "fp32", "1 networks measured with engine a at fp32, 3 are needed for a forecast"),
        (observed(20, rng), "int8", "0 networks measured with engine a at int8, 3 are needed for a forecast"),
    ]:
        forecaster = fit(seen)
        assert forecaster.predict(network(rng), "engine a", precision) is None
        assert forecaster.silence("engine a", precision) == reason


def test_work_of_an_older_count_is_refused_with_the_missing_names() -> None:
    old = {name: 1.0 for name in PRIOR if name != "grouped"}
    with pytest.raises(WorkMissing, match="the counted work lacks grouped"):
        fit([Observation(old, "engine a", "fp32", 1.0, "x")])


def test_a_network_without_work_is_refused() -> None:
    with pytest.raises(WorkMissing, match="the counted work is none"):
        fit([]).predict(dict.fromkeys(PRIOR, 0.0), "engine a", "fp32")


@pytest.mark.parametrize("ms", [0.0, -1.0, math.nan, math.inf])
def test_a_latency_that_is_none_is_refused(ms: float) -> None:
    with pytest.raises(ValueError, match="cannot have been measured"):
        fit([Observation(dict.fromkeys(PRIOR, 1.0), "engine a", "fp32", ms, "x")])


class Bench:
    """Measures options as the true costs say, and keeps the steps."""

    def __init__(self, options: list[Option], limit_ms: float | None, breaks: Callable[[Option], bool]) -> None:
        self.options, self.limit_ms, self.breaks = options, limit_ms, breaks
        self.tried: dict[tuple[str, str, str], Tried] = {}
        self.seen: list[Observation] = []

    def run(self) -> Step:
        while True:
            step = next_to_measure(self.options, self.tried, self.seen, self.limit_ms)
            if step.measure is None:
                return step
            option = step.measure
            ms = true_ms(option.features)
            holds = not self.breaks(option) and (self.limit_ms is None or ms <= self.limit_ms)
            assert option.key not in self.tried
            self.tried[option.key] = Tried(holds, step.why)
            if not self.breaks(option):
                self.seen.append(Observation(option.features, option.engine, option.precision, ms, option.title))

    def whys(self) -> list[str]:
        return [done.why for done in self.tried.values()]


def bench(limit_ms: float | None, breaks: Callable[[Option], bool] = lambda option: False) -> Bench:
    """Forty options, the better expected the slower: n0 is best and slowest."""
    rng = random.Random(6)
    sizes = [10 ** (10 - 3 * i / 39) for i in range(40)]
    return Bench(
        [Option(f"n{i} 64x64", network(rng, s), "engine a", "fp32") for i, s in enumerate(sizes)], limit_ms, breaks
    )


def truth(found: Bench) -> str:
    assert found.limit_ms is not None
    return next(o.title for o in found.options if true_ms(o.features) <= found.limit_ms)


def test_without_a_limit_the_best_expected_alone_is_measured() -> None:
    found = bench(None)
    assert found.run().why == "found"
    assert list(found.tried) == [("n0 64x64", "engine a", "fp32")]


@pytest.mark.parametrize("limit_ms", [3.0, 10.0, 40.0, 100.0])
def test_the_search_finds_the_best_that_holds_with_a_third_of_the_measurements(limit_ms: float) -> None:
    found = bench(limit_ms)
    step = found.run()
    assert step.why == "found"
    assert step.reason.startswith(truth(found))
    assert len(found.tried) <= len(found.options) / 3
    assert found.whys().count("seed") <= SEEDS


def test_the_hopeless_are_listed_with_their_forecast() -> None:
    found = bench(10.0)
    step = found.run()
    assert step.skipped
    for skipped in step.skipped:
        assert skipped.forecast.low_ms > 10.0
        assert skipped.option.key not in found.tried
        assert skipped.reason.startswith("forecast ") and skipped.reason.endswith("beyond 10 ms as a whole")


def test_exhausted_is_said_only_after_the_fastest_of_the_skipped_were_measured() -> None:
    found = bench(0.01)
    step = found.run()
    assert step.why == "exhausted"
    assert found.whys().count("last") == LAST_RESORT
    assert len(step.skipped) == len(found.options) - len(found.tried)
    assert all(skipped.forecast.low_ms > 0.01 for skipped in step.skipped)


def test_options_that_broke_while_measured_are_not_asked_for_again() -> None:
    found = bench(10.0, breaks=lambda option: int(option.title[1:].split()[0]) % 3 == 0)
    step = found.run()
    assert step.why == "found"
    assert not any(found.breaks(o) and done.holds for o in found.options if (done := found.tried.get(o.key)))


def test_all_are_measured_when_all_break() -> None:
    found = bench(10.0, breaks=lambda option: True)
    assert found.run().why == "exhausted"
    assert len(found.tried) == len(found.options)


def test_few_options_are_measured_best_first_without_seeds() -> None:
    few = bench(10.0)
    few.options = few.options[-5:]
    assert few.run().why == "found"
    assert few.whys() == ["best"]


def test_what_earlier_jobs_measured_makes_seeds_needless() -> None:
    found = bench(10.0)
    found.seen = observed(20, random.Random(7), noise=0.05)
    assert found.run().reason.startswith(truth(found))
    assert "seed" not in found.whys()


def test_work_is_read_from_the_operators_as_they_run() -> None:
    import torch
    from torch import nn

    from edge.trainers.reference import work

    class Small(nn.Module):  # type: ignore[misc]  # torch is untyped here
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(3, 8, 3, padding=1, bias=False),
                nn.BatchNorm2d(8),
                nn.ReLU(),
                nn.Conv2d(8, 8, 3, padding=1, groups=8),
                nn.Conv2d(8, 8, 3, padding=1, groups=2),
                nn.Conv2d(8, 4, 1),
                nn.ConvTranspose2d(4, 2, 2, stride=2),
            )
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.head = nn.Linear(8, 5)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            tokens = self.body(image).reshape(1, -1, 8)
            answer: torch.Tensor = self.head(self.attention(tokens, tokens, tokens)[0])
            return answer

    found = work(Small().eval(), 6, 4)
    assert torch.backends.mha.get_fastpath_enabled()
    assert found["conv"] == 24 * 8 * 27 + 24 * 4 * 2 * 4
    assert found["depthwise"] == 24 * 8 * 9
    assert found["grouped"] == 24 * 8 * 4 * 9
    assert found["pointwise"] == 24 * 4 * 8
    tokens = 24 * 4 * 2 // 8
    assert found["linear"] == tokens * 8 * 24 + tokens * 8 * 8 + tokens * 8 * 5
    assert found["other"] == 2 * tokens * tokens * 8
    assert found["pixels"] == 24
    assert found["weights"] == sum(p.numel() for p in Small().parameters())
    assert found["product_calls"] == 5 + 3 + 2
    assert found["calls"] >= 2  # ReLU and softmax; batch norm folds away
