"""Facts about verdicts and summaries."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.errors import BadSamples
from profiler.stats import Outcome, quantile_interval, summary, verdict

latencies = st.lists(st.floats(min_value=0.01, max_value=1e4), min_size=1, max_size=300)


@pytest.mark.parametrize(("quantile", "needed"), [(0.90, 64), (0.95, 130), (0.99, 662)])
def test_a_clean_pass_needs_as_many_queries_as_mlperf_says(quantile: float, needed: int) -> None:
    assert verdict([1.0] * needed, 2.0, quantile).outcome is Outcome.PASS
    assert verdict([1.0] * (needed - 1), 2.0, quantile).outcome is Outcome.UNDECIDED


def test_two_misses_in_64_queries_are_undecided_and_pass_in_more() -> None:
    assert verdict([1.0] * 62 + [9.0] * 2, 2.0).outcome is Outcome.UNDECIDED
    assert verdict([1.0] * 198 + [9.0] * 2, 2.0).outcome is Outcome.PASS


def test_three_misses_of_three_are_a_fail_at_99_percent_and_one_of_one_is_not() -> None:
    assert verdict([9.0] * 3, 2.0).outcome is Outcome.FAIL
    assert verdict([9.0], 2.0).outcome is Outcome.UNDECIDED


def test_a_latency_equal_to_the_limit_is_within_it() -> None:
    assert verdict([2.0] * 64, 2.0).over == 0


def test_bounds_equal_the_binomial_tail_they_invert() -> None:
    from scipy.stats import binom

    answer = verdict([1.0] * 90 + [9.0] * 10, 2.0)
    # one more than the ten seen: LoadGen's rule
    assert binom.cdf(11, 100, 1 - answer.within_low) == pytest.approx(0.01)
    assert binom.sf(9, 100, 1 - answer.within_high) == pytest.approx(0.01)


@given(latencies, st.floats(min_value=0.01, max_value=1e4))
def test_a_softer_limit_never_turns_a_pass_into_something_else(samples: list[float], limit: float) -> None:
    if verdict(samples, limit).outcome is Outcome.PASS:
        assert verdict(samples, limit * 2).outcome is Outcome.PASS


@given(latencies)
def test_summary_is_ordered_and_rates_are_inverse_times(samples: list[float]) -> None:
    figures = summary(samples)
    assert figures.min <= figures.median <= figures.p90 <= figures.p99 <= figures.max
    assert figures.fps_p90 == pytest.approx(1000 / figures.p90)
    assert sum(sample <= figures.p90 for sample in samples) >= 0.9 * len(samples) - 1e-6
    if figures.p90_interval is not None:
        assert figures.p90_interval[0] <= figures.p90 <= figures.p90_interval[1]


def test_p90_of_ten_is_the_ninth() -> None:
    assert summary([float(n) for n in range(1, 11)]).p90 == 9.0


def test_the_interval_of_p90_covers_it_in_95_percent_of_draws() -> None:
    import numpy as np

    rng, hits = np.random.default_rng(1), 0
    for _ in range(400):
        interval = quantile_interval(sorted(rng.random(100)), 0.9)
        assert interval is not None
        hits += interval[0] <= 0.9 <= interval[1]
    assert hits / 400 >= 0.93


def test_few_samples_have_no_interval() -> None:
    assert summary([1.0] * 20).p90_interval is None


@pytest.mark.parametrize("bad", [[], [0.0], [-1.0], [float("nan")], [float("inf")]])
def test_numbers_that_are_no_latencies_are_refused(bad: list[float]) -> None:
    with pytest.raises(BadSamples):
        verdict(bad, 1.0)
    with pytest.raises(BadSamples):
        summary(bad)


def test_a_verdict_says_its_outcome_in_json() -> None:
    assert json.dumps(verdict([1.0] * 64, 2.0).outcome) == '"PASS"'
