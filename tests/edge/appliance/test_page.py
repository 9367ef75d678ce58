"""The status page: what it answers, whom it lets in, and what strangers send it, with a socket and without."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode

import pytest
from spool_tools import QUICK, Place

from edge.appliance.address import Address, listening
from edge.appliance.log import Log
from edge.appliance.web.acts import Desk
from edge.appliance.web.door import Door, make_token, read_token
from edge.appliance.web.inside import open_inside
from edge.appliance.web.message import FORM, HEADERS, Answer, Asked
from edge.appliance.web.process import Page
from edge.appliance.web.render import Look
from edge.appliance.web.server import MOST_CONNECTIONS, Server
from edge.appliance.web.site import Site
from edge.errors import BadRequest

HERE = "127.0.0.1:8080"
TOKEN = "correct-horse-battery-staple"
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
LOOK = Look()


def site(place: Place, *, token: str = "", near: bool = True, names: tuple[str, ...] = ()) -> Site:
    sets = place.spool.root.parent / "datasets"
    sets.mkdir(exist_ok=True)
    (sets / "yard.json").touch()
    door = Door(near, token, names)
    return Site(place.spool, door, Desk(place.spool, sets, sets), LOOK, Log(quiet=True))


def get(found: Site, path: str, method: str = "GET", **headers: str) -> Answer:
    given = {"host": HERE, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return found.answer(Asked(method, path, {}, given))


def post(found: Site, path: str, fields: dict[str, object] | None = None, **headers: str) -> Answer:
    """As the page's own form."""
    filled = {"form": found.door.form_token(), **(fields or {})}
    given = {"host": HERE, "content-type": FORM, "origin": f"http://{HERE}"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    return found.answer(Asked("POST", path, {}, given, urlencode(filled, doseq=True).encode()))


def text(answer: Answer) -> str:
    if answer.file is None:
        return answer.body.decode()
    with answer.file as file:
        return file.read().decode()


# what is shown


def test_page_shows_what_waits_what_ended_and_why(place: Place) -> None:
    place.drop("a.txt", "code 4")
    place.drop("b.txt", "quick cars")
    place.run()
    html = text(get(site(place), "/"))
    assert "Ready for a request" not in html, "no watcher runs"
    assert "No watcher runs" in html
    assert "No model is fast enough." in html
    assert "<li>Ask for less.</li>" in html
    assert 'action="/requests/000001-a/retry"' in html
    assert 'href="/requests/000001-a/log"' in html
    assert 'href="/requests/000002-b/report"' not in html, "it has none"


def test_running_request_is_shown_with_step_progress_and_time(place: Place) -> None:
    folder = place.spool.work / "000001-a"
    folder.mkdir()
    status = {"id": "000001-a", "file": "a.txt", "state": "running", "text": "cars", "stage": "train"}
    times = {"progress": "iteration 3 of 9", "spent_s": 60.0, "left_s": 540.0, "budget_s": 600.0, "stage_s": 20.0}
    (folder / "status.json").write_text(json.dumps({**status, **times}))
    overview = {"state": "working", "running": "000001-a", "stage": "train", "queued": 0, "note": ""}
    (place.spool.root / "status.json").write_text(json.dumps(overview))
    with place.spool.owned():
        found = site(place)
        html, live = text(get(found, "/")), json.loads(get(found, "/live").body)
    assert "Making a model" in html
    assert '<li class="current" aria-current="step"><span>train</span>' in html
    assert "iteration 3 of 9" in html
    assert re.search(r"<span>1 min( 0\d s)? so far</span>\s*<span>about (9 min|8 min 5\d s) left", html)
    assert live["news"] == "Making a model, step train. 0 waiting."
    assert live["parts"]["now"] in html, "the script puts in what the page has"


class Tags(HTMLParser):
    """Every tag as a browser sees it, with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_words_of_others_stay_words(place: Place) -> None:
    """In names, texts, reasons and hints, in the page and in what its script puts into it."""
    place.drop(f"{EVIL.replace('/', '_')}.txt", f"quick {EVIL}")
    place.drop("bad.json", json.dumps({"text": "x", EVIL: 1}))
    place.drop("wait.json", json.dumps({"text": EVIL}))
    place.run()
    found = site(place)
    answers = [text(get(found, "/")), "".join(json.loads(get(found, "/live").body)["parts"].values())]
    answers.append(text(post(found, "/requests", {"text": EVIL, "folder": EVIL, "set": EVIL, "budget": EVIL})))
    answers.append(text(post(found, "/requests", {EVIL: EVIL})))
    answers.append(text(get(found, f"/{EVIL}")))
    for html in answers:
        tags = Tags()
        tags.feed(html)
        assert [name for name, _ in tags.found if name in ("img", "iframe", "object")] == []
        assert {given.get("src") for name, given in tags.found if name == "script"} <= {"/page.js"}
        assert not any(one.startswith(("on", "style")) for _, given in tags.found for one in given)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in answers[0]


def test_report_is_shown_without_script_and_log_as_plain_text(place: Place) -> None:
    place.drop("a.txt", "quick")
    place.run()
    (place.only("done") / "package" / "report.html").write_text("<script>1</script>")
    (place.only("done") / "worker.log").write_text("<b>x</b>")
    report, log = (get(site(place), f"/requests/000001-a/{name}") for name in ("report", "log"))
    assert report.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none';")
    assert text(report) == "<script>1</script>"
    assert (log.kind, text(log)) == ("text/plain; charset=utf-8", "<b>x</b>")


def test_links_folders_and_pipes_in_a_package_are_not_opened(place: Place) -> None:
    secret = place.spool.root.parent / "secret"
    secret.write_text("secret")
    place.drop("a.txt", "quick")
    place.run()
    report = place.only("done") / "package" / "report.html"
    for make in (lambda: report.symlink_to(secret), report.mkdir, lambda: os.mkfifo(report)):
        make()
        assert get(site(place), "/requests/000001-a/report").status == 404
        report.rmdir() if report.is_dir() else report.unlink()
    package = report.parent
    package.rename(package.with_name("other"))
    package.symlink_to(secret.parent)
    (secret.parent / "report.html").write_text("secret")
    assert get(site(place), "/requests/000001-a/report").status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd", "/requests/../../etc/passwd", "/requests/000001-a/../report", "/requests/000001-a/",
        "/requests/000001-a/package/report.html", "/requests/000001-a/outcome.json", "/requests/..%2f/report",
        "/requests/000001-a/report\0", "/requests/000001-a/report\n", "/requests/1/report", "/page.html.j2",
        "/requests/", "/done/", "/.lock", "/requests/000001-a%00/report",
        "/requests/\uff10\uff10\uff10\uff10\uff10\uff11-a/report",
    ],
)  # fmt: skip
def test_nothing_else_is_there(place: Place, path: str) -> None:
    place.drop("a.txt", "quick")
    place.run()
    (place.only("done") / "package" / "report.html").write_text("report")
    assert get(site(place), path).status == 404


@pytest.mark.parametrize("names", [(), ("..",), ("",), (".", "a"), ("a/b",), ("/etc/passwd",), ("a\0b",)])
def test_only_names_lead_inside(tmp_path: Path, names: tuple[str, ...]) -> None:
    assert open_inside(tmp_path, *names) is None


# acting


def test_form_drops_a_request_that_is_made(place: Place) -> None:
    found = site(place)
    fields = {"text": "quick: detect cars & vans", "set": "yard", "budget": "1h30m", "priority": "5", "balance": "1"}
    for _ in range(2):
        answer = post(found, "/requests", fields)
        assert (answer.status, answer.headers["Location"]) == (303, "/?told=queued")
    place.run()
    assert place.ended() == {"quick-detect-cars-vans.json": "done", "quick-detect-cars-vans-2.json": "done"}
    dropped = json.loads(
        (place.spool.done / "000001-quick-detect-cars-vans" / "request").glob("*").__next__().read_text()
    )
    assert dropped == {
        "text": "quick: detect cars & vans", "data": ["yard"], "budget": "1h30m", "priority": 5, "balance": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({}, "&#39;text&#39; is missing"),
        ({"text": "a\0b"}, "&#39;text&#39; is not a request in words"),
        ({"text": "x", "budget": "soon"}, "&#39;budget&#39; is not a time such as 90s"),
        ({"text": "x", "priority": "99"}, "&#39;priority&#39; is not a whole number from -10 to 10"),
        ({"text": "x", "priority": "high"}, "The priority is no whole number"),
        ({"text": "x", "set": "nowhere"}, "There is no data set &#39;nowhere&#39;"),
        ({"text": "x", "folder": "/etc"}, "&#39;/etc&#39; is not in "),
        ({"text": "x", "folder": "../etc"}, "is not in "),
        ({"text": "x", "weights": "/x.pth"}, "The form has no field &#39;weights&#39;"),
        ({"text": "x" * 70_000}, "larger than 64 KiB"),
    ],
)
def test_wrong_form_is_told_and_nothing_is_dropped(place: Place, fields: dict[str, object], fault: str) -> None:
    answer = post(site(place), "/requests", fields)
    assert answer.status == 422
    assert fault.lower() in text(answer).lower()
    assert '<details class="asking" id="asking" open>' in text(answer)
    assert list(place.spool.incoming.iterdir()) == []


def test_without_a_folder_for_data_only_names_are_taken(place: Place, tmp_path: Path) -> None:
    found = site(place)
    found.desk = replace(found.desk, below=None)
    assert "unless `edge watch` is started with --data-below" in text(
        post(found, "/requests", {"text": "x", "folder": str(tmp_path)})
    )


def test_buttons_leave_the_wishes_that_edge_queue_leaves(place: Place) -> None:
    place.drop("a.txt", "code 4")
    place.run()
    found = site(place)
    assert post(found, "/requests/000001-a/cancel").status == 409
    assert post(found, "/requests/000009-a/retry").status == 409
    assert post(found, "/requests/000001-a/purge").status == 404
    assert post(found, "/requests/000001-a/retry").headers["Location"] == "/?told=again"
    assert [path.name for path in place.spool.control.iterdir()] == ["retry-000001-a"]
    assert "It will be queued again." in text(get(found, "/"))
    place.run()
    assert len(place.steps()["000001-a"]) == 1, "tried again, with the finished step kept"


# whom it lets in


@pytest.mark.parametrize(
    ("host", "near", "status"),
    [
        ("127.0.0.1:8080", True, 200), ("localhost:9000", True, 200), ("[::1]:8080", True, 200),
        ("LOCALHOST", True, 200), ("10.0.0.9:8080", True, 200),
        ("evil.example", True, 421), ("evil.example:8080", False, 421), ("127.0.0.1.evil.example", True, 421),
        ("192.168.1.5:8080", True, 421), ("192.168.1.5:8080", False, 401), ("edge.home", True, 200), ("", True, 421),
        ("localhost:80:80", True, 421), ("localhost/x", True, 421), ("a@localhost", True, 421), ("[::1", True, 421),
    ],
)  # fmt: skip
def test_page_answers_to_its_own_names_only(place: Place, host: str, near: bool, status: int) -> None:
    found = site(place, near=near, token="" if near else TOKEN, names=("edge.home", "10.0.0.9"))
    assert get(found, "/", host=host).status == status
    assert get(found, "/live", host=host).status == status


def test_token_opens_by_form_cookie_and_header_and_nothing_else_does(place: Place) -> None:
    found = site(place, token=TOKEN)
    for path in ("/", "/live", "/metrics", "/status.json", "/requests/000001-a/log", "/nowhere"):
        assert get(found, path).status == 401
        assert get(found, path, authorization="Bearer wrong").status == 401
        assert get(found, path, authorization=f"Basic {TOKEN}").status == 401
        assert get(found, path, cookie=f"edge_page={TOKEN}").status == 401
        assert get(found, path, authorization="Bearer Ünïcode").status == 401
    assert "Token" in text(get(found, "/"))
    assert post(found, "/login", {"token": "wrong"}).status == 401
    assert post(found, "/login", {"token": TOKEN}, origin="http://evil.example").status == 401
    answer = post(found, "/login", {"token": TOKEN})
    cookie = answer.headers["Set-Cookie"]
    assert answer.status == 303
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000")
    assert TOKEN not in cookie
    assert get(found, "/", cookie=f"other=1; {cookie.split(';')[0]}").status == 200
    assert get(found, "/metrics", authorization=f"Bearer {TOKEN}").status == 200
    assert get(site(place, token=TOKEN + "2"), "/", cookie=cookie.split(";")[0]).status == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"content-type": "text/plain"},
    ],
)  # fmt: skip
def test_forms_of_other_pages_do_nothing(place: Place, headers: dict[str, str]) -> None:
    found = site(place)
    assert post(found, "/requests", {"text": "x"}, **headers).status in (400, 403)
    assert post(found, "/requests", {"text": "x", "form": "guessed"}).status == 403
    assert post(found, "/requests", {"text": "x", "form": [found.door.form_token(), "x"]}).status == 403
    assert list(place.spool.incoming.iterdir()) == []


def test_program_with_the_token_needs_no_form(place: Place) -> None:
    found = site(place, token=TOKEN)
    assert post(found, "/requests", {"text": "x", "form": ""}, authorization=f"Bearer {TOKEN}").status == 303


def test_token_file_is_made_for_its_owner_alone_and_refused_if_others_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "token"
    token = make_token(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_token(path) == token
    path.chmod(0o640)
    with pytest.raises(BadRequest, match="may be read by others"):
        read_token(path)
    path.chmod(0o600)
    path.write_text("short")
    with pytest.raises(BadRequest, match="holds no token"):
        read_token(path)
    with pytest.raises(BadRequest, match="cannot be read"):
        read_token(tmp_path / "none")


def test_page_beyond_this_machine_is_refused_without_a_token(place: Place, tmp_path: Path) -> None:
    address = Address("0.0.0.0", 0)
    with pytest.raises(BadRequest, match=r"everyone who reaches 0\.0\.0\.0:0 could give orders"):
        Page(place.spool, QUICK, address, Log(quiet=True)).open()
    page = Page(place.spool, replace(QUICK, http_token=tmp_path / "token"), address, Log(quiet=True))
    page.open()
    page.close()
    assert read_token(tmp_path / "token")


@pytest.mark.parametrize(
    ("given", "told", "near"),
    [
        ("127.0.0.1:8080", "127.0.0.1:8080", True), ("localhost:1", "127.0.0.1:1", True),
        ("[::1]:80", "[::1]:80", True),
        ("0.0.0.0:80", "0.0.0.0:80", False), ("[::]:80", "[::]:80", False), ("unix:/run/x", "unix:/run/x", True),
    ],
)  # fmt: skip
def test_addresses_are_read(given: str, told: str, near: bool) -> None:
    found = Address.read(given)
    assert (str(found), found.near) == (told, near)


@pytest.mark.parametrize(
    "given", ["8080", ":8080", "evil.example:80", "127.0.0.1:99999", "1.2.3:80", "::1:80", "unix:x", "127.0.0.1:\uff18"]
)
def test_other_addresses_are_refused(given: str) -> None:
    with pytest.raises(ValueError):
        Address.read(given)


def test_taken_address_is_told_with_the_next_step() -> None:
    with (
        listening(Address("127.0.0.1", 0)) as sock,
        pytest.raises(BadRequest, match="Address already in use") as caught,
    ):
        listening(Address("127.0.0.1", sock.getsockname()[1]))
    assert caught.value.__notes__ == ["Another program has it; take another port."]


# with a socket


@contextlib.contextmanager
def served(found: Site, hear_s: float = 10.0) -> Iterator[int]:
    with listening(Address("127.0.0.1", 0)) as sock:
        server = Server(sock, found.answer, hear_s=hear_s)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield sock.getsockname()[1]
        finally:
            server.shutdown()
            thread.join()


def send(port: int, raw: bytes) -> bytes:
    """What comes back for these very bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        with contextlib.suppress(OSError):
            sock.sendall(raw)
            sock.shutdown(socket.SHUT_WR)
        found = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := sock.recv(65536):
                found += piece
        return found


def status_of(raw: bytes) -> int:
    return int(raw.split()[1]) if raw else 0


HEAD = b"Host: localhost\r\n"
A_FORM = f"Content-Type: {FORM}\r\n".encode()


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET / HTTP/1.1\r\n" + HEAD + b"\r\n", 200),
        (b"GET / HTTP/1.0\r\n" + HEAD + b"\r\n", 200),
        (b"GET /?told=<script> HTTP/1.1\r\n" + HEAD + b"\r\n", 200),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HEAD + HEAD + b"\r\n", 400),
        (b"GET /\r\n", 505),
        (b"GET / HTTP/2.0\r\n" + HEAD + b"\r\n", 505),
        (b"GET http://evil.example/ HTTP/1.1\r\n" + HEAD + b"\r\n", 400),
        (b"GET //evil.example/ HTTP/1.1\r\n" + HEAD + b"\r\n", 404),
        (b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n" + HEAD + b"\r\n", 404),
        (b"GET /%ff HTTP/1.1\r\n" + HEAD + b"\r\n", 400),
        (b"GET /\xff\xfe HTTP/1.1\r\n" + HEAD + b"\r\n", 404),
        (b"BREW / HTTP/1.1\r\n" + HEAD + b"\r\n", 405),
        (b"DELETE /requests HTTP/1.1\r\n" + HEAD + b"\r\n", 405),
        (b"CONNECT evil.example:80 HTTP/1.1\r\n" + HEAD + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HEAD + b"X: " + b"y" * 40_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + HEAD + b"".join(b"X%d: y\r\n" % n for n in range(2000)) + b"\r\n", 431),
        (b"GET /" + b"y" * 10_000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n", 414),
        (b"POST /requests HTTP/1.1\r\n" + HEAD + b"Content-Length: 999999999\r\n\r\n", 413),
        (b"POST /requests HTTP/1.1\r\n" + HEAD + b"Content-Length: -1\r\n\r\n", 400),
        (b"POST /requests HTTP/1.1\r\n" + HEAD + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde", 400),
        (b"POST /requests HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"POST /requests HTTP/1.1\r\n" + HEAD + b"Content-Length: 50\r\n\r\nshort", 400),
        (b"POST /requests HTTP/1.1\r\n" + HEAD + A_FORM + b"Content-Length: 3\r\n\r\n\xff\0\xff", 400),
        (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(range(256)), 400),
        (b"\0" * 5000, 414),
        (b"\r\n\r\n", 400),
        (b"", 0),
    ],
)  # fmt: skip
def test_whatever_comes_is_answered_or_refused(
    place: Place, raw: bytes, status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    with served(site(place)) as port:
        answer = send(port, raw)
        assert status_of(answer) == status, answer[:300]
        if status:
            head = answer.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
            assert {*(f"{name}: {value}" for name, value in HEADERS.items()), "Connection: close"} <= set(head)
            assert b"Server:" not in answer
        assert status_of(send(port, b"GET / HTTP/1.1\r\n" + HEAD + b"\r\n")) == 200, "it serves on"
    assert capfd.readouterr().err == ""
    assert list(place.spool.incoming.iterdir()) == []


def test_random_bytes_do_not_end_it(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    rng = random.Random(5)
    start = b"POST /requests?a=%00 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nform=1&x="
    with served(site(place)) as port:
        for _ in range(200):
            raw = bytearray(start)
            for _ in range(rng.randint(1, 8)):
                raw[rng.randrange(len(raw))] = rng.randrange(256)
            send(port, bytes(raw))
        assert status_of(send(port, b"GET / HTTP/1.1\r\n" + HEAD + b"\r\n")) == 200
    assert "Traceback" not in capfd.readouterr().err


def test_head_has_the_headers_and_nothing_else(place: Place) -> None:
    with served(site(place)) as port:
        for path in ("/", "/page.css", "/metrics", "/nowhere"):
            whole = send(port, f"GET {path} HTTP/1.1\r\n".encode() + HEAD + b"\r\n")
            head, _, body = send(port, f"HEAD {path} HTTP/1.1\r\n".encode() + HEAD + b"\r\n").partition(b"\r\n\r\n")
            assert body == b""
            assert status_of(head) == status_of(whole)
            assert head.split(b"Content-Type")[1].split(b"\r\n")[0] in whole


def test_slow_senders_are_cut_off_and_let_others_through(place: Place) -> None:
    with served(site(place), hear_s=1.0) as port, contextlib.ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 20)) for _ in range(MOST_CONNECTIONS)]
        began = time.monotonic()
        for sock in slow:
            sock.sendall(b"GET / HT")
        turned_away = send(port, b"GET / HTTP/1.1\r\n" + HEAD + b"\r\n")
        assert status_of(turned_away) in (0, 503), "all places are taken"
        while time.monotonic() - began < 1.5:  # a byte now and then does not help them
            for sock in slow:
                with contextlib.suppress(OSError):
                    sock.sendall(b"T")
            time.sleep(0.2)
        assert {status_of(sock.recv(100)) for sock in slow[:1]} <= {408, 400}
        assert status_of(send(port, b"GET / HTTP/1.1\r\n" + HEAD + b"\r\n")) == 200


def test_browser_that_does_not_read_is_left(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.appliance.web.server.HEAR_S", 0.5)
    place.drop("a.txt", "quick")
    place.run()
    with (place.only("done") / "package" / "report.html").open("wb") as file:
        file.truncate(200_000_000)
    with served(site(place), hear_s=5.0) as port, socket.create_connection(("127.0.0.1", port)) as deaf:
        deaf.sendall(b"GET /requests/000001-a/report HTTP/1.1\r\n" + HEAD + b"\r\n")
        time.sleep(1.2)
        assert threading.active_count() <= 2 + 1, "nobody waits for it any more"


# as a process


@contextlib.contextmanager
def watched(place: Place, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """`edge watch`, and the lines it began with up to the one that says that it watches."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "edge", "watch", "--spool", str(place.spool.root), *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stderr is not None
    try:
        lines = [process.stderr.readline()]
        while lines[-1] and not lines[-1].startswith("watching "):
            lines.append(process.stderr.readline())
        yield process, lines
    finally:
        process.kill()
        process.communicate()


def children(process: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def ask(port: int, path: str, **headers: str) -> tuple[int, str]:
    end = time.monotonic() + 20
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except ConnectionError:
            assert time.monotonic() < end
            time.sleep(0.1)
        finally:
            connection.close()


MOST_RSS_KB = 40 * 1024


def test_page_is_a_small_process_and_ends_with_its_watcher(place: Place) -> None:
    with watched(place, "--http", "127.0.0.1:0") as (process, lines):
        found = re.fullmatch(r"the status page is at http://127\.0\.0\.1:(\d+)/\n", lines[0])
        assert found, lines
        port = int(found[1])
        assert ask(port, "/")[0] == 200
        (page,) = children(process.pid)
        for _ in range(20):
            ask(port, "/live")
        assert int(Path(f"/proc/{page}/status").read_text().split("VmRSS:")[1].split()[0]) < MOST_RSS_KB
        libraries = Path(f"/proc/{page}/maps").read_text()
        assert not any(name in libraries for name in ("torch", "onnxruntime", "numpy", "cv2", "llama"))
        assert Path(f"/proc/{page}/stat").read_text().rpartition(")")[2].split()[16] == "10", "it steps back for jobs"
        process.kill()
        process.wait()
        end = time.monotonic() + 10
        while Path(f"/proc/{page}").exists() and "Z" not in Path(f"/proc/{page}/stat").read_text().split(")")[1][:3]:
            assert time.monotonic() < end, "the page outlives its watcher"
            time.sleep(0.05)


def test_page_that_dies_is_started_again_at_the_same_socket(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.appliance.web.process.AGAIN_AFTER_S", 0.2)
    page = Page(place.spool, QUICK, Address("127.0.0.1", 0), Log(quiet=True))
    page.open()
    try:
        page.turn(0.0)
        assert page._process is not None
        page._process.kill()
        page._process.wait()
        page.turn(1.0)
        assert ask(int(page.url.split(":")[2].strip("/")), "/status.json")[0] == 200
    finally:
        page.close()


def test_settings_that_are_read_again_reach_the_page(place: Place, tmp_path: Path) -> None:
    page = Page(place.spool, QUICK, Address("127.0.0.1", 0), Log(quiet=True))
    page.open()
    try:
        page.turn(0.0)
        first = page._process
        page.use(QUICK)
        assert page._process is first, "nothing changed"
        page.use(replace(QUICK, data_below=tmp_path))
        page.turn(1.0)
        assert str(tmp_path) in ask(int(page.url.split(":")[2].strip("/")), "/")[1]
    finally:
        page.close()


def test_socket_in_a_folder_is_its_owners_and_is_taken_over_from_the_dead(place: Place) -> None:
    address = Address(str(place.spool.root.parent / "page"), None)
    listening(address).close()  # as a watcher that was killed leaves it
    page = Page(place.spool, QUICK, address, Log(quiet=True))
    page.open()
    try:
        page.turn(0.0)
        assert Path(address.host).stat().st_mode & 0o777 == 0o600
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(20)
            sock.connect(address.host)
            sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert sock.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
        with pytest.raises(BadRequest, match="Address already in use"):
            Page(place.spool, QUICK, address, Log(quiet=True)).open()
    finally:
        page.close()
    assert not Path(address.host).exists()


def test_command_refuses_what_is_open_to_everyone(place: Place, tmp_path: Path) -> None:
    with watched(place, "--http", "0.0.0.0:0") as (process, lines):
        assert "could give orders to the status page\n" in lines[0]
        assert process.wait(20) == 3
    token = tmp_path / "token"
    with watched(place, "--http", "0.0.0.0:0", "--http-token", str(token)) as (_, lines):
        port = int(re.search(r":(\d+)/", lines[0])[1])  # type: ignore[index]
        assert lines[1] == f"its token, shown this once and kept in {token}: {token.read_text()}"
        assert ask(port, "/metrics")[0] == 401
        assert ask(port, "/metrics", Authorization=f"Bearer {token.read_text().strip()}")[0] == 200
        assert ask(port, "/", Host="evil.example")[0] == 421
