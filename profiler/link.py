"""The parent's end of one child process: starts it, asks it, ends it. Knows nothing about windows or statistics.

The memory limit is watched, not enforced by the kernel: a candidate that grows within one polling interval overshoots.
"""

import json
import os
import select
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from profiler.errors import ChildFailed

POLL_S = 0.1
"""How often memory is looked at while waiting; one look costs some 50 us."""

STDERR_TAIL = 2000
"""Characters of the child's stderr that an error quotes at most."""

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""Read when a library loads, hence set before the child starts. Runtimes with own pools are told by the factory."""


class Child:
    """One running child process; `ask` raises ChildFailed and leaves it dead when anything goes wrong."""

    def __init__(self, threads: int, memory_limit_mb: float | None = None) -> None:
        self._memory_limit_mb = memory_limit_mb
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "profiler.child", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=_environment(threads),
            start_new_session=True,  # the terminal's Ctrl-C is for the parent
        )
        self._buffer = b""

    @property
    def pid(self) -> int:
        """The process id, also of its session and group."""
        return self._process.pid

    def ask(self, command: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        """The answer to one command; ChildFailed for a crash, a hang, too much memory, or an answer with `error`."""
        try:
            answer: dict[str, Any] = json.loads(self._exchange(json.dumps(command).encode() + b"\n", timeout_s))
        except (BrokenPipeError, json.JSONDecodeError):
            raise self._dead() from None
        if "error" in answer:
            raise ChildFailed(answer["error"])
        self._refuse_memory(answer.get("peak_rss_mb"))
        return answer

    def close(self) -> None:
        """Ends the process and whatever it started, and reaps it; harmless when repeated."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._stderr):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()

    def _exchange(self, line: bytes, timeout_s: float) -> bytes:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        stdin.write(line)
        stdin.flush()
        deadline = time.monotonic() + timeout_s
        poll = select.poll()
        poll.register(stdout, select.POLLIN | select.POLLHUP)
        while b"\n" not in self._buffer:
            if time.monotonic() > deadline:
                raise ChildFailed(f"gave no answer within {timeout_s:.1f} s and was ended.{self._tail()}")
            if poll.poll(POLL_S * 1000):
                chunk = os.read(stdout.fileno(), 1 << 16)
                if not chunk:
                    raise self._dead()
                self._buffer += chunk
            else:
                self._refuse_memory(_rss_mb(self.pid))
        answer, _, self._buffer = self._buffer.partition(b"\n")
        return answer

    def _refuse_memory(self, used_mb: float | None) -> None:
        if self._memory_limit_mb is not None and used_mb is not None and used_mb > self._memory_limit_mb:
            raise ChildFailed(f"uses {used_mb:.0f} MB of memory, more than its limit of {self._memory_limit_mb:.0f} MB")

    def _dead(self) -> ChildFailed:
        try:
            status = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return ChildFailed(f"closed its answers without ending.{self._tail()}")
        how = f"exit status {status}" if status >= 0 else f"signal {signal.Signals(-status).name}"
        return ChildFailed(f"ended by {how}.{self._tail()}")

    def _tail(self) -> str:
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size - STDERR_TAIL))
        text = self._stderr.read().decode("utf-8", errors="replace").strip()
        return f" Its last words: {text}" if text else ""


def _environment(threads: int) -> dict[str, str]:
    environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))}
    home = Path(__file__).resolve().parent.parent
    # An installed package is found anyway, and site-packages on PYTHONPATH would come before the standard library.
    if str(home) not in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(home), os.environ.get("PYTHONPATH")]))
    return environment


def _rss_mb(pid: int) -> float | None:
    import psutil

    try:
        return float(psutil.Process(pid).memory_info().rss) / 2**20
    except psutil.Error:
        return None
