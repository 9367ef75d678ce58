"""Notifications: a real command, a real server, both when they fail, and a watcher that dies in between."""

from __future__ import annotations

import json
import os
import shlex
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from spool_tools import QUICK, Place

from edge.appliance import announce
from edge.appliance.announce import Announcer
from edge.appliance.beside import Company
from edge.appliance.ledger import read_ledger
from edge.appliance.limits import Limits, resolve_limits
from edge.appliance.log import Log
from edge.errors import BadRequest


def run(place: Place, limits: Limits, pause_s: float = 0.0) -> None:
    """A watcher until nothing is left; with `pause_s` 0 that includes every further try."""
    log = Log(quiet=True)
    announcer = Announcer(place.spool, limits, log, pause_s=pause_s)
    if not pause_s:
        announcer.busy = lambda: bool(announcer._waiting())  # type: ignore[method-assign]
    place.watcher(limits, company=Company(log, announcer)).watch(once=True)


def writes(path: Path, script: str = "") -> Limits:
    """A command that keeps what it gets."""
    line = f'{script} cat >> {path}; echo "$EDGE_RESULT_ID $EDGE_RESULT_STATE" >> {path}.names'
    return replace(QUICK, notify_command=("/bin/sh", "-c", line))


def received(path: Path) -> list[dict[str, Any]]:
    decoder, text, found = json.JSONDecoder(), path.read_text() if path.exists() else "", []
    while text.strip():
        one, end = decoder.raw_decode(text.lstrip())
        text = text.lstrip()[end:]
        found.append(one)
    return found


def left(place: Place) -> list[str]:
    return sorted(path.name for path in (place.spool.root / announce.FOLDER).iterdir())


def test_command_gets_the_result_as_json_and_variables(place: Place, tmp_path: Path) -> None:
    place.drop("a.txt", "code 4 $(touch /tmp/never) `x`")
    place.drop("b.txt", "quick")
    run(place, writes(tmp_path / "told"))
    failed, done = received(tmp_path / "told")
    assert (failed["event"], failed["id"], failed["state"]) == ("000001-a.0", "000001-a", "failed")
    assert failed["fact"] == "no model is fast enough"
    assert failed["hints"][0] == "Ask for less."
    assert failed["text"].endswith(": 000001-a is failed: No model is fast enough.")
    assert failed["request"] == "code 4 $(touch /tmp/never) `x`"
    assert (done["state"], done["package"]) == ("done", f"{place.spool.done}/000002-b/package")
    assert Path(f"{tmp_path}/told.names").read_text() == "000001-a failed\n000002-b done\n"
    assert left(place) == []
    assert read_ledger(place.spool).told == {"delivered": 2, "given up": 0}


def test_without_a_setting_nothing_is_kept(place: Place) -> None:
    place.drop("a.txt", "quick")
    run(place, QUICK)
    assert not (place.spool.root / announce.FOLDER).exists()


def test_request_that_is_tried_again_is_another_event(place: Place, tmp_path: Path) -> None:
    place.drop("a.txt", "code 4")
    run(place, writes(tmp_path / "told"))
    place.spool.wish("retry", "000001-a")
    run(place, writes(tmp_path / "told"))
    assert [one["event"] for one in received(tmp_path / "told")] == ["000001-a.0", "000001-a.1"]


def test_command_that_fails_is_tried_again_and_given_up(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(announce, "MOST_TRIES", 3)
    monkeypatch.setattr(announce, "LOOK_EVERY_S", 0.0)
    place.drop("a.txt", "quick")
    run(place, writes(tmp_path / "told", "echo 'no \x1b mail' >&2; exit 7;"))
    told = capsys.readouterr().err.splitlines()
    assert "notification 000001-a.0.command.json, try 2 of 3: it ended with 7 and said: no \\x1b mail" in told
    assert (
        "notification 000001-a.0.command.json is given up after 3 tries: it ended with 7 and said: no \\x1b mail"
        in told
    )
    assert (left(place), place.ended()) == ([], {"a.txt": "done"})
    assert read_ledger(place.spool).told == {"delivered": 0, "given up": 1}


def test_command_that_is_not_there_harms_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place.drop("a.txt", "quick")
    place.drop("b.txt", "quick too")
    run(place, replace(QUICK, notify_command=("/nowhere/mail",)), pause_s=60.0)
    assert place.ended() == {"a.txt": "done", "b.txt": "done"}
    assert "/nowhere/mail cannot be started" in capsys.readouterr().err
    assert left(place) == ["000001-a.0.command.json", "000002-b.0.command.json"]


def test_command_that_hangs_is_ended_with_all_it_started(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(announce, "WITHIN_S", 0.3)
    place.drop("a.txt", "quick")
    run(place, writes(tmp_path / "told", f"sleep 987 & echo $! > {tmp_path}/child; wait;"), pause_s=60.0)
    assert "it took longer than 0 s" in capsys.readouterr().err
    child = int((tmp_path / "child").read_text())
    end = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and "Z" not in Path(f"/proc/{child}/stat").read_text().split()[2]:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_command_that_floods_or_leaves_something_behind_holds_nothing_up(place: Place, tmp_path: Path) -> None:
    place.drop("a.txt", "quick")
    run(place, writes(tmp_path / "told", "head -c 3000000 /dev/zero; sleep 987 &"))
    assert len(received(tmp_path / "told")) == 1


def test_kill_between_the_end_and_the_telling_neither_loses_nor_repeats(place: Place, tmp_path: Path) -> None:
    """Before the result has its place, before the try, and during it."""
    from edge.appliance import queue

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    limits = writes(tmp_path / "told")
    for count, (where, what) in enumerate(((queue, "move"), (announce, "write_whole"), (announce.Announcer, "_over"))):
        name = f"{count}.txt"
        place.drop(name, "code 4")
        with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
            if what == "write_whole":
                real, calls = announce.write_whole, iter(range(9))
                patch.setattr(announce, what, lambda *a, r=real, c=calls: die() if next(c) else r(*a))
            else:
                patch.setattr(where, what, die)
            run(place, limits)
        time.sleep(0.2)
        run(place, limits)
    told = [one["event"] for one in received(tmp_path / "told")]
    assert sorted(set(told)) == ["000001-0.0", "000002-1.0", "000003-2.0"]
    assert told.count("000001-0.0") == told.count("000002-1.0") == 1
    assert told.count("000003-2.0") <= 2, "at least once: the receiver knows it by its event"
    assert left(place) == []


def test_tries_are_counted_over_restarts(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announce, "MOST_TRIES", 3)
    place.drop("a.txt", "quick")
    limits = replace(QUICK, notify_command=("/bin/false",))
    for tries in (1, 2):
        run(place, limits, pause_s=60.0)
        kept = json.loads((place.spool.root / announce.FOLDER / "000001-a.0.command.json").read_text())
        assert kept["tries"] == tries
    run(place, limits, pause_s=60.0)
    assert left(place) == []


@dataclass
class Receiver:
    """A server that keeps what is posted, and answers with the statuses it is given first."""

    statuses: list[int] = field(default_factory=list)
    got: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    address: str = ""


@contextmanager
def receiver(*statuses: int) -> Iterator[Receiver]:
    found = Receiver(list(statuses))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found.got.append((self.path, dict(self.headers.items()), body))
            status = found.statuses.pop(0) if found.statuses else 204
            self.send_response(status)
            if status in (302, 307):
                self.send_header("Location", f"{found.address}/elsewhere")
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


def test_url_gets_the_same_json_again_after_errors_and_follows_nobody(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], no_proxy: None
) -> None:
    monkeypatch.setattr(announce, "LOOK_EVERY_S", 0.0)
    place.drop("a.txt", "quick")
    with receiver(500, 302) as found:
        limits = replace(writes(tmp_path / "told"), notify_url=f"{found.address}/hook?key=1")
        run(place, limits)
    assert [path for path, _, _ in found.got] == ["/hook?key=1"] * 3
    _, headers, body = found.got[-1]
    assert (headers["Content-Type"], headers["Idempotency-Key"]) == ("application/json", "000001-a.0")
    assert received(tmp_path / "told") == [body], "the command was not repeated with it"
    told = capsys.readouterr().err
    assert "try 1 of 12: it ended with 1 and said: the receiver answered 500 Internal Server Error" in told
    assert "the receiver answered 302 Found" in told
    assert "key=1" not in told


def test_url_that_nobody_answers_at_waits_for_the_next_watcher(
    place: Place, capsys: pytest.CaptureFixture[str], no_proxy: None
) -> None:
    place.drop("a.txt", "quick")
    with receiver() as found:
        pass
    run(place, replace(QUICK, notify_url=found.address), pause_s=60.0)
    assert "the receiver cannot be reached: [Errno 111] Connection refused" in capsys.readouterr().err
    assert left(place) == ["000001-a.0.url.json"]
    with receiver() as again:
        run(place, replace(QUICK, notify_url=again.address), pause_s=60.0)
    assert [body["id"] for _, _, body in again.got] == ["000001-a"]


def test_what_is_not_set_any_more_is_told_to_nobody(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.drop("a.txt", "quick")
    run(place, replace(QUICK, notify_command=("/bin/false",)), pause_s=60.0)
    run(place, QUICK)
    assert "000001-a.0.command.json is told to nobody: that is not set\n" in capsys.readouterr().err
    assert left(place) == []


def test_settings_are_read_and_wrong_ones_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "settings.toml").write_text(
        '[watch]\nnotify_command = ["mail", "-s", "a b"]\nnotify_url = "http://x/y"\n'
    )
    monkeypatch.setenv("EDGE_SETTINGS", str(tmp_path / "settings.toml"))
    found = resolve_limits()
    assert (found.notify_command, found.notify_url) == (("mail", "-s", "a b"), "http://x/y")
    monkeypatch.setenv("EDGE_WATCH_NOTIFY_COMMAND", shlex.join([sys.executable, "a b"]))
    assert resolve_limits().notify_command == (sys.executable, "a b")
    for url in ("ftp://x", "x", "http://", "http://user:word@x", "http://x/ y", "http://x/é", "file:///etc/passwd"):
        monkeypatch.setenv("EDGE_WATCH_NOTIFY_URL", url)
        with pytest.raises(BadRequest, match="notify_url"):
            resolve_limits()
    assert os.environ["EDGE_SETTINGS"]
