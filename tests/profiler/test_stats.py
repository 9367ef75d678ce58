"""Facts about verdicts and summaries."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.errors import BadSamples
from profiler.stats import Outcome, median_sequence, summary, uncertainty, verdict, verdict_beside_load

latencies = st.lists(st.floats(min_value=0.01, max_value=1e4), min_size=1, max_size=300)


@pytest.mark.parametrize(("quantile", "needed"), [(0.90, 64), (0.95, 130), (0.99, 662)])
def test_a_clean_pass_needs_as_many_queries_as_mlperf_says(quantile: float, needed: int) -> None:
    assert verdict([1.0] * needed, 2.0, quantile).outcome is Outcome.PASS
    assert verdict([1.0] * (needed - 1), 2.0, quantile).outcome is Outcome.UNDECIDED


def test_two_misses_need_107_queries() -> None:
    apart = [*[1.0] * 20, 9.0, *[1.0] * 50, 9.0]
    assert verdict([*apart, *[1.0] * 34], 2.0).outcome is Outcome.UNDECIDED
    assert verdict([*apart, *[1.0] * 35], 2.0).outcome is Outcome.PASS


def test_misses_in_a_row_are_no_witnesses_of_their_own() -> None:
    together = verdict([*[1.0] * 120, *[9.0] * 8, *[1.0] * 192], 2.0)
    apart = verdict(([1.0] * 39 + [9.0]) * 8, 2.0)
    assert (together.queries, together.over) == (apart.queries, apart.over) == (320, 8)
    assert apart.outcome is Outcome.PASS
    assert together.outcome is Outcome.UNDECIDED
    assert apart.independent == 320
    assert together.independent < 80
    assert apart.counted == "312 of 320 queries within 2.00 ms"
    assert together.counted == f"{apart.counted}, slow ones in clusters, so worth {together.independent:.0f}"


def test_three_misses_of_three_are_a_fail_at_99_percent_and_one_of_one_is_not() -> None:
    assert verdict([9.0] * 3, 2.0).outcome is Outcome.FAIL
    assert verdict([9.0], 2.0).outcome is Outcome.UNDECIDED


def test_a_latency_equal_to_the_limit_is_within_it() -> None:
    assert verdict([2.0] * 64, 2.0).over == 0


def test_a_drift_far_below_the_limit_is_no_doubt_and_one_that_nears_it_is() -> None:
    slowly = [2.0 + 0.0001 * n for n in range(1000)]
    assert verdict(slowly, 33.0).outcome is Outcome.PASS
    assert verdict(slowly, 33.0).independent == 1000
    assert verdict(slowly, 2.11).outcome is Outcome.UNDECIDED


def test_a_fail_on_loaded_windows_alone_is_undecided_and_a_pass_stands() -> None:
    quick, slow = [1.0] * 64, [9.0] * 64
    both = [1.0, 9.0] * 64
    assert verdict(both, 2.0).outcome is Outcome.FAIL
    assert _beside(both, quick) is Outcome.UNDECIDED
    assert _beside(both, []) is Outcome.UNDECIDED
    assert _beside(both, slow) is Outcome.FAIL
    assert _beside(quick, []) is Outcome.PASS
    assert verdict_beside_load([], [], 2.0) is None


def _beside(samples: list[float], undisturbed: list[float]) -> Outcome:
    found = verdict_beside_load(samples, undisturbed, 2.0)
    assert found is not None
    return found.outcome


@given(latencies, st.floats(min_value=0.01, max_value=1e4))
def test_a_softer_limit_never_turns_a_pass_into_a_fail(samples: list[float], limit: float) -> None:
    if verdict(samples, limit).outcome is Outcome.PASS:
        assert verdict(samples, limit * 2).outcome is not Outcome.FAIL


@given(latencies)
def test_summary_is_ordered_and_rates_are_inverse_times(samples: list[float]) -> None:
    figures = summary(samples)
    assert figures.min <= figures.median <= figures.p90 <= figures.p99 <= figures.max
    assert figures.fps_p90 == pytest.approx(1000 / figures.p90)
    assert sum(sample <= figures.p90 for sample in samples) >= 0.9 * len(samples) - 1e-6


def test_p90_of_ten_is_the_ninth() -> None:
    assert summary([float(n) for n in range(1, 11)]).p90 == 9.0


def test_the_median_leaves_its_interval_in_hardly_any_run_although_it_is_looked_at_after_each_window() -> None:
    import numpy as np

    rng, missed = np.random.default_rng(2), 0
    for _ in range(300):
        samples = rng.lognormal(0, 0.2, 512)
        looks = [median_sequence(samples[:n].tolist(), 0.01) for n in range(32, 513, 32)]
        missed += any(look is not None and not look[0] <= 1.0 <= look[1] for look in looks)
    assert missed / 300 <= 0.02


def test_few_samples_have_no_interval() -> None:
    assert median_sequence([1.0] * 8, 0.01) is None


@pytest.mark.parametrize("bad", [[], [0.0], [-1.0], [float("nan")], [float("inf")]])
def test_numbers_that_are_no_latencies_are_refused(bad: list[float]) -> None:
    with pytest.raises(BadSamples):
        verdict(bad, 1.0)
    with pytest.raises(BadSamples):
        summary(bad)


def test_a_verdict_says_its_outcome_in_json() -> None:
    assert json.dumps(verdict([1.0] * 64, 2.0).outcome) == '"PASS"'


def test_the_median_lies_as_near_as_it_says_in_95_of_100_measurements() -> None:
    drawn = np.random.default_rng(7).lognormal(mean=np.log(10.0), sigma=0.03, size=(4000, 8))
    said = [uncertainty(medians) for medians in drawn.tolist()]
    off = np.abs(np.log(drawn).mean(axis=1) - np.log(10.0))
    held = np.mean([away <= np.log1p(share) for away, share in zip(off, said, strict=True) if share is not None])
    assert 0.94 <= held <= 0.96


def test_too_few_windows_tell_no_uncertainty() -> None:
    assert uncertainty([10.0, 10.1, 10.2]) is None
    assert uncertainty([10.0] * 4) == 0
