"""Facts about windows in which the machine was not ours, or not as fast as it can be."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, median
from typing import Any

import psutil
import pytest

from profiler import load
from profiler.canary import Pace, canary_ns
from profiler.load import Load, Watch, frequency_mhz, throttles
from profiler.record import Profile
from profiler.session import Candidate, measure
from profiler.stats import Outcome

HERE = Path(__file__).parent
QUICK: dict[str, Any] = {"warmup_cap_s": 0.5, "max_seconds": 2.0, "hang_seconds": 2.0}
WINDOW_S, HOGGED_WINDOWS = 0.1, 10


@pytest.fixture(autouse=True)
def _factories_are_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))


class Hogs:
    """Three spinning programs per CPU, from one window to another."""

    def __init__(self, first: int, last: int) -> None:
        self._first, self._last, self._seen = first, last, 0
        self._running: list[subprocess.Popen[bytes]] = []

    def on_progress(self, _name: str, phase: str, _queries: int) -> None:
        if phase != "pipeline":
            return
        self._seen += 1
        if self._seen == self._first:
            command = [sys.executable, "-c", "print(flush=True)\nwhile True: pass"]
            count = 3 * len(psutil.Process().cpu_affinity() or [0])
            self._running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(count)]
            for hog in self._running:
                assert hog.stdout is not None
                hog.stdout.readline()
        elif self._seen == self._last:
            self.end()

    def end(self) -> None:
        for hog in self._running:
            hog.kill()
            hog.wait()
            if hog.stdout is not None:
                hog.stdout.close()
        self._running = []


@pytest.fixture
def hogs() -> Iterator[Hogs]:
    made = Hogs(8, 8 + HOGGED_WINDOWS)
    yield made
    made.end()


def test_windows_beside_a_real_hog_are_detected_and_not_used(hogs: Hogs) -> None:
    (profile,) = measure(
        [Candidate("worker", "fake_candidates:worker", {"steps": 30_000})],
        **{**QUICK, "max_seconds": 8.0, "hang_seconds": 20.0},
        min_queries=32 * 16,
        retries=200,
        on_progress=hogs.on_progress,
    )
    before, during = profile.windows[:8], profile.windows[8 : 8 + HOGGED_WINDOWS]
    if sum(window.disturbed for window in before) > 2 or profile.disturbed:
        pytest.skip("others use this machine: what a hog adds cannot be told from what they do")
    assert all(window.disturbed and not window.counted for window in during)
    assert any("others used the CPU" in window.reason for window in during)
    quiet = sum(window.queries for window in before if window.counted)
    samples = profile.samples_ms["pipeline"]
    assert median(samples) == pytest.approx(median(samples[:quiet]), rel=0.05)
    assert fmean(profile.rejected_ms["pipeline"]) > fmean(samples)


def test_a_slow_cpu_disturbs_although_nobody_else_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "FOREIGN_LIMIT_CORES", 1e9)
    monkeypatch.setattr(load, "SLOW", 0.5)
    (profile,) = measure([Candidate("a", "fake_candidates:sleeper")], **QUICK, retries=1)
    assert profile.disturbed
    assert [window.counted for window in profile.windows[:2]] == [False, True]
    assert "slower than at its best" in profile.windows[0].reason
    assert profile.windows[0].slowdown is not None


def test_a_fail_that_rests_on_disturbed_windows_is_undecided_and_a_pass_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "FOREIGN_LIMIT_CORES", -1e9)
    slow, quick = measure(
        [Candidate("slow", "fake_candidates:sleeper", {"ms": 6}), Candidate("quick", "fake_candidates:sleeper")],
        limit_ms=5,
        **{**QUICK, "max_seconds": 0.8},
        retries=0,
    )
    assert outcome(slow) is Outcome.UNDECIDED
    assert outcome(quick) is Outcome.PASS


def outcome(profile: Profile) -> Outcome | None:
    return profile.verdict.outcome if profile.verdict else None


def test_the_slowdown_is_against_the_best_seen_of_a_few() -> None:
    pace = Pace()
    assert pace.slowdown([100, 110]) == 1.1
    assert pace.slowdown([120, 105]) == 1.2
    assert pace.slowdown([80, 80]) == 1.0
    assert pace.slowdown([100, 100]) == 1.25


def test_one_lucky_canary_makes_no_slow_machine_of_all_others() -> None:
    pace = Pace([100] * 6)
    assert [pace.slowdown([100, 101]) for _ in range(4)] == [1.01] * 4
    assert pace.slowdown([92, 100]) == 1.0
    assert pace.slowdown([100, 101]) == 1.01
    assert pace.slowdown([107, 100]) == 1.07
    assert pace.best_ns == 100


def test_the_canary_takes_about_a_millisecond_in_all() -> None:
    assert 10_000 < canary_ns() < 5_000_000


def cpu(root: Path, number: int, throttled: int, khz: int) -> None:
    for name, value in {
        "thermal_throttle/core_throttle_count": throttled,
        "cpufreq/scaling_cur_freq": khz,
    }.items():
        file = root / f"cpu{number}" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{value}\n")


def test_throttling_and_the_clock_are_read_where_the_kernel_tells_them(tmp_path: Path) -> None:
    assert throttles([0, 1], tmp_path) is None
    assert frequency_mhz([0, 1], tmp_path) is None
    cpu(tmp_path, 0, 3, 2_000_000)
    cpu(tmp_path, 1, 4, 3_000_000)
    assert throttles([0, 1], tmp_path) == 7
    assert frequency_mhz([0, 1], tmp_path) == 2500.0


def test_throttling_during_a_window_disturbs_it(tmp_path: Path) -> None:
    import os

    first = min(os.sched_getaffinity(0))
    cpu(tmp_path, first, 3, 2_000_000)
    watch = Watch(tmp_path)
    cpu(tmp_path, first, 5, 1_000_000)
    found = watch.stop(0.0)
    assert found.throttled == 2
    assert "throttled for heat" in found.disturbance(1.0)


@pytest.mark.parametrize(
    ("seen", "slowdown", "reason"),
    [
        (Load(0.1, 0.3, None), 1.04, ""),
        (Load(0.8, 0.3, None), 1.0, "others used the CPU (0.8 cores)"),
        (Load(0.0, 0.3, None), 1.12, "the CPU was 12% slower than at its best"),
        (Load(0.8, 0.3, None, 1), 1.12, "others used the CPU (0.8 cores), the CPU was 12% slower than at its best,"),
    ],
)
def test_a_disturbance_says_what_it_was(seen: Load, slowdown: float, reason: str) -> None:
    assert seen.disturbance(slowdown).startswith(reason)
    assert bool(seen.disturbance(slowdown)) == bool(reason)
