"""A machine with a real systemd as its first process: a container of systemd-nspawn over a Debian that is set up once.

The Debian lies under ~/.cache/edge-test-system; each machine writes into a layer of its own above it, which survives
reboots and goes with the machine. This repository and the Python it runs on are bound in, read-only, at the same paths.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHON = Path(sys.executable)
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edge-test-system"
SUITE = "bookworm"
# beside systemd, the libraries that compiled parts of the environment and a Python built from source are linked with
PACKAGES = (
    "systemd,systemd-sysv,dbus,libpam-systemd,"
    "libgomp1,libffi8,libsqlite3-0,libssl3,libbz2-1.0,liblzma5,zlib1g,libreadline8"
)
MADE = CACHE / f"{SUITE}-{zlib.crc32(PACKAGES.encode()):08x}"
BOOT_S = 60.0


def missing() -> str:
    """Why no machine can be made here; empty if one can."""
    if os.geteuid() != 0:
        return "a container with a systemd of its own needs root"
    for program, package in (("systemd-nspawn", "systemd-container"), ("debootstrap", "debootstrap")):
        if shutil.which(program) is None and not (program == "debootstrap" and MADE.is_dir()):
            return f"{program} is not installed (apt-get install {package})"
    return ""


def debian() -> Path:
    """The Debian below all machines; made at the first call, which takes a minute and needs a mirror."""
    if not MADE.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        aside = MADE.with_suffix(".partial")
        shutil.rmtree(aside, ignore_errors=True)
        subprocess.run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(aside)], check=True)
        aside.rename(MADE)
    return MADE


def until(true: Callable[[], Any], seconds: float, what: str) -> Any:
    """What `true` gives as soon as it is true."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.1)
    return found


class Machine:
    """One that runs. Paths are those in it."""

    def __init__(self, place: Path) -> None:
        self.place, self.root = place, place / "root"
        self.console = place / "console.log"
        layers = [place / name for name in ("upper", "work", "root")]
        for layer in layers:
            layer.mkdir()
        options = f"lowerdir={debian()},upperdir={layers[0]},workdir={layers[1]}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(self.root)], check=True)
        self._boot()

    def path(self, inside: str | Path) -> Path:
        """Where a file of the machine lies for us."""
        return self.root / str(inside).lstrip("/")

    def run(self, *command: str | Path, check: bool = True) -> str:
        """Standard output of a command in the machine."""
        found = self.done(*command)
        assert not check or found.returncode == 0, f"{command}: {found.stdout}{found.stderr}"
        return found.stdout.strip()

    def done(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        inside = ["nsenter", "--all", f"--target={self._first()}", *map(str, command)]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8", "COLUMNS": "200"}
        return subprocess.run(inside, capture_output=True, text=True, check=False, env=environment)

    def shown(self, *properties: str, unit: str = "edge.service") -> dict[str, str]:
        """Properties of a unit, as systemd tells them."""
        lines = self.run("systemctl", "show", unit, f"--property={','.join(properties)}").splitlines()
        return {name: value for name, _, value in (line.partition("=") for line in lines)}

    def main_process(self) -> int:
        return int(self.shown("MainPID")["MainPID"])

    def wait(self) -> None:
        """Until it is up."""
        until(self._up, BOOT_S, f"booting ({self.console})")

    def reboot(self) -> None:
        """As `reboot` does: every service is stopped first."""
        self.done("systemctl", "reboot")
        self._again()

    def cut(self) -> None:
        """As a power cut does, but for what the kernel still writes to the disk."""
        os.kill(self._first(), signal.SIGKILL)
        self._again()

    def off(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(30)
            self._process.kill()
            self._process.wait()
        subprocess.run(["umount", str(self.root)], check=True)

    def _boot(self) -> None:
        # the Python that runs these tests, and what of it lies elsewhere
        shown = {ROOT, Path(sys.prefix), Path(sys.base_prefix)}
        command = ["systemd-nspawn", "-q", "-D", str(self.root), "-M", f"edge-{os.getpid()}", "--register=no"]
        command += ["--keep-unit", "--private-network", "--link-journal=no", "--console=pipe", "--boot"]
        command += [f"--bind-ro={folder}" for folder in sorted(shown)]
        # processor time is counted everywhere in the unified hierarchy, also where the host has none
        environment = {**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
        with self.console.open("ab") as console:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, env=environment
            )

    def _again(self) -> None:
        """The container ends with its machine (--keep-unit), so it is begun again over the same layers."""
        self._process.wait(150)
        self._boot()
        self.wait()

    def _up(self) -> bool:
        assert self._process.poll() is None, self.console.read_text(errors="replace")
        if not self._first():
            return False
        return self.run("systemctl", "is-system-running", check=False) in ("running", "degraded")

    def _first(self) -> int:
        """The machine's first process."""
        process = self._process.pid
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
            return int(children[0]) if children else 0
        return 0


@contextlib.contextmanager
def machine() -> Iterator[Machine]:
    """One that is up, and is gone afterwards."""
    place = Path(tempfile.mkdtemp(prefix="edge-machine-"))
    found = Machine(place)
    try:
        found.wait()
        yield found
    finally:
        found.off()
        shutil.rmtree(place, ignore_errors=True)
