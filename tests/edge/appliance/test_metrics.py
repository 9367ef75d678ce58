"""The metrics: read back by a strict parser of their format, counted over restarts and kills, written as a file."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from spool_tools import QUICK, Place

from edge import __version__
from edge.appliance import ledger
from edge.appliance.beside import Company
from edge.appliance.ledger import read_ledger
from edge.appliance.limits import resolve_limits
from edge.appliance.log import Log
from edge.appliance.metrics import STAGES, Metric, MetricsFile, metrics
from edge.errors import BadRequest

SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (-?\d+(?:\.\d+)?(?:e[+-]\d+)?)')
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def parsed(text: str) -> Samples:
    """As prometheus.io/docs/instrumenting/exposition_formats has it, and no more tolerant than that."""
    assert text.endswith("\n")
    found: Samples = {}
    kinds: dict[str, str] = {}
    helped: list[str] = []
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, words = line.removeprefix("# HELP ").split(" ", 1)
            assert words
            assert name not in helped, "each name once, all its lines together"
            helped.append(name)
        elif line.startswith("# TYPE "):
            name, kind = line.removeprefix("# TYPE ").split(" ")
            assert name == helped[-1]
            assert kind in ("gauge", "counter")
            kinds[name] = kind
        else:
            matched = SAMPLE.fullmatch(line)
            assert matched, line
            name = matched[1]
            assert name == helped[-1]
            labels = tuple(re.findall(r'([a-z]+)="([^"]*)"', matched[2] or ""))
            assert (name, labels) not in found
            assert (kinds[name] == "counter") == name.endswith("_total")
            found[name, labels] = float(matched[3])
    return found


def value(place: Place, name: str, **labels: str) -> float | None:
    return parsed(metrics(place.spool)).get((name, tuple(labels.items())))


def test_metrics_of_an_empty_spool_have_no_job(place: Place) -> None:
    found = parsed(metrics(place.spool))
    assert found["edge_watcher_state", (("state", "stopped"),)] == 1
    assert found["edge_requests_finished_total", (("outcome", "done"),)] == 0
    assert found["edge_disk_free_bytes", ()] > 0
    assert any(name == "edge_build_info" and ("version", __version__) in labels for name, labels in found)
    assert not any(name.startswith(("edge_job", "edge_last")) for name, _ in found)


def test_running_job_has_its_stage_as_one_of_few_labels(place: Place) -> None:
    folder = place.spool.work / "000001-a"
    folder.mkdir()
    times = {"spent_s": 60.5, "left_s": 539.5, "budget_s": 600.0, "stage_s": 20.5, "attempts": 2}
    status = {"id": "000001-a", "file": "a", "state": "running", "stage": "train", **times}
    (folder / "status.json").write_text(json.dumps(status))
    overview = {"state": "working", "running": "000001-a", "stage": "train", "queued": 0, "note": ""}
    (place.spool.root / "status.json").write_text(json.dumps(overview))
    with place.spool.owned():
        found = parsed(metrics(place.spool))
    stages = {labels[0][1]: number for (name, labels), number in found.items() if name == "edge_job_stage"}
    assert stages == {name: float(name == "train") for name in STAGES}
    assert 20.5 <= found["edge_job_stage_seconds", ()] < 25, "carried on from when it was written"
    assert (found["edge_job_budget_seconds", ()], found["edge_job_attempts", ()]) == (600, 2)
    assert found["edge_requests", (("state", "running"),)] == 1
    assert found["edge_requests", (("state", "queued"),)] == 0


def test_counters_outlive_restarts_and_deleted_results(place: Place) -> None:
    place.drop("a.txt", "quick")
    place.run()
    place.drop("b.txt", "code 4")
    place.drop("c.yaml", "txet: x")
    began = time.time()
    place.run()
    for folder in (place.only("done"), place.only("rejected")):
        place.spool.discard(folder)
    place.spool.wish("retry", "000002-b")
    place.run()
    outcomes = {"done": 1.0, "failed": 2.0, "rejected": 1.0, "cancelled": 0.0}
    assert {name: value(place, "edge_requests_finished_total", outcome=name) for name in outcomes} == outcomes
    assert value(place, "edge_requests", state="done") == 0
    last = value(place, "edge_last_finished_timestamp_seconds")
    assert last is not None
    assert began <= last <= time.time()


def test_end_that_is_repeated_after_a_kill_is_counted_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watcher dies between counting a request and giving it its place."""
    from edge.appliance import queue

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    for name in ("a.txt", "b.txt"):
        place.drop(name, "code 4")
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(queue, "move", die)
            place.run()
        assert list(place.spool.work.iterdir()) != []
        place.run()
    assert read_ledger(place.spool).finished["failed"] == 2


def test_spool_that_was_not_counted_before_begins_with_what_it_holds(place: Place) -> None:
    for name, words in (("a.txt", "quick"), ("b.txt", "code 4"), ("c.txt", "code 3")):
        place.drop(name, words)
    place.run()
    (place.spool.root / ledger.NAME).write_text("torn")
    assert read_ledger(place.spool).finished == {"done": 1, "failed": 1, "rejected": 1, "cancelled": 0}
    place.drop("d.txt", "quick")
    place.run()
    assert read_ledger(place.spool).finished["done"] == 2


def test_file_is_whole_readable_by_all_and_says_at_last_that_nobody_watches(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "edge.prom"
    limits, log = replace(QUICK, metrics=path), Log(quiet=True)
    seen: list[Samples] = []
    watcher = place.watcher(limits, company=Company(log, MetricsFile(place.spool, limits, log)))
    place.drop("a.txt", "quick")
    turn = MetricsFile.turn

    def watched_turn(self: MetricsFile, now_s: float) -> float:
        due_s = turn(self, now_s)
        seen.append(parsed(path.read_text()))
        return due_s

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MetricsFile, "turn", watched_turn)
        watcher.watch(once=True)
    assert seen[0]["edge_watcher_state", (("state", "stopped"),)] == 0
    last = parsed(path.read_text())
    assert last["edge_watcher_state", (("state", "stopped"),)] == 1
    assert last["edge_requests_finished_total", (("outcome", "done"),)] == 1
    assert path.stat().st_mode & 0o777 == 0o644
    assert [one.name for one in tmp_path.iterdir()] == ["edge.prom"]


def test_file_is_written_when_it_is_due_however_often_the_loop_turns(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "edge.prom"
    writer = MetricsFile(place.spool, replace(QUICK, metrics=path), Log(quiet=True))
    assert writer.turn(100.0) == writer.turn(101.0) == 115.0
    path.unlink()
    writer.turn(114.0)
    assert not path.exists()
    writer.turn(115.0)
    assert path.exists()


def test_file_that_cannot_be_written_is_told_once_and_costs_no_job(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limits, log = replace(QUICK, metrics=tmp_path / "none" / "edge.prom"), Log(quiet=True)
    watcher = place.watcher(limits, company=Company(log, MetricsFile(place.spool, limits, log)))
    place.drop("a.txt", "quick")
    watcher.watch(once=True)
    assert place.ended() == {"a.txt": "done"}
    assert capsys.readouterr().err.count("the metrics cannot be written: ") == 1


def test_labels_are_escaped() -> None:
    metric = Metric("edge_x", "gauge", "Words.", {(("a", 'q"b\\s\nn'),): 1.5})
    assert list(metric.lines())[-1] == 'edge_x{a="q\\"b\\\\s\\nn"} 1.5'


def test_file_must_have_the_name_that_collectors_take(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="expected a file whose name ends in"):
        resolve_limits(metrics=tmp_path / "edge.txt")


def test_fault_of_a_companion_is_told_and_ends_nothing(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(MetricsFile):
        def turn(self, now_s: float) -> float:
            raise RuntimeError("a fault")

        def busy(self) -> bool:
            raise AssertionError("it is not asked any more")

    log = Log(quiet=True)
    watcher = place.watcher(company=Company(log, Broken(place.spool, QUICK, log)))
    place.drop("a.txt", "detect cars")
    watcher.watch(once=True)
    assert place.ended() == {"a.txt": "done"}
    assert capsys.readouterr().err.count("RuntimeError: a fault") == 1
