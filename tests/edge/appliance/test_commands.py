"""`edge watch` and `edge queue` as processes: with and without each other, the real worker, and what idling costs."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from spool_tools import Place

from edge.appliance.log import entry
from edge.appliance.notify import Nobody, Systemd, notifier
from edge.errors import BadRequest, Exit
from edge.report.events import Event, EventWriter, read_event

MOST_RSS_KB = 60 * 1024
MOST_CPU = 0.005
IDLE_S = 4.0


def edge(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "edge", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", **environment},
    )


@contextmanager
def watch(place: Place, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "edge", "watch", "--spool", str(place.spool.root), *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )
    try:
        assert process.stderr is not None
        assert process.stderr.readline() == f"watching {place.spool.incoming}\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def until(true: Callable[[], Any], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


def queued(place: Place, *names: str) -> None:
    """Requests that are in the queue, with no watcher."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edge.appliance.loop.Watcher._start_next", lambda _: None)
        patch.setattr("edge.appliance.loop.Watcher._over", lambda self, _: not self._queue.settling)
        for name in names:
            place.drop(name, f"quick {name}")
        place.run()


# without a watcher


def test_list_shows_what_waits_what_ended_and_what_is_not_taken(place: Place) -> None:
    place.drop("a.txt", "code 4")
    place.run()
    queued(place, "b.txt")
    (place.spool.incoming / "c.txt.part").touch()
    done = edge("queue", "list", "--spool", place.spool.root, "--json")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert [(one["id"], one["state"]) for one in found["requests"]] == [("000002-b", "queued"), ("000001-a", "failed")]
    assert found["watcher"] == {
        "state": "stopped", "running": "", "stage": "", "queued": 1, "note": "no watcher runs",
    }  # fmt: skip
    assert done.stderr.endswith(
        "Stopped; 1 queued; no watcher runs\n1 file in incoming are some program's own and are not taken.\n"
    )


def test_show_says_why_and_what_next(place: Place) -> None:
    place.drop("a.txt", "code 4")
    place.run()
    done = edge("queue", "show", "1", "--spool", place.spool.root)
    assert "State     failed\n" in done.stderr
    assert "Reason    No model is fast enough.\n          Ask for less.\n" in done.stderr
    assert done.stderr.endswith(f"Folder    {place.spool.failed}/000001-a\n")


def test_cancel_retry_and_purge_work_without_a_watcher(place: Place) -> None:
    queued(place, "a.txt", "b.txt")
    spool = ("--spool", place.spool.root)
    assert edge("queue", "cancel", "000001-a", *spool).stderr == "000001-a: cancelled\n"
    assert place.ended() == {"a.txt": "failed"}
    assert edge("queue", "retry", "1", *spool).stderr == "000001-a: queued again\n"
    assert [place.status(path)["state"] for path in sorted(place.spool.work.iterdir())] == ["queued", "queued"]
    place.run()
    assert edge("queue", "purge", "--state", "done", *spool).stderr == "Deleted: 2 results\n"
    assert place.ended() == {}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "9"), "Error: there is no request '9'\n  `edge queue list` shows those there are.\n"),
        (("show", "../done"), "Error: there is no request '../done'\n  `edge queue list` shows those there are.\n"),
        (("cancel", "1"), "Error: 000001-a is in done\n  `edge queue list` shows which requests can be.\n"),
        (("purge",), "Error: say which results go: either their IDs or --state\n  `edge queue list` shows them.\n"),
        (("purge", "--state", "work"), "Error: --state work is none\n  It is done, failed or rejected.\n"),
    ],
)
def test_wrong_requests_are_refused(place: Place, arguments: tuple[str, ...], words: str) -> None:
    place.drop("a.txt", "quick")
    place.run()
    done = edge("queue", *arguments, "--spool", place.spool.root)
    assert (done.stderr, done.returncode) == (words, Exit.BAD_REQUEST)
    assert place.ended() == {"a.txt": "done"}


def test_folder_that_is_no_spool_is_refused(tmp_path: Path) -> None:
    done = edge("queue", "list", "--spool", tmp_path)
    assert done.returncode == Exit.BAD_REQUEST
    assert done.stderr.startswith(f"Error: {tmp_path} is no spool\n")
    assert list(tmp_path.iterdir()) == []


def test_settings_come_from_flag_variable_file_and_default_in_that_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge.appliance.limits import resolve_limits

    (tmp_path / "settings.toml").write_text('[watch]\nkeep_for = "30d"\nkeep_size = "20GB"\ncrashes = 5\nscan = "7s"\n')
    monkeypatch.setenv("EDGE_SETTINGS", str(tmp_path / "settings.toml"))
    monkeypatch.setenv("EDGE_WATCH_SCAN", "8s")
    found = resolve_limits(crashes=2)
    assert (found.crashes, found.scan, found.keep_for, found.keep_size) == (2, 8.0, 30 * 86400.0, 20 * 10**9)
    monkeypatch.setenv("EDGE_WATCH_SCAN", "soon")
    with pytest.raises(BadRequest, match="EDGE_WATCH_SCAN: scan is 'soon', expected a time"):
        resolve_limits()


# with the real worker


def test_request_nobody_can_meet_ends_in_failed_by_the_real_worker(place: Place, tmp_path: Path) -> None:
    """So few parameters that nothing needs to be timed: the whole way through the real command in seconds."""
    text = (
        "Classify handwritten digits: zero, one, two, three, four, five, six, seven, eight and nine. "
        "At least 100000 fps on the CPU with ONNX Runtime, under 10000 parameters."
    )
    place.drop("digits.json", json.dumps({"text": text, "budget": "2m", "weights": "scratch"}))
    done = edge("watch", "--once", "--spool", place.spool.root, EDGE_DATA_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    folder = place.only("failed")
    status = place.status(folder)
    assert (status["state"], status["exit_code"]) == ("failed", Exit.INFEASIBLE), (folder / "worker.log").read_text()
    assert "no candidate meets the request" in status["fact"]
    assert "measure begins" in done.stderr
    assert not (folder / "package").exists()


# idling, stopping


def test_idle_watcher_is_small_still_and_stops_when_asked(place: Place) -> None:
    with watch(place) as process:
        time.sleep(1.0)
        before_s = cpu_s(process.pid)
        time.sleep(IDLE_S)
        used = (cpu_s(process.pid) - before_s) / IDLE_S
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert int(status.split("VmRSS:")[1].split()[0]) < MOST_RSS_KB
        assert used < MOST_CPU
        libraries = Path(f"/proc/{process.pid}/maps").read_text()
        assert not any(name in libraries for name in ("torch", "onnxruntime", "numpy", "cv2"))
        second = edge("watch", "--spool", place.spool.root)
        assert second.returncode == Exit.BUSY
        assert second.stderr == (
            f"Error: another edge process ({process.pid}) watches {place.spool.root}\n"
            "  `edge queue list` shows what it does; one watcher per spool is enough.\n"
        )
        process.send_signal(signal.SIGHUP)
        process.terminate()
        assert process.wait(10) == 0
    assert (place.spool.root / "status.txt").read_text() == "stopped; 0 queued\n"


def cpu_s(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_systemd_is_told_what_happens(place: Place, tmp_path: Path) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(address))
        manager.settimeout(20)
        with watch(place, NOTIFY_SOCKET=str(address)) as process:
            until_told(manager, "READY=1", "WATCHDOG=1", "STATUS=idle; 0 queued")
            process.terminate()
            until_told(manager, "STOPPING=1")
            assert process.wait(10) == 0


def until_told(manager: socket.socket, *wanted: str) -> None:
    left = set(wanted)
    while left:
        left.discard(manager.recv(4096).decode())


def test_without_systemd_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert isinstance(notifier(), Nobody)
    monkeypatch.setenv("NOTIFY_SOCKET", "@edge")
    assert isinstance(notifier(), Systemd)
    notifier().alive()  # nobody listens there, and nothing happens


def test_journal_entries_follow_its_native_protocol() -> None:
    found = entry({"MESSAGE": "two\nlines", "JOB_ID": "000001-a"})
    assert found == b"MESSAGE\n\x09\0\0\0\0\0\0\0two\nlines\nJOB_ID=000001-a\n"


# events


def test_events_never_hold_the_job_up() -> None:
    reading, writing = os.pipe()
    writer = EventWriter(writing)
    writer.step("train", "start")
    writer.say("iteration 1 of 9")
    writer.say("too soon after the other")
    assert [read_event(line) for line in os.read(reading, 4096).splitlines()] == [
        Event("train", "start", ""),
        Event("train", "", "iteration 1 of 9"),
    ]
    for _ in range(5000):
        writer.step("train", "start")  # nobody reads: the pipe is full long before
    os.close(reading)
    writer.step("train", "done")
    os.close(writing)


def test_descriptor_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadRequest, match="--events 987 is no open descriptor"):
        EventWriter(987)
