"""Facts about evidence that may be looked at at any time."""

import importlib.util
import sys
from math import log
from pathlib import Path
from types import ModuleType

import pytest

from profiler import sequential
from profiler.sequential import evidence_above, evidence_below, quantile_ranks
from profiler.stats import Outcome, verdict

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "verdicts.py"


@pytest.fixture(scope="module")
def verdicts() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verdicts", BENCHMARK)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["verdicts"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("within", "over", "share"), [(62, 0, 0.9), (50, 9, 0.9), (3, 30, 0.5), (0, 4, 0.9)])
def test_the_evidence_is_the_integral_it_stands_for(within: int, over: int, share: float) -> None:
    from scipy.integrate import quad

    def ratio(p: float) -> float:
        return float((p / share) ** within * ((1 - p) / (1 - share)) ** over)

    above = quad(ratio, share, 1)[0] / (1 - share)
    below = quad(ratio, 0, share)[0] / share
    assert evidence_above(within, over, share) == pytest.approx(log(above), abs=1e-6)
    assert evidence_below(within, over, share) == pytest.approx(log(below), abs=1e-6)


def test_the_likelihood_ratio_is_a_fair_game_at_the_claimed_share() -> None:
    # the mean of the ratio over all outcomes of ten trials at p = q is 1: a martingale
    from math import exp

    from scipy.stats import binom

    mean = sum(binom.pmf(k, 10, 0.9) * exp(evidence_above(k, 10 - k, 0.9)) for k in range(11))
    assert mean == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("within", "over"), [(0, 10**6), (10**6, 0), (888_900, 111_100), (500_000, 500_000), (10**6 - 1, 1), (1, 10**6)]
)
def test_a_million_queries_and_extreme_shares_stay_finite(within: int, over: int) -> None:
    import math

    assert math.isfinite(evidence_above(within, over, 0.9))
    assert math.isfinite(evidence_below(within, over, 0.9))


@pytest.mark.parametrize(("within", "over"), [(50, 50), (100, 900), (2, 40)])
def test_the_sum_for_tiny_tails_equals_the_function_where_both_hold(
    within: int, over: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = evidence_above(within, over, 0.9)
    monkeypatch.setattr(sequential, "SMALL", 1.0)
    assert evidence_above(within, over, 0.9) == pytest.approx(usual, rel=1e-9)


def test_ranks_of_the_median_close_in_on_the_middle() -> None:
    assert quantile_ranks(8, 0.5, 0.001) is None
    widths = []
    for n in (32, 128, 512):
        ranks = quantile_ranks(n, 0.5, 0.001)
        assert ranks is not None
        assert ranks[0] + ranks[1] == n + 1
        widths.append((ranks[1] - ranks[0]) / n)
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize("share", [0.895, 0.90, 0.905])
def test_looking_after_every_window_makes_at_most_one_false_verdict_in_a_hundred(
    verdicts: ModuleType, share: float
) -> None:
    for draw, limit_at in verdicts.independent().values():
        rates = verdicts.simulate(draw, limit_at(share), {"used": verdicts.used}, 1000, seed=7, queries=1024)["used"]
        assert verdicts.error_rate(rates, share) <= 0.01


def test_the_simulated_rule_is_the_one_that_is_used(verdicts: ModuleType) -> None:
    import numpy as np

    said = {Outcome.PASS: 1, Outcome.FAIL: -1, Outcome.UNDECIDED: 0}
    for draw, limit_at in (*verdicts.independent().values(), *verdicts.dependent().values()):
        for share in (0.8, 0.9, 0.97):
            latencies, limit = draw(np.random.default_rng(3), (20, 192)), limit_at(share)
            singly = [said[verdict(row, limit).outcome] for row in latencies.tolist()]
            assert verdicts.used(latencies, limit).tolist() == singly


def test_other_rules_are_wrong_more_often_than_they_say(verdicts: ModuleType) -> None:
    draw, limit_at = verdicts.independent()["lognormal"]
    looked_at = verdicts.simulate(draw, limit_at(0.9), {"one-look": verdicts.one_look}, 2000, seed=7)["one-look"]
    assert looked_at.passed > 0.03
    assert looked_at.failed > 0.03
    draw, limit_at = verdicts.dependent()["AR(1) 0.7"]
    rules = {"used": verdicts.used, "each": verdicts.each}
    found = verdicts.simulate(draw, limit_at(0.9), rules, 500, seed=7, queries=1024)
    assert found["each"].passed > 0.1
    assert found["used"].passed < 0.03
