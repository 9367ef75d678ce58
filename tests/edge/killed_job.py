"""Runs one job and kills its own process with SIGKILL at a chosen moment. Not a test; test_chain.py starts it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from edge.cli import main
from edge.pipeline import Listener, produce
from edge.settings import Given, Job, Settings

BUDGET_S = 150.0  # enough for a search of two short trials


def die() -> None:
    """What a power cut does, as far as a process can do it to itself."""
    os.kill(os.getpid(), signal.SIGKILL)


def run(request: str, data: Path, out: Path, moment: str) -> None:
    """`moment` is a step, killed as it starts, or "step:text", killed at the first progress that begins with text."""
    name, _, text = moment.partition(":")
    current = ""

    def step(which: str, state: str) -> None:
        nonlocal current
        current = which
        if which == name and state == "start" and not text:
            die()

    def say(message: str) -> None:
        if current == name and text and message.startswith(text):
            die()

    job = Job(
        request,
        (Given(data.name, data),),
        out,
        BUDGET_S,
        skip_bad=False,
        balance=False,
        accept=False,
        weights=None,
        settings=Settings(),
    )
    produce(job, Listener(step, say, lambda *_: None, lambda _: None))


if __name__ == "__main__":
    assert main  # the killed process and the command share one import graph
    run(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
