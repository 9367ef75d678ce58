"""Facts about running at a rate, and for long."""

import time
from pathlib import Path
from typing import Any

import pytest

from profiler.errors import BadPlan
from profiler.paced import Paced, paced, soak
from profiler.pacing import serve, wait
from profiler.session import Candidate
from profiler.trend import Course, trend

HERE = Path(__file__).parent
QUICK: dict[str, Any] = {"warmup_cap_s": 0.3, "hang_seconds": 2.0}


@pytest.fixture(autouse=True)
def _factories_are_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))


def candidate(function: str, **kwargs: Any) -> Candidate:
    return Candidate(function, f"fake_candidates:{function}", kwargs)


def test_queries_run_at_their_instants_and_all_are_kept() -> None:
    found = paced(candidate("sleeper", ms=1), fps=50, seconds=0.6, **QUICK)
    assert found.error is None
    assert found.arrivals == len(found.latency_ms) == len(found.late_ms) == 30
    assert min(found.late_ms) >= 0
    # some begin at once, whatever else this machine does
    assert sorted(found.late_ms)[5] < 2.0
    assert found.facts == {"sleep_ms": 1}
    assert found.memory_growth_mb is not None


def test_one_that_needs_longer_than_its_period_misses_its_deadlines() -> None:
    found = paced(candidate("sleeper", ms=15), fps=100, seconds=0.3, **QUICK)
    assert found.missed == found.arrivals == 30
    assert max(found.lateness_ms) > 50
    # late ones begin at once
    assert found.late_ms[-1] > found.late_ms[0]


def test_what_was_never_served_is_missed() -> None:
    served = serve(lambda: time.sleep(0.05), fps=100, seconds=0.1)
    assert served["arrivals"] == 10
    assert len(served["latencies_ns"]) <= 5
    record = Paced("a", "pipeline", 100, 0.1, 1, 10, (0.0, 40.0), (50.0, 50.0))
    assert record.missed == 10


def test_lateness_counts_from_the_arrival_to_the_end_of_its_period() -> None:
    record = Paced("a", "pipeline", 100, 0.1, 1, 2, (0.0, 2.0), (9.0, 9.5))
    assert record.lateness_ms == pytest.approx((-1.0, 1.5))
    assert record.missed == 1


def test_a_wait_ends_never_too_early() -> None:
    for ns in (0, 10_000, 700_000, 3_000_000):
        due = time.perf_counter_ns() + ns
        wait(due)
        assert time.perf_counter_ns() >= due


def test_growing_memory_is_seen() -> None:
    found = paced(candidate("hoarder", mb_per_call=1), fps=50, seconds=0.6, **QUICK)
    assert found.memory_growth_mb is not None
    assert found.memory_growth_mb > 15


def test_a_broken_one_is_a_record_with_its_error() -> None:
    assert "not a model" in (paced(candidate("crashing_factory"), fps=10, seconds=1, **QUICK).error or "")
    failed = soak(candidate("dying", after=150), seconds=5, window_s=0.2, **QUICK)
    assert "SIGSEGV" in (failed.error or "")
    assert failed.trend.course is Course.CANT_TELL


@pytest.mark.parametrize("fps", [None, 200.0])
def test_a_soak_has_windows_over_its_whole_time(fps: float | None) -> None:
    found = soak(candidate("sleeper", ms=1), seconds=1.0, window_s=0.1, fps=fps, **QUICK)
    assert found.error is None
    assert 5 <= len(found.stretches) <= 11
    assert found.stretches[-1].at_s > 0.8
    assert all(stretch.median_ms >= 1 for stretch in found.stretches)
    assert found.memory_growth_mb is not None


def test_an_impossible_rate_is_refused_before_anything_starts() -> None:
    with pytest.raises(BadPlan, match=r"fps is 0; seconds is -1; a: 'nothing'"):
        paced(Candidate("a", "nothing"), fps=0, seconds=-1)
    with pytest.raises(BadPlan, match="1000000 queries are more than 200000"):
        paced(candidate("sleeper"), fps=1000, seconds=1000)


def course(per_min: float, noise: float, count: int = 30) -> Course:
    import numpy as np

    at_s = np.arange(count) * 10.0
    medians = 5 * (1 + per_min / 100 * at_s / 60) * np.random.default_rng(1).lognormal(0, noise, count)
    return trend(at_s.tolist(), medians.tolist()).course


def test_a_trend_is_told_from_noise() -> None:
    assert course(0, 0.005) is Course.STEADY
    assert course(4, 0.01) is Course.SLOWER
    assert course(-4, 0.01) is Course.FASTER
    assert course(0, 0.3) is Course.CANT_TELL


def test_a_trend_says_itself_in_words() -> None:
    slower = trend([0, 60, 120, 180, 240, 300], [10, 11, 12, 13, 14, 15])
    assert str(slower) == "slower by 8 %/min"
    assert str(trend([0, 1], [1, 1])) == "can't tell"
