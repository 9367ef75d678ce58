"""What becomes of requests: order, results, crashes, cancelling, full disks, and the clock."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from spool_tools import QUICK, Place

from edge.appliance import loop, queue, worker
from edge.appliance.arrivals import Arrivals
from edge.appliance.entry import Entry, attempts, end_of
from edge.appliance.notify import Nobody
from edge.appliance.overview import requests
from edge.appliance.retention import Result, overdue, results
from edge.appliance.spool import Spool, id_of
from edge.errors import Busy, StorageError


@contextmanager
def watching(place: Place, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A watcher in a process of its own."""
    script = Path(__file__).parent.parent / "spool_tools.py"
    process = subprocess.Popen(
        [sys.executable, "-P", str(script), str(place.spool.root.parent), *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until(true: Callable[[], Any], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.01)


def running(place: Place, progress: str = "") -> bool:
    told = [place.status(path.parent) for path in place.spool.work.glob("*/status.json")]
    return any(one["state"] == "running" and progress in one["progress"] for one in told)


# order and results


def test_thousand_requests_dropped_at_once_are_all_made_once_by_priority_and_age(place: Place) -> None:
    priorities = [(number * 7) % 5 - 2 for number in range(1000)]
    for number, priority in enumerate(priorities):
        place.drop(f"{number:04d}.json", json.dumps({"text": f"quick {number}", "priority": priority}))
        os.utime(place.spool.incoming / f"{number:04d}.json", ns=(number, number))
    finished: list[str] = []
    conclude = queue.Queue.conclude

    def record(self: queue.Queue, entry: Entry, outcome: Any) -> None:
        finished.append(str(entry.dropped()).rpartition("/")[2])
        conclude(self, entry, outcome)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queue.Queue, "conclude", record)
        place.run()
    assert Counter(place.ended().values()) == {"done": 1000}
    assert finished == [f"{n:04d}.json" for n in sorted(range(1000), key=lambda n: (-priorities[n], n))]
    assert all(steps == ["packed"] for steps in place.steps().values())
    assert len(place.steps()) == 1000


def test_result_has_package_records_status_and_the_dropped_file(place: Place) -> None:
    place.drop("Meine Autos.txt", "detect cars")
    place.run()
    folder = place.only("done")
    assert folder.name == "000001-meine-autos"
    assert sorted(path.name for path in folder.iterdir()) == [
        "journal.jsonl", "likeness.json", "outcome.json", "package", "request", "status.json", "status.txt", "steps",
        "worker.log",
    ]  # fmt: skip
    assert (folder / "package" / "model.onnx").read_text() == "a model\n"
    status = place.status(folder)
    assert (status["state"], status["file"], status["exit_code"]) == ("done", "Meine Autos.txt", 0)
    assert f"Package   {folder}/package\n" in (folder / "status.txt").read_text()
    assert list(place.spool.work.iterdir()) == list(place.spool.incoming.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "where"), [(3, "rejected"), (4, "failed"), (5, "failed"), (7, "failed"), (10, "failed")]
)
def test_verdict_of_the_job_is_told_with_its_next_step_and_not_tried_again(place: Place, code: int, where: str) -> None:
    place.drop("a.txt", f"code {code}")
    place.run()
    folder = place.only(where)
    reason = (folder / "reason.txt").read_text().splitlines()
    assert reason[:2] == ["No model is fast enough.", "  Ask for less."]
    assert f"`edge queue retry 000001-a --spool {place.spool.root}` queues it again" in reason[3]
    assert (place.status(folder)["exit_code"], place.status(folder)["attempts"]) == (code, 1)


def test_job_that_leaves_no_package_is_no_success(place: Place) -> None:
    place.drop("a.txt", "nothing comes of it")
    place.run()
    assert (place.only("failed") / "reason.txt").read_text().startswith("The job ended well but left no package.")


def test_same_request_gets_the_same_package_without_work(place: Place) -> None:
    place.drop("a.txt", "the same cars")
    place.run()
    place.drop("b.txt", "the same cars")
    place.run()
    second = place.spool.done / "000002-b"
    assert place.status(second)["same_as"] == "000001-a"
    assert list(place.steps()) == ["000001-a"]
    assert (second / "package" / "model.onnx").read_text() == "a model\n"
    place.spool.discard(place.spool.done / "000001-a")
    place.drop("c.txt", "the same cars")
    place.run()
    assert place.status(place.spool.done / "000003-c")["same_as"] == "000002-b"


def test_package_that_was_worked_on_is_made_anew(place: Place) -> None:
    place.drop("a.txt", "the same cars")
    place.run()
    (place.only("done") / "package" / "model.onnx").write_text("mine")
    place.drop("b.txt", "the same cars")
    place.run()
    assert "000002-b" in place.steps()


def test_another_driver_or_version_measures_anew(place: Place) -> None:
    place.drop("a.txt", "the same cars")
    place.run()
    place.drop("b.txt", "the same cars")
    place.run(machine="other driver")
    assert len(place.steps()["000002-b"]) == 4


def test_steps_of_an_unfinished_job_are_not_kept_for_another_driver(place: Place) -> None:
    place.drop("a.txt", "bug")
    place.run()
    wish(place, "retry", "000001-a")
    place.run(machine="other driver")
    assert place.steps()["000001-a"] == ["understand", "understand"]


# what is taken


def test_file_that_is_still_written_to_is_not_taken(tmp_path: Path) -> None:
    arrivals, path = Arrivals(tmp_path, settle_s=2.0), tmp_path / "a.txt"
    path.write_text("detect")
    assert arrivals.whole(0.0) == []
    path.write_text("detect cars")
    assert arrivals.whole(1.9) == arrivals.whole(3.8) == []
    assert [one.name for one in arrivals.whole(3.9)] == ["a.txt"]


def test_renamed_file_is_taken_at_once_and_an_empty_one_late(tmp_path: Path) -> None:
    arrivals = Arrivals(tmp_path, settle_s=2.0)
    (tmp_path / "a.txt").write_text("detect cars")
    (tmp_path / "b.txt").touch()
    assert [one.name for one in arrivals.whole(0.0, {"a.txt"})] == ["a.txt"]
    assert [one.name for one in arrivals.whole(2.0)] == ["a.txt"]
    assert [one.name for one in arrivals.whole(20.0)] == ["a.txt", "b.txt"]


def test_file_written_to_after_its_claim_is_read_when_it_is_whole(place: Place) -> None:
    with place.spool.owned():
        found = watched_queue(place)
        path = place.spool.incoming / "a.txt"
        path.write_text("detect")
        found.take_in(0.0)
        with path.open("a") as writer:
            claim = queue.Queue._claim

            def late(self: queue.Queue, arrived: Any, now_s: float) -> None:
                claim(self, arrived, now_s)
                writer.write(" cars")
                writer.flush()

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(queue.Queue, "_claim", late)
                found.take_in(1.0)
        assert found.waiting == {}
        found.take_in(2.0)
    assert [ticket.order.text for ticket in found.waiting.values()] == ["detect cars"]


def watched_queue(place: Place) -> queue.Queue:
    found = queue.Queue(place.spool, replace(QUICK, settle=1.0), loop.Log(quiet=True))
    found.recover()
    return found


def test_jump_of_the_wall_clock_changes_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    hours = iter(range(0, 10**9, 7))
    monkeypatch.setattr(time, "time", lambda: 2e9 - 3600 * next(hours))
    for number in range(5):
        path = place.drop(f"{number}.txt", f"quick {number}")
        os.utime(path, (4e9, 4e9) if number % 2 else (1, 1))
    place.run(replace(QUICK, keep_for=3600.0))
    assert Counter(place.ended().values()) == {"done": 5}


# one owner


def test_second_watcher_is_refused(place: Place) -> None:
    with place.spool.owned(), pytest.raises(Busy, match=rf"another edge process \({os.getpid()}\) watches"):
        place.run()


def test_spool_of_links_or_several_disks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "incoming").symlink_to(tmp_path)
    with pytest.raises(StorageError, match="incoming is a link"):
        Spool.made(tmp_path / "spool")


@pytest.mark.parametrize("name", ["../../etc/passwd", "\n\x1b[2J", "", "...", "ÄÖ", "a" * 300, "-rf *"])
def test_id_is_harmless_whatever_the_file_is_called(name: str) -> None:
    from edge.appliance.spool import ID

    assert ID.fullmatch(id_of(1, name))


@pytest.mark.parametrize("word", ["..", "../done", "/etc", "000001-a/..", "000001-a\n", "*", ""])
def test_words_that_are_no_id_find_nothing(place: Place, word: str) -> None:
    place.drop("a.txt")
    place.run()
    assert place.spool.find(word) is None
    assert place.spool.find("1") == place.spool.find("000001-a") == place.spool.done / "000001-a"


# crashes


def test_request_that_crashes_its_worker_three_times_is_set_aside(place: Place) -> None:
    place.drop("a.txt", "crash")
    place.drop("b.txt", "fine")
    place.run()
    assert place.ended() == {"a.txt": "failed", "b.txt": "done"}
    reason = (place.only("failed") / "reason.txt").read_text()
    assert reason.startswith("The worker crashed 3 times, at last because the worker was killed by SIGSEGV.\n")
    assert place.steps()["000001-a"] == ["understand"]


def test_hung_worker_is_ended_and_counts_as_a_crash(place: Place) -> None:
    place.drop("a.txt", "hang")
    place.run(replace(QUICK, hang=0.3, crashes=2))
    assert (
        (place.only("failed") / "reason.txt")
        .read_text()
        .startswith("The worker crashed 2 times, at last because the worker told nothing for 0.3 s.")
    )


def test_attempt_is_on_the_disk_before_it_begins(place: Place) -> None:
    place.drop("a.txt", "long")
    with watching(place) as process:
        until(lambda: running(place, "iteration 3 of 9"))
        process.kill()
        process.wait()
    (entry,) = (Entry(path) for path in place.spool.work.iterdir())
    assert attempts(entry.journal()).unended is not None
    until(lambda: len(worker._marked(place.spool.root)) == 1)  # the worker died with its watcher, its child did not
    assert worker.kill_stragglers(place.spool.root) == 1
    assert worker._marked(place.spool.root) == []


def test_death_of_machine_counts_as_a_crash_unless_the_job_got_on() -> None:
    begun = {"event": "attempt", "boot": "old", "steps": 2}
    assert end_of(begun, 2, "new") == "crashed"
    assert end_of(begun, 3, "new") == "stopped"
    assert end_of(begun, 2, "old") == "lost"
    lost = [begun, {"event": "end", "how": "lost"}]
    assert [attempts(lost * times).crashes for times in (1, 4, 5, 10)] == [0, 0, 1, 2]


def test_torn_line_of_the_journal_is_none(place: Place) -> None:
    place.drop("a.txt")
    place.run()
    entry = Entry(place.only("done"))
    with (entry.folder / "journal.jsonl").open("a") as file:
        file.write('\n{"event": "att')
    before = entry.journal()
    entry.note("retry")
    assert entry.journal() == [*before, entry.journal()[-1]]


# stopping, cancelling


def test_sigterm_stops_the_worker_and_the_next_watcher_goes_on(place: Place) -> None:
    place.drop("a.txt", "long")
    with watching(place) as process:
        until(lambda: running(place, "iteration 3 of 9"))
        process.terminate()
        assert process.wait(20) == 0
    (folder,) = place.spool.work.iterdir()
    assert place.status(folder)["note"] == "waits again, because the watcher was stopped"
    assert attempts(Entry(folder).journal()).crashes == 0
    (folder / "request" / "a.txt").write_text("fine")
    place.run()
    assert place.steps()["000001-a"] == ["understand", "gather", "train", "packed"]


def wish(place: Place, act: Any, known: str) -> None:
    place.spool.wish(act, known)


@pytest.mark.parametrize("text", ["long", "deaf"])
def test_running_request_is_cancelled_also_if_it_does_not_listen(place: Place, text: str) -> None:
    place.drop("a.txt", text)
    place.drop("b.txt", "fine")
    limits = replace(QUICK, grace=0.5)

    def cancel() -> None:
        until(lambda: running(place))
        time.sleep(0.3)
        wish(place, "cancel", "000001-a")

    thread = threading.Thread(target=cancel)
    thread.start()
    place.run(limits)
    thread.join()
    assert place.ended() == {"a.txt": "failed", "b.txt": "done"}
    assert place.status(place.only("failed"))["state"] == "cancelled"
    assert list(place.spool.control.iterdir()) == []


def test_retried_request_keeps_its_steps_and_afresh_forgets_them(place: Place) -> None:
    place.drop("a.txt", "bug")
    place.run()
    for act, steps in (("retry", 1), ("afresh", 2)):
        wish(place, act, "000001-a")
        place.run()
        assert place.status(place.only("failed"))["attempts"] == 3
        assert place.steps()["000001-a"] == ["understand"] * steps


def test_wishes_that_cannot_be_granted_are_swept_away(place: Place) -> None:
    place.drop("a.txt")
    place.run()
    for name in ("cancel-000001-a", "retry-000009-x", "nonsense", "cancel-..", "retry-000001-a"):
        (place.spool.control / name).touch()
    place.run()
    assert list(place.spool.control.iterdir()) == []
    assert place.ended() == {"a.txt": "done"}


# the disk


def test_no_job_begins_on_a_full_disk_and_it_is_said_so(place: Place) -> None:
    place.drop("a.txt")
    with pytest.raises(StorageError, match="no job begins while the disk has less than"):
        place.run(replace(QUICK, least_free=10**18))
    assert [one.state for one in requests(place.spool)] == ["queued"]
    place.run()
    assert place.ended() == {"a.txt": "done"}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_disk_that_refuses_anywhere_loses_nothing(place: Place, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Every n-th sync of a file fails once, for every n in turn: at each one the watcher is somewhere else."""
    sync, calls = os.fsync, iter(range(10**9))
    failing = {number * (number + 1) // 2 for number in range(4, 18)}

    def refuse(descriptor: int) -> None:
        if next(calls) in failing:
            raise OSError(code, os.strerror(code))
        sync(descriptor)

    for number in range(12):
        place.drop(f"{number}.txt", "crash" if number == 5 else f"quick {number}")
    monkeypatch.setattr(os, "fsync", refuse)
    for _ in range(40):
        try:
            place.run()
        except StorageError:
            continue
        break
    assert next(calls) > 140
    assert Counter(place.ended().values()) == {"done": 11, "failed": 1}
    assert all(steps.count("packed") <= 1 for steps in place.steps().values())


# retention


def test_results_go_by_age_then_by_size_the_oldest_first() -> None:
    found = [Result(Path(f"/{number}"), float(number), 10) for number in range(6)]
    assert overdue(found, 7.0, 5.0, None) == [Path("/0"), Path("/1")]
    assert overdue(found, 7.0, 5.0, 20) == [Path(f"/{number}") for number in range(4)]
    assert overdue(found, 7.0, None, None) == overdue(found, 7.0, 100.0, 100) == []


def test_results_beyond_the_limit_of_size_are_deleted_while_watching(place: Place) -> None:
    for number in range(4):
        place.drop(f"{number}.txt", f"quick {number}")
    place.run()
    sizes = [one.size_bytes for one in results(place.spool)]
    place.run(replace(QUICK, keep_size=sum(sizes) - 1))
    assert sorted(place.ended()) == ["1.txt", "2.txt", "3.txt"]
    assert list(place.spool.trash.iterdir()) == []


def test_numbers_are_never_given_twice_even_after_everything_was_deleted(place: Place) -> None:
    place.drop("a.txt", "quick")
    place.run()
    place.spool.discard(place.only("done"))
    place.drop("b.txt", "quick")
    place.run()
    assert place.only("done").name == "000002-b"


# telling


class Recorder(Nobody):
    def __init__(self) -> None:
        self.told: list[str] = []

    def ready(self) -> None:
        self.told.append("ready")

    def alive(self) -> None:
        self.told.append("alive")

    def stopping(self) -> None:
        self.told.append("stopping")


def test_signs_of_life_come_from_progress_only(place: Place) -> None:
    """While a worker is silent there are none, however often the loop turns."""
    recorder = Recorder()
    watcher = place.watcher(replace(QUICK, crashes=1, hang=1.5), notifier=recorder)
    place.drop("a.txt", "hang")
    turns = 0
    wait = loop.Watcher._wait

    def count(self: loop.Watcher, *arguments: Any) -> None:
        nonlocal turns
        turns += 1
        wait(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.Watcher, "_wait", count)
        watcher.watch(once=True)
    assert recorder.told[0] == "ready"
    assert recorder.told[-1] == "stopping"
    assert turns > 4
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
