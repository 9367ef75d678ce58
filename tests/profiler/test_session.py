"""Facts about measuring: isolation, warm-up, racing, failure, cleaning up."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from profiler import load
from profiler.child import _window
from profiler.errors import BadPlan
from profiler.run import is_steady
from profiler.session import Candidate, Profile, measure
from profiler.stats import Outcome

HERE = Path(__file__).parent
QUICK: dict[str, Any] = {"warmup_cap_s": 0.5, "max_seconds": 2.0, "hang_seconds": 2.0, "retries": 0}


@pytest.fixture(autouse=True)
def _factories_are_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))


@pytest.fixture(autouse=True)
def _the_machine_counts_as_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested here must not hang on what else this machine does; disturbances have tests of their own."""
    monkeypatch.setattr(load, "FOREIGN_LIMIT_CORES", 1e9)
    monkeypatch.setattr(load, "SLOW", 1e9)


def candidate(function: str, name: str | None = None, **kwargs: Any) -> Candidate:
    return Candidate(name or function, f"fake_candidates:{function}", kwargs)


def only(profiles: list[Profile]) -> Profile:
    (profile,) = profiles
    return profile


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def await_end(*pids: int) -> bool:
    deadline = time.monotonic() + 5
    while any(is_running(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(is_running(pid) for pid in pids)


def test_a_sleep_is_timed_as_long_as_it_is_and_passes_a_soft_limit() -> None:
    profile = only(measure([candidate("sleeper", ms=2)], limit_ms=50, **QUICK))
    assert profile.error is None
    assert profile.verdict is not None
    assert profile.verdict.outcome is Outcome.PASS
    assert len(profile.samples_ms["pipeline"]) >= 64
    assert 2.0 <= profile.summary().median < 20.0
    assert profile.facts == {"sleep_ms": 2}
    assert profile.peak_rss_mb is not None
    assert profile.affinity == tuple(sorted(os.sched_getaffinity(0)))


def test_every_scope_gets_64_samples_and_only_one_is_judged() -> None:
    profile = only(measure([candidate("sleeper", ms=1, device_ms=0.5)], scope="pipeline", limit_ms=50, **QUICK))
    assert {scope: len(samples) >= 64 for scope, samples in profile.samples_ms.items()} == {
        "pipeline": True,
        "device": True,
    }


def test_the_slow_one_is_dropped_early_and_the_quick_one_is_not() -> None:
    slow, quick = measure(
        [candidate("sleeper", "slow", ms=40), candidate("sleeper", "quick", ms=1)], limit_ms=20, **QUICK
    )
    assert slow.dropped
    assert slow.verdict is not None
    assert slow.verdict.outcome is Outcome.FAIL
    assert len(slow.samples_ms["pipeline"]) < 64
    assert any(warning.startswith("DROPPED:") for warning in slow.warnings)
    assert not quick.dropped


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (candidate("crashing_factory"), "RuntimeError: the file is not a model"),
        (candidate("exiting_factory"), "SystemExit: no licence"),
        (candidate("dying"), "ended by signal SIGSEGV. Its last words: fatal: cannot go on"),
        (candidate("not_there"), "AttributeError"),
        (Candidate("elsewhere", "no_such_module:make"), "ModuleNotFoundError"),
        (candidate("sleeper", unknown=1), "TypeError"),
    ],
)
def test_a_broken_candidate_is_a_profile_with_its_error_and_the_others_go_on(broken: Candidate, words: str) -> None:
    first, second = measure([broken, candidate("sleeper", "sound")], **QUICK)
    assert first.error is not None
    assert words in first.error
    assert first.verdict is None
    assert second.error is None
    assert len(second.samples_ms["pipeline"]) >= 64


def test_a_hanging_candidate_is_ended() -> None:
    profile = only(measure([candidate("hanging")], **{**QUICK, "hang_seconds": 0.3}))
    assert profile.error is not None
    assert profile.error.startswith("gave no answer within")


def test_a_greedy_candidate_is_ended_at_its_memory_limit() -> None:
    profile = only(measure([candidate("greedy", mb=60)], memory_limit_mb=150, **QUICK))
    assert profile.error is not None
    assert "more than its limit of 150 MB" in profile.error


def test_noise_on_stdout_from_python_and_from_native_code_is_no_answer() -> None:
    profile = only(measure([candidate("noisy")], **QUICK))
    assert profile.error is None


def test_an_unknown_scope_names_those_there_are() -> None:
    profile = only(measure([candidate("sleeper")], scope="runtime", **QUICK))
    assert profile.error == "fake_candidates:sleeper gives no scope 'runtime', only pipeline"


def test_threads_are_set_before_the_start_and_the_child_has_its_own_session() -> None:
    profile = only(measure([candidate("environment")], threads=2, **QUICK))
    assert profile.threads == 2
    assert profile.facts["OMP_NUM_THREADS"] == profile.facts["MKL_NUM_THREADS"] == "2"
    assert profile.facts["own_session"] is True


def test_a_candidate_that_keeps_getting_slower_is_labelled_unstable_and_drifting() -> None:
    profile = only(measure([candidate("tiring", ms=1)], **QUICK))
    assert not profile.stable
    assert [warning.split(":")[0] for warning in profile.warnings if warning[:5] in ("UNSTA", "DRIFT")] == [
        "UNSTABLE",
        "DRIFT",
    ]


@pytest.mark.parametrize(
    ("medians", "steady"),
    [([1.0, 1.0], False), ([9.0, 1.0, 1.04, 1.049], True), ([1.0, 1.0, 1.06], False), ([], False)],
)
def test_warm_means_three_medians_within_5_percent(medians: list[float], steady: bool) -> None:
    assert is_steady(medians) is steady


def test_windows_under_foreign_load_are_repeated_up_to_the_cap_then_counted_and_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(load, "FOREIGN_LIMIT_CORES", -1e9)
    profile = only(measure([candidate("sleeper")], **{**QUICK, "retries": 2}))
    assert [window.counted for window in profile.windows[:3]] == [False, False, True]
    assert len(profile.rejected_ms["pipeline"]) >= 64
    assert len(profile.samples_ms["pipeline"]) >= 64
    assert [warning.split(":")[0] for warning in profile.warnings if "window" in warning][-2:] == [
        "DISTURBED",
        "REPEATED",
    ]


def test_a_profile_survives_json() -> None:
    for profile in measure([candidate("sleeper"), candidate("crashing_factory")], limit_ms=5, **QUICK):
        assert Profile.from_json(json.loads(json.dumps(profile.to_json()))) == profile


def test_children_and_their_children_are_gone_afterwards(tmp_path: Path) -> None:
    pid_file = tmp_path / "pids"
    measure([candidate("with_grandchild", pid_file=str(pid_file))], **QUICK)
    assert await_end(*map(int, pid_file.read_text().split()))


def test_a_child_dies_with_a_killed_parent(tmp_path: Path) -> None:
    pid_file = tmp_path / "pids"
    script = (
        "from profiler.session import Candidate, measure\n"
        f"measure([Candidate('x', 'fake_candidates:with_grandchild', {{'pid_file': {str(pid_file)!r}}})],"
        " min_queries=10**6, max_seconds=60.0)\n"
    )
    roots = os.pathsep.join([str(HERE), str(HERE.parent.parent)])
    parent = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": roots})
    try:
        deadline = time.monotonic() + 20
        while not (pid_file.exists() and len(pid_file.read_text().split()) == 2) and time.monotonic() < deadline:
            time.sleep(0.02)
        child, grandchild = map(int, pid_file.read_text().split())
        parent.kill()
        parent.wait()
        assert await_end(child)
        os.kill(grandchild, signal.SIGKILL)  # the kernel's signal reaches children only
    finally:
        parent.kill()
        parent.wait()


def test_an_impossible_plan_names_all_its_faults() -> None:
    with pytest.raises(BadPlan, match=r"threads is 0; limit_ms is -1; a: 'nothing'; names used twice: a"):
        measure([Candidate("a", "nothing"), Candidate("a", "m:f")], threads=0, limit_ms=-1)
    with pytest.raises(BadPlan, match="no candidate"):
        measure([])


def test_importing_the_package_loads_nothing_heavy() -> None:
    script = (
        "import profiler.session, profiler.hardware, profiler.child, zoo.datasets, zoo.labels, zoo.metrics, zoo.demo,"
        " zoo.datasets.check, zoo.datasets.split, sys;"
        "print({'numpy', 'scipy', 'cv2', 'psutil', 'PIL', 'pycocotools', 'sklearn'} & set(sys.modules))"
    )
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent.parent)}
    answer = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"


def test_the_slower_of_a_group_is_beaten_by_name_and_one_outside_is_not() -> None:
    quick, slow, other = measure(
        [
            Candidate("quick", "fake_candidates:sleeper", {"ms": 1}, group="g"),
            Candidate("slow", "fake_candidates:sleeper", {"ms": 10}, group="g"),
            Candidate("other", "fake_candidates:sleeper", {"ms": 10}),
        ],
        tie_queries=64,
        **QUICK,
    )
    assert (quick.beaten, slow.beaten, other.beaten) == (False, True, False)
    assert slow.dropped
    assert slow.group == "g"
    assert any(warning.startswith("BEATEN: by quick: ") for warning in slow.warnings)
    assert len(slow.samples_ms["pipeline"]) < 64 <= len(other.samples_ms["pipeline"])


def test_no_more_than_stated_are_loaded_together() -> None:
    seen: list[int] = []

    def count(*_: object) -> None:
        seen.append(len(psutil.Process().children()))

    before = len(psutil.Process().children())
    names = [f"c{number}" for number in range(5)]
    profiles = measure([candidate("sleeper", name) for name in names], together=2, on_progress=count, **QUICK)
    assert [profile.name for profile in profiles] == names
    assert all(len(profile.samples_ms["pipeline"]) >= 64 for profile in profiles)
    assert max(seen) - before == 2


def test_energy_is_told_with_its_source_or_with_the_reason_why_not() -> None:
    energy = only(measure([candidate("sleeper")], **QUICK)).energy
    assert energy is not None
    if energy.joules_per_query is None:
        assert energy.reason
    else:
        assert energy.joules_per_query > 0


def test_a_profile_from_before_disturbances_and_energy_were_recorded_is_still_read() -> None:
    document = json.loads(json.dumps(only(measure([candidate("sleeper")], limit_ms=50, **QUICK)).to_json()))
    for name in ("group", "beaten", "energy"):
        del document[name]
    for window in document["windows"]:
        for name in ("disturbed", "reason", "slowdown", "throttled", "joules"):
            del window[name]
    profile = Profile.from_json(document)
    assert not profile.disturbed
    assert profile.energy is None


def test_the_loop_that_times_adds_less_than_one_percent_to_a_call_of_50_us() -> None:
    def nothing() -> None: ...

    calls = 2000
    bare, timed = [], []
    for _ in range(30):
        start = time.perf_counter_ns()
        for _ in range(calls):
            nothing()
        bare.append(time.perf_counter_ns() - start)
        timed.append(_window(nothing, calls, 0, 60)["wall_s"] * 1e9)
    assert (min(timed) - min(bare)) / calls < 500
