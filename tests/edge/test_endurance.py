"""A finished model at its rate: deadlines, and what becomes of its speed."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import VerificationFailed
from edge.profiling.endurance import endure
from edge.steps.verify import _words_of
from profiler.session import Candidate

FACTORIES = "fake_candidates"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child looks for factories where this process does."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parent.parent / "profiler"))


def test_a_model_that_keeps_up_misses_next_to_nothing() -> None:
    found = endure(Candidate("quick", f"{FACTORIES}:sleeper", {"ms": 2.0}), 50.0, 2.0, 1)
    assert found.fps == 50.0
    assert found.queries == 100
    assert found.missed <= 5
    assert 2.0 < found.median_ms < 5.0


def test_a_model_that_is_too_slow_for_its_rate_misses_nearly_all() -> None:
    found = endure(Candidate("slow", f"{FACTORIES}:sleeper", {"ms": 30.0}), 50.0, 1.0, 1)
    assert found.missed > 0.9 * found.queries


def test_without_a_rate_images_follow_each_other_at_once() -> None:
    found = endure(Candidate("quick", f"{FACTORIES}:sleeper", {"ms": 2.0}), None, 2.0, 1)
    assert found.fps is None
    assert found.missed == 0
    assert found.queries > 400
    assert found.trend in ("STEADY", "CANT_TELL", "SLOWER", "FASTER")


def test_a_model_that_becomes_slower_is_seen() -> None:
    found = endure(Candidate("tiring", f"{FACTORIES}:tiring", {"ms": 1.0}), None, 3.0, 1)
    assert found.trend == "SLOWER"
    assert found.drift is not None
    assert found.drift > 0


def test_a_model_that_fails_is_an_error() -> None:
    with pytest.raises(VerificationFailed, match="could not run for 1 s: "):
        endure(Candidate("dying", f"{FACTORIES}:dying", {"after": 2}), 10.0, 1.0, 1)


def test_a_process_that_grows_is_told() -> None:
    found = endure(Candidate("hoarder", f"{FACTORIES}:hoarder", {"mb_per_call": 2}), 50.0, 1.5, 1)
    assert found.memory_growth_mb is not None
    assert found.memory_growth_mb > 60
    assert f"MEMORY: the process grew by {found.memory_growth_mb:.0f} MB while it ran for 1.5 s" in _words_of(found)
