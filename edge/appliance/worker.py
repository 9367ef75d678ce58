"""The one child process that works: how it is started, heard, stopped, and how nothing of it is left behind.

It runs in a session of its own, dies with the watcher by the kernel's signal, and is the first to go when memory is
short. Its descendants carry a mark in their environment, by which a later watcher finds those that outlived it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from edge.report.events import Event, read_event

MARK = "EDGE_SPOOL"
PR_SET_PDEATHSIG = 1  # linux/prctl.h
CAP_SYS_NICE = 23  # linux/capability.h
NICE = 10  # the watcher, below whatever is timed
OOM_SCORE_ADJ = 500  # the worker: twice its share of memory, so that it goes before the watcher does
LOG_TAIL_BYTES = 16 * 1024
READ_BYTES = 64 * 1024
GONE_WITHIN_S = 10.0
MOST_PENDING_BYTES = 1 << 20  # of a line without an end


class Worker:
    """One run of a command, which is given a descriptor for its events."""

    def __init__(self, command: Callable[[int], Sequence[str]], *, root: Path, folder: Path, log: Path) -> None:
        """Starts it.

        Args:
            command: the command for a given descriptor of events.
            root: the spool, by which stragglers are found.
            folder: where it runs, so that what libraries write into the current folder stays with the request.
            log: what it writes to standard output and error is appended there.
        """
        self._events, child = os.pipe()
        self._pending = b""
        self.heard_at_s = time.monotonic()
        self.began_at_s = self.heard_at_s
        try:
            with log.open("ab") as output:
                self._process = subprocess.Popen(
                    list(command(child)),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=folder,
                    env={**os.environ, MARK: str(root)},
                    pass_fds=(child,),
                    start_new_session=True,
                    preexec_fn=_child(os.getpid()),
                )
        except BaseException:
            os.close(self._events)
            raise
        finally:
            os.close(child)
        os.set_blocking(self._events, False)
        self._end = os.pidfd_open(self._process.pid)

    def descriptors(self) -> tuple[int, ...]:
        """Readable when there are events, and when it has ended."""
        return (self._end,) if self._events < 0 else (self._events, self._end)

    def events(self) -> list[Event]:
        """What it told since the last call; never waits."""
        while self._events >= 0:
            try:
                data = os.read(self._events, READ_BYTES)
            except BlockingIOError:
                break
            if not data:  # no longer listened for: else its end would wake us for ever
                os.close(self._events)
                self._events = -1
            self._pending += data
        *lines, self._pending = self._pending.split(b"\n")
        self._pending = self._pending[:MOST_PENDING_BYTES]
        found = [event for event in map(read_event, lines) if event is not None]
        if found:
            self.heard_at_s = time.monotonic()
        return found

    def ended(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        return self._process.poll()

    def interrupt(self) -> None:
        """What Ctrl-C does: it finishes its checkpoint and ends."""
        self._signal(signal.SIGINT)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def close(self) -> None:
        """End it if it runs, and close the descriptors."""
        self.kill()
        self._process.wait()
        os.close(self._end)
        if self._events >= 0:
            os.close(self._events)
            self._events = -1

    def _signal(self, which: signal.Signals) -> None:
        if self.ended() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, which)


def kill_stragglers(root: Path) -> int:
    """End every process that a worker of this spool left behind, and see them gone. Returns how many there were."""
    found = _marked(root)
    for process in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    until_s = time.monotonic() + GONE_WITHIN_S
    while found and _marked(root) and time.monotonic() < until_s:
        time.sleep(0.01)
    return len(found)


def told(log: Path) -> tuple[str, tuple[str, ...]]:
    """The last error that a command printed, and its hints: `Error:` with a fact, below it the next steps, indented."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LOG_TAIL_BYTES))
            lines = file.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return "", ()
    starts = [at for at, line in enumerate(lines) if line.startswith("Error: ")]
    if not starts:
        return "", ()
    hints: list[str] = []
    for line in lines[starts[-1] + 1 :]:
        if not line.startswith("  "):
            break
        hints.append(line.strip())
    return lines[starts[-1]].removeprefix("Error: "), tuple(hints)


def step_back() -> None:
    """Let what is timed come first: batch scheduling, and a lower priority where children can be given theirs back."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    if _may_raise():
        os.setpriority(os.PRIO_PROCESS, 0, NICE)


def _child(parent: int) -> Callable[[], None]:
    """What the child does between fork and exec; libraries are loaded here, before the fork."""
    libc = ctypes.CDLL(None)
    may_raise = _may_raise()

    def prepare() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        # a shell that starts the watcher in the background lets it ignore Ctrl-C, which the worker is stopped by
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        if may_raise:
            os.setpriority(os.PRIO_PROCESS, 0, 0)
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE_ADJ), encoding="ascii")

    return prepare


def _may_raise() -> bool:
    """Whether this process may raise its priority again (capabilities(7))."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        status = Path("/proc/self/status").read_text(encoding="utf-8", errors="replace")
        return bool(int(status.split("CapEff:")[1].split()[0], 16) >> CAP_SYS_NICE & 1)
    return False


def _marked(root: Path) -> list[int]:
    """Living processes with the mark; those of other users cannot be looked into, and are none of ours."""
    mark = b"\0" + os.fsencode(f"{MARK}={root}") + b"\0"
    found = []
    with os.scandir("/proc") as entries:
        numbers = [int(entry.name) for entry in entries if entry.name.isdigit()]
    for process in numbers:
        with contextlib.suppress(OSError), open(f"/proc/{process}/environ", "rb") as file:  # noqa: PTH123
            if process != os.getpid() and mark in b"\0" + file.read():
                found.append(process)
    return found
