"""Facts about what is measured next and when it stops."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from profiler.race import Entry, Rules, Standing, decide, heats, leader, replay

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "racing.py"


@pytest.fixture(scope="module")
def racing() -> ModuleType:
    spec = importlib.util.spec_from_file_location("racing", BENCHMARK)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["racing"] = module
    spec.loader.exec_module(module)
    return module


def around(ms: float, count: int = 64, spread: float = 0.01, seed: int = 0) -> list[float]:
    import numpy as np

    return [float(value) for value in ms * np.random.default_rng(seed).lognormal(0, spread, count)]


def standings(*entries: Entry, rules: Rules | None = None) -> list[Standing]:
    return [decision.standing for decision in decide(entries, rules or Rules())]


def test_without_a_limit_and_a_group_each_gets_the_least_number() -> None:
    assert standings(Entry("a", around(1, 63)), Entry("b", around(9, 64))) == [Standing.MEASURE, Standing.ENOUGH]


def test_the_slower_of_a_group_is_beaten_and_told_by_whom() -> None:
    quick, slow = decide([Entry("quick", around(1), "g"), Entry("slow", around(1.2), "g")], Rules())
    assert quick.standing is Standing.ENOUGH
    assert slow.standing is Standing.BEATEN
    assert slow.reason.startswith("by quick: ")


def test_one_window_beats_only_what_is_half_as_slow_again() -> None:
    best = Entry("best", around(1, 32), "g")
    assert standings(best, Entry("a", around(1.3, 32), "g"))[1] is Standing.MEASURE
    assert standings(best, Entry("a", around(2.0, 32), "g"))[1] is Standing.BEATEN


def test_those_of_different_groups_and_of_none_never_beat_each_other() -> None:
    assert standings(Entry("a", around(1), "g"), Entry("b", around(5), "h"), Entry("c", around(9))) == (
        [Standing.ENOUGH] * 3
    )


def test_a_tie_within_3_percent_ends_when_the_intervals_say_so() -> None:
    close = [Entry("a", around(1, 64, 0.005, 1), "g"), Entry("b", around(1.002, 64, 0.005, 2), "g")]
    assert standings(*close) == [Standing.ENOUGH, Standing.ENOUGH]
    wide = [Entry("a", around(1, 64, 0.2, 1), "g"), Entry("b", around(1.002, 64, 0.2, 2), "g")]
    assert standings(*wide) == [Standing.MEASURE, Standing.MEASURE]
    assert standings(*wide, rules=Rules(tie_queries=64)) == [Standing.ENOUGH, Standing.ENOUGH]


def test_a_candidate_that_fails_the_limit_beats_nobody() -> None:
    # its median is the smallest, but every fifth query is far too slow
    uneven = Entry("uneven", [1.0, 1.0, 1.0, 1.0, 50.0] * 40, "g")
    even = Entry("even", around(2, 200), "g")
    assert standings(uneven, even) == [Standing.ENOUGH, Standing.BEATEN]
    assert standings(uneven, even, rules=Rules(limit_ms=10)) == [Standing.ENOUGH, Standing.ENOUGH]
    found = leader([uneven, even], "g", Rules(limit_ms=10))
    assert found is even


def test_who_misses_a_softer_limit_stops_before_the_least_number() -> None:
    (found,) = decide([Entry("slow", around(20, 32))], Rules(limit_ms=10))
    assert found.standing is Standing.FAILING
    assert found.reason == "32 of 32 queries missed even 11 ms, 10% above the limit"
    assert standings(Entry("near", around(10.5, 32)), rules=Rules(limit_ms=10)) == [Standing.MEASURE]


def test_beside_load_only_who_misses_twice_the_limit_stops_early() -> None:
    rules = Rules(limit_ms=10)
    assert standings(Entry("a", around(15, 32), undisturbed_ms=()), rules=rules) == [Standing.MEASURE]
    assert standings(Entry("a", around(25, 32), undisturbed_ms=()), rules=rules) == [Standing.FAILING]


def test_one_without_time_or_without_samples_is_not_measured() -> None:
    assert standings(Entry("a", (), "g", ended=True), Entry("b", around(1, 10), "g", ended=True)) == (
        [Standing.ENOUGH] * 2
    )


def test_a_false_drop_needs_a_share_below_the_limit_in_more_than_99_of_100_races() -> None:
    dropped = 0
    for seed in range(400):
        samples = around(10, 32, 0.1, seed)
        # nine of ten within the limit, truly
        limit_ms = 10 * 2.718281828 ** (0.1 * 1.2815515655)
        dropped += standings(Entry("a", samples), rules=Rules(limit_ms=limit_ms)) == [Standing.FAILING]
    assert dropped / 400 <= 0.01


def test_heats_keep_groups_together_unless_they_are_too_large() -> None:
    assert heats(["a", "a", "a", "b", "b", "b", "", ""], 4) == [[0, 1, 2, 6], [3, 4, 5, 7]]
    assert heats(["a"] * 5, 2) == [[0, 1], [2, 3], [4]]
    assert heats(["", "", ""], 8) == [[0, 1, 2]]


def test_a_replay_stops_where_its_traces_end() -> None:
    done = replay([Entry("a", around(1, 40, 0.3, 1), "g"), Entry("b", around(1, 40, 0.3, 2), "g")], Rules())
    assert done.used == (40, 40)
    assert set(done.leaders) == {"g"}


def test_racing_finds_the_same_winner_as_measuring_everything_with_a_third_of_the_samples(racing: ModuleType) -> None:
    for seed in range(20):
        found = racing.compare(racing.made(seed))
        assert found.candidates == 32
        assert found.wrong == ()
        assert found.exhaustive >= 3 * found.raced


def test_recorded_traces_are_read_from_json_lines(racing: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl"
    lines = [{"name": trace.name, "group": trace.group, "samples_ms": trace.samples_ms} for trace in racing.made(3)]
    file.write_text("\n".join(map(json.dumps, lines)) + "\n")
    assert racing.compare(racing.recorded(file)) == racing.compare(racing.made(3))
