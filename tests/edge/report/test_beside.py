"""What is said of two measured rows that are compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edge.profiling.row import Key, Row, Subject
from edge.report.beside import doubts
from profiler.record import Profile, Window


def row(pace_ns: int | None = 7_100, run: str = "one", stable: bool = True, **key: Any) -> Row:
    profile = Profile("net", "pipeline", 1, None, {"pipeline": (5.0,) * 64}, stable, pace_ns=pace_ns)
    known = replace(Key("ab", "feedface", "openvino", "2026.4", "fp32", 1, "unavailable"), **key)
    subject = Subject("net 64x64", "classification", "net", "", "mmpretrain", 64, 64)
    return Row(known, subject, "measured", "2026-11-02T10:00:00+00:00", run, profile=profile)


def test_rows_of_one_sweep_on_a_steady_machine_leave_no_doubt() -> None:
    assert doubts(row(), row(pace_ns=7_400)) == []
    assert doubts(row(), row(pace_ns=None)) == []


def test_other_circumstances_are_named() -> None:
    found = doubts(row(), row(run="two", threads=2, power_mode="15W", engine_version="2026.5"))
    assert found == [
        "they were measured in different sweeps, and from one to the next 3 % is usual",
        "threads 1 beside 2",
        "power mode unavailable beside 15W",
        "engine version 2026.4 beside 2026.5",
    ]


def test_versions_of_two_engines_are_no_doubt() -> None:
    assert doubts(row(), row(engine="ncnn", engine_version="1.0")) == []


def test_a_machine_that_was_slower_for_one_is_told_and_for_which() -> None:
    assert doubts(row(), row(pace_ns=10_700)) == [
        "the machine itself was 51% slower while net 64x64:openvino:fp32:1 ran"
    ]


def test_a_slower_way_to_memory_is_told_although_the_arithmetic_was_as_fast() -> None:
    measured = row()
    fast, slow = (Window("pipeline", 64, 0.3, 1.0, 0.0, 0, None, True, memory_ns=took) for took in (370_000, 440_000))
    assert measured.profile is not None
    one, other = (replace(measured, profile=replace(measured.profile, windows=(window,))) for window in (slow, fast))
    assert doubts(one, other) == ["the way to memory was 19% slower while net 64x64:openvino:fp32:1 ran"]
    assert doubts(other, row()) == []


def test_what_a_row_says_against_itself_is_repeated() -> None:
    assert doubts(row(), row(stable=False)) == ["net 64x64:openvino:fp32:1 is unstable"]
