"""What a profile says of itself, and that older records may still be read."""

import json
from dataclasses import replace

import pytest

from profiler.energy import Energy
from profiler.record import Profile, Window, pooled


def window(memory_ns: int | None, counted: bool = True, scope: str = "pipeline") -> Window:
    return Window(scope, 1, 0.01, 1.0, 0.0, 0, None, counted, memory_ns=memory_ns)


def profile(*windows: Window) -> Profile:
    times = tuple(10.0 + number for number, window in enumerate(windows) if window.counted)
    return Profile("net", "pipeline", 1, None, {"pipeline": times}, True, windows=windows)


def test_the_way_to_memory_is_that_of_the_windows_that_count() -> None:
    found = profile(window(400), window(500), window(9000, counted=False), window(900), window(1, scope="device"))
    assert found.memory_ns == 500
    assert profile(window(None)).memory_ns is None


def test_a_median_of_few_windows_says_nothing_of_its_uncertainty() -> None:
    assert profile(*[window(400)] * 3).uncertainty() is None
    assert profile(*[window(400)] * 4).uncertainty() is not None


def test_a_record_from_before_memory_was_read_is_read() -> None:
    document = json.loads(json.dumps(profile(window(400)).to_json()))
    assert Profile.from_json(document) == profile(window(400))
    del document["windows"][0]["memory_ns"]
    assert Profile.from_json(document).memory_ns is None


def taken(ms: float, **given: object) -> Profile:
    """Four windows that agree, as one process gives them."""
    windows = tuple(Window("pipeline", 2, ms / 500, 1.0, 0.0, 0, None, True) for _ in range(4))
    return replace(profile(), windows=windows, samples_ms={"pipeline": (ms, ms * 1.001) * 4}, **given)  # type: ignore[arg-type]


def test_what_differs_between_processes_is_uncertain_though_each_is_sure_of_itself() -> None:
    alone = taken(30.0).uncertainty()
    assert alone == 0
    together = pooled([taken(30.0), taken(30.0), taken(33.0)])
    assert together.summary().n == 24
    assert together.summary().median == pytest.approx(30.03)
    assert [window.process for window in together.windows] == [0] * 4 + [1] * 4 + [2] * 4
    # the logs' deviation ln(1.1) / sqrt(3), over sqrt(3), times t of two degrees of freedom
    assert together.uncertainty() == pytest.approx(1.1 ** (4.302653 / 3) - 1, rel=1e-4)
    assert Profile.from_json(json.loads(json.dumps(together.to_json()))) == together


def test_two_processes_say_nothing_about_a_third() -> None:
    assert pooled([taken(30.0), taken(33.0)]).uncertainty() == pytest.approx(0.037, abs=0.01)


def test_pooled_profiles_are_as_bad_as_the_worst_of_them() -> None:
    told = pooled(
        [
            taken(30.0, pace_ns=100, peak_rss_mb=5.0, warnings=("FEW",), energy=Energy(None, reason="no counter")),
            taken(30.0, pace_ns=300, peak_rss_mb=9.0, warnings=("FEW",), stable=False),
            taken(30.0, pace_ns=110, error="it crashed"),
        ]
    )
    assert (told.pace_ns, told.peak_rss_mb, told.warnings, told.stable) == (110, 9.0, ("FEW",), False)
    assert told.error == "it crashed"
    assert told.energy is not None
    assert told.energy.reason == "no counter"


def test_what_raced_for_a_limit_is_not_pooled() -> None:
    with pytest.raises(ValueError, match="without a limit"):
        pooled([replace(taken(30.0), limit_ms=33.0)])
    with pytest.raises(ValueError, match="without a limit"):
        pooled([])
