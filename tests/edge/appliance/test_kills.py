"""Watchers and workers killed at random moments: every request has exactly one result, no finished step is repeated."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from spool_tools import Place

from edge.appliance.entry import Entry
from edge.appliance.worker import _marked

SCRIPT = Path(__file__).parent.parent / "spool_tools.py"
KILLS = 50
CHANGES = 60  # a request takes about 55
REQUESTS = 60


def watcher(place: Place) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", str(SCRIPT), str(place.spool.root.parent), "--once"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.DEVNULL,
    )


def begun(process: subprocess.Popen[bytes], place: Place) -> None:
    """Starting takes a while, more on a busy machine, in which nothing happens: kills are for what comes behind it."""
    lock = place.spool.root / ".lock"
    while process.poll() is None and not (lock.is_file() and lock.read_text(encoding="ascii") == str(process.pid)):
        time.sleep(0.01)


def kill(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


@pytest.mark.timeout(120)
def test_fifty_kills_at_random_moments_lose_nothing_and_repeat_nothing(place: Place) -> None:
    rng = random.Random(7)
    names = [f"{number:03d}.txt" for number in range(REQUESTS)]
    dropped = iter(names)
    texts = {name: "crash" if name == "011.txt" else f"slow {name}" for name in names}
    for kills in range(KILLS):
        for _ in range(2 if kills < REQUESTS // 2 else 0):
            name = next(dropped)
            place.drop(name, texts[name])
        process = watcher(place)
        begun(process, place)
        time.sleep(rng.uniform(0.0, 0.3))
        if rng.random() < 0.3:
            for one in _marked(place.spool.root):
                kill(one)
            time.sleep(rng.uniform(0.0, 0.1))
        process.kill()
        process.wait()
    assert watcher(place).wait(100) == 0
    ended = place.ended()
    assert sorted(ended) == names
    assert {name: where for name, where in ended.items() if where != "done"} == {"011.txt": "failed"}
    assert list(place.spool.work.iterdir()) == list(place.spool.incoming.iterdir()) == []
    worked = place.steps()
    assert len(worked) == REQUESTS, "each request has one number for ever"
    for steps in worked.values():
        # a kill between a step's record and its line here loses the line; between line and record there is nothing
        assert max(Counter(steps).values()) == 1
    events = [line for known in place.spool.done.iterdir() for line in Entry(known).journal()]
    cut_short = sum(line["event"] == "end" for line in events)
    assert cut_short > KILLS // 3, "the kills hit work, not the time around it"
    packages = [path for path in place.spool.done.glob("*/package/model.onnx") if path.read_text() == "a model\n"]
    assert len(packages) == REQUESTS - 1
    assert _marked(place.spool.root) == []


class Death(BaseException):
    """In place of SIGKILL: nobody catches it, and nothing is done after it but closing files."""


def test_death_at_each_change_on_the_disk_leaves_one_result(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The n-th rename, new folder, removal or sync is the last thing that a watcher does, for every n in turn."""
    changes = ("rename", "replace", "mkdir", "unlink", "rmdir", "fsync")
    left = float("inf")
    for name in changes:
        real = getattr(os, name)

        def mortal(*arguments: object, real: Any = real, **options: object) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise Death
            return real(*arguments, **options)

        monkeypatch.setattr(os, name, mortal)
    count, deaths = 0, 0
    while count < CHANGES:
        name = f"{count:03d}.txt"
        left = float("inf")
        place.drop(name, "code 4" if count % 2 else f"quick {count}")
        left = count
        try:
            place.run()
        except Death:
            deaths += 1
        left = float("inf")
        place.run()
        assert place.ended().get(name) == ("failed" if count % 2 else "done"), f"after {count} changes"
        count += 1
    assert deaths > 45
    assert sorted(place.ended()) == [f"{number:03d}.txt" for number in range(CHANGES)]
    assert len(place.steps()) == CHANGES
    assert list(place.spool.trash.iterdir()) == list(place.spool.work.iterdir()) == []
