"""Facts about comparing two lists of latencies."""

import pytest

from profiler.compare import Comparison, Difference, compare_windows
from profiler.errors import BadSamples


def windows(ms: float, count: int, seed: int, own: float = 0.01) -> list[float]:
    """Windows of 32 that each have a speed of their own: neighbours resemble each other."""
    import numpy as np

    rng = np.random.default_rng(seed)
    levels = np.repeat(rng.lognormal(0, own, count), 32)
    return [float(value) for value in ms * levels * rng.lognormal(0, 0.03, count * 32)]


def compare(a_ms: list[float], b_ms: list[float]) -> Comparison:
    return compare_windows(*([ms[i : i + 32] for i in range(0, len(ms) - 31, 32)] for ms in (a_ms, b_ms)))


def test_the_same_twice_is_the_same() -> None:
    found = compare(windows(5, 40, 1), windows(5, 40, 2))
    assert found.outcome is Difference.SAME
    assert found.interval[0] <= found.ratio <= found.interval[1]


@pytest.mark.parametrize(("factor", "outcome"), [(0.9, Difference.FASTER), (1.1, Difference.SLOWER)])
def test_ten_percent_are_told_apart(factor: float, outcome: Difference) -> None:
    assert compare(windows(5 * factor, 16, 1), windows(5, 16, 2)).outcome is outcome


def test_few_noisy_windows_cannot_tell() -> None:
    assert compare(windows(5, 5, 1, 0.1), windows(5, 5, 2, 0.1)).outcome is Difference.CANT_TELL


def test_it_answers_the_same_each_time() -> None:
    assert compare(windows(5, 8, 1), windows(4, 8, 2)) == compare(windows(5, 8, 1), windows(4, 8, 2))


@pytest.mark.parametrize("count", [6, 16])
def test_the_interval_holds_the_true_ratio_in_95_of_100_measurements(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import profiler.compare

    monkeypatch.setattr(profiler.compare, "DRAWS", 200)
    held = 0
    for seed in range(200):
        low, high = compare(windows(5, count, seed, 0.03), windows(5, count, 1000 + seed, 0.03)).interval
        held += low <= 1 <= high
    assert held / 200 >= 0.92


@pytest.mark.parametrize(
    ("a", "b"), [([1.0] * 100, [1.0] * 1000), ([], []), ([1.0] * 200, [0.0] * 200), ([float("nan")] * 200, [1.0] * 200)]
)
def test_too_few_or_impossible_latencies_are_refused(a: list[float], b: list[float]) -> None:
    with pytest.raises(BadSamples):
        compare(a, b)
