"""The status page in a real browser: what it shows, that it keeps itself up to date, and that its buttons work."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from browser import CHROMIUM, Browser, browser
from spool_tools import Place

SCRIPT = Path(__file__).parent.parent / "spool_tools.py"
EVIL = '<img src=x onerror="window.caught=1"><script>window.caught=1</script>'
PHONE = (390, 844)
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine"),
    pytest.mark.timeout(180),
]

SMALL = """Array.from(document.querySelectorAll('button, .button, summary, .choice, .field input, .field textarea'))
    .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 43.5).map((one) => one.outerHTML)"""
UNNAMED = """Array.from(document.querySelectorAll('input:not([type=hidden]), textarea, select'))
    .filter((one) => !one.labels.length).map((one) => one.outerHTML)"""
PALE = """(() => {
  const light = (rgb) => {
    const [r, g, b] = rgb.map((one) => one / 255)
      .map((one) => one <= .03928 ? one / 12.92 : ((one + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const behind = (one) => {
    for (; one; one = one.parentElement) {
      const found = numbers(getComputedStyle(one).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const one of document.body.querySelectorAll('*')) {
    const own = Array.from(one.childNodes).some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !one.checkVisibility() || one.closest('.unseen, .skip')) continue;
    const both = [light(numbers(getComputedStyle(one).color)), light(behind(one))];
    if ((Math.max(...both) + .05) / (Math.min(...both) + .05) < 4.5) found.push(one.outerHTML);
  }
  return found;
})()"""  # WCAG 2.2, 1.4.3


TOLD = "document.readyState === 'complete' && document.querySelector('.told').textContent === '{}'"


@pytest.fixture(scope="module")
def tab() -> Iterator[Browser]:
    with browser() as found:
        yield found


@contextmanager
def page(place: Place, *arguments: str) -> Iterator[str]:
    """The page's address, behind a watcher with fake jobs."""
    process = subprocess.Popen(
        [sys.executable, "-P", str(SCRIPT), str(place.spool.root.parent), "--http", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "XDG_DATA_HOME": str(place.spool.root.parent)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        found = re.search(r"http://\S+", process.stderr.readline())
        assert found is not None
        yield found[0]
    finally:
        process.kill()
        process.communicate()


def full(place: Place) -> None:
    """Everything that a queue can hold."""
    (place.spool.root.parent / "edge" / "datasets").mkdir(parents=True)
    (place.spool.root.parent / "edge" / "datasets" / "yard.json").touch()
    place.drop("good.txt", "quick cars")
    place.drop("slow.txt", f"{EVIL} code 4")
    place.drop("bad.json", json.dumps({"text": "x", EVIL: 1}))
    place.run()
    (place.spool.done / "000001-good" / "package" / "report.html").write_text(
        "<title>of a model</title><h1>A report</h1><script>document.title = 'script ran'</script>"
    )
    place.drop("long.json", json.dumps({"text": "long: find wheelchairs", "budget": "1h30m", "priority": 9}))
    place.drop("next.json", json.dumps({"text": "quick and last", "priority": -5}))


def test_full_queue_is_readable_everywhere_and_loads_nothing_from_elsewhere(place: Place, tab: Browser) -> None:
    full(place)
    with page(place) as url:
        tab.look_like(*PHONE, phone=True)
        tab.go(url)
        tab.until("document.body.textContent.includes('iteration 3 of 9')")
        tab.run("for (const one of document.querySelectorAll('details')) one.open = true")
        for size, phone in ((PHONE, True), ((1280, 900), False)):
            for dark in (False, True):
                tab.look_like(*size, dark=dark, phone=phone)
                assert tab.run("document.documentElement.scrollWidth") == size[0], "nothing sticks out"
                assert tab.run(PALE) == []
        tab.look_like(*PHONE, phone=True)
        assert tab.run(SMALL) == []
        assert tab.run(UNNAMED) == []
        assert tab.run("document.querySelectorAll('h1').length") == 1
        assert tab.run("document.querySelector('[aria-current=step]').textContent") == "train, current"
        assert tab.run("window.caught") is None
        assert EVIL in tab.run("document.body.textContent")
        assert all(address.startswith((url, "data:,")) for address in tab.asked())
        assert tab.complaints() == []


def test_queue_is_used_by_hand(place: Place, tab: Browser) -> None:
    """Ask, watch it come without a reload, cancel what runs, try again what failed, read a report."""
    full(place)
    tab.look_like(1280, 900)
    with page(place) as url:
        tab.go(url)
        tab.run("document.getElementById('asking').open = true")
        tab.run("document.getElementById('text').value = 'quick & <b>new</b>'")
        tab.run("document.querySelector('[name=set][value=yard]').click()")
        tab.run("document.querySelector('.ask button').click()")
        tab.until(TOLD.format("The request is queued."))
        assert tab.run("location.search") == "", "it is told once"
        tab.run("window.same = true")
        tab.until("document.getElementById('part-waiting').textContent.includes('quick & <b>new</b>')")
        tab.until("document.getElementById('cancel-000004-long')")
        tab.run("document.querySelector('#hints-000002-slow').open = true")
        tab.run("document.getElementById('retry-000002-slow').focus()")
        place.drop("other.txt", "quick: of somebody else")
        tab.until("document.getElementById('part-waiting').textContent.includes('of somebody else')")
        assert tab.run("window.same"), "it was not loaded again"
        tab.run("document.getElementById('cancel-000004-long').click()")
        tab.until(TOLD.format("It is being cancelled."))
        tab.run("window.same = true")
        tab.run("document.querySelector('#hints-000002-slow').open = true")
        tab.run("document.getElementById('retry-000002-slow').focus()")
        tab.until("document.querySelectorAll('.cards .done').length === 4")
        tab.until("document.querySelector('#part-ended .cancelled')")
        assert tab.run("window.same"), "it was not loaded again"
        assert tab.run("document.activeElement.id") == "retry-000002-slow", "the reader is where he was"
        assert tab.run("document.querySelector('#hints-000002-slow').open")
        assert "Ready for a request" in tab.run("document.getElementById('news').textContent")
        tab.run("document.activeElement.click()")
        tab.until(TOLD.format("It will be queued again."))
        tab.until("document.getElementById('retry-000002-slow')")
        assert len([line for line in place.steps()["000002-slow"] if line == "understand"]) == 1, (
            "finished steps are kept"
        )
        tab.run("document.querySelector('a[href$=\"000001-good/report\"]').click()")
        tab.until("document.querySelector('h1')?.textContent === 'A report'")
        assert tab.run("document.title") == "of a model", "no script runs in a report"


def test_faults_are_told_beside_what_was_written(place: Place, tab: Browser) -> None:
    tab.look_like(*PHONE, phone=True)
    with page(place) as url:
        tab.go(url)
        assert tab.run("document.getElementById('asking').open"), "an empty queue asks for a request"
        tab.run(
            "document.getElementById('text').value = 'detect cars'; document.getElementById('budget').value = '5h30'"
        )
        tab.run("document.querySelector('.ask').submit()")
        tab.until("document.querySelector('[role=alert]:not([hidden])') && document.readyState === 'complete'")
        assert "'budget' is not a time" in tab.run("document.querySelector('.wrong').textContent")
        assert tab.run("document.getElementById('text').value") == "detect cars"
        assert list(place.spool.work.iterdir()) == list(place.spool.incoming.iterdir()) == []


def test_token_is_asked_once(place: Place, tab: Browser) -> None:
    with page(place, "--token") as url:
        tab.go(url)
        tab.until("document.getElementById('token')")
        tab.run("document.getElementById('token').value = 'wrong'; document.querySelector('form').submit()")
        tab.until("document.body.textContent.includes('That is not the token.')")
        token = (place.spool.root.parent / "token").read_text().strip()
        tab.run(f"document.getElementById('token').value = '{token}'; document.querySelector('form').submit()")
        tab.until("document.getElementById('part-head')")
        assert tab.run("document.cookie") == "", "no script reads it"
        tab.go(url)
        tab.until("document.getElementById('part-head')")
        tab.run("document.querySelector('form[action=\"/logout\"]').submit()")
        tab.until("document.getElementById('token')")


def test_other_pages_can_neither_read_nor_act(place: Place, tab: Browser) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<form method=post><input name=text value=mine></form><iframe></iframe>")

        def log_message(self, *_: Any) -> None:
            pass

    other = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=other.serve_forever, args=(0.02,))
    thread.start()
    try:
        with page(place) as url:
            tab.go(f"http://127.0.0.1:{other.server_port}/")
            read = f"fetch('{url}status.json').then((answer) => answer.text()).catch(() => 'refused')"
            assert tab.run(read) == "refused"
            blind = (
                f"fetch('{url}requests', {{method: 'POST', mode: 'no-cors', body: new URLSearchParams('text=mine')}})"
            )
            tab.run(f"{blind}.catch(() => 0).then(() => 1)")
            tab.run(f"document.forms[0].action = '{url}requests'; document.forms[0].submit()")
            tab.until("document.body?.textContent.includes('Nothing was done')")
            tab.go(f"http://127.0.0.1:{other.server_port}/")
            tab.run(f"document.querySelector('iframe').src = '{url}'")
            tab.until("document.querySelector('iframe').contentDocument === null")
            assert any("frame-ancestors" in one or "X-Frame-Options" in one for one in map(str, tab.events))
        assert list(place.spool.work.iterdir()) == list(place.spool.incoming.iterdir()) == []
    finally:
        other.shutdown()
        other.server_close()
        thread.join()
