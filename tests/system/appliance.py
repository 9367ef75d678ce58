"""The installed service inside a machine, as its owner and the people who drop requests see it."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from machine import PYTHON, Machine, until

STATE = Path("/var/lib/edge")
SPOOL = STATE / "spool"
DROP_IN = Path("/etc/systemd/system/edge.service.d/test.conf")
PERSON = "alice"  # a member of the group edge


class Appliance:
    """Everything is done by commands in the machine, everything read from its files."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def edge(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return self.machine.done(PYTHON, "-P", "-m", "edge", *arguments)

    def install(self, *options: str | Path) -> None:
        done = self.edge("install-service", *options)
        assert done.returncode == 0, done.stderr
        if not self.machine.run("getent", "passwd", PERSON, check=False):
            self.machine.run("useradd", "--no-create-home", "--groups", "edge", PERSON)

    def override(self, *lines: str) -> None:
        """A drop-in that comes last."""
        path = self.machine.path(DROP_IN)
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
        self.machine.run("systemctl", "daemon-reload")

    def add(self, *lines: str) -> None:
        """More lines of [Service] to the drop-in that is there."""
        self.override(self.machine.path(DROP_IN).read_text(), "[Service]", *lines)
        self.start()

    def start(self) -> None:
        self.machine.run("systemctl", "restart", "edge")

    def clear(self) -> None:
        """As if there had never been one."""
        self.machine.run("systemctl", "stop", "edge", check=False)
        self.machine.run("systemctl", "reset-failed", "edge", check=False)
        self.machine.path(DROP_IN).unlink(missing_ok=True)
        self.edge("install-service", "--uninstall", "--force")
        self.machine.run("rm", "-rf", STATE, "/etc/edge")
        self.machine.run("journalctl", "--rotate")
        self.machine.run("journalctl", "--vacuum-time=1s")

    def drop(self, name: str, text: str, spool: Path = SPOOL) -> None:
        """As a person in the group does: written beside, renamed into incoming/."""
        self.person(
            f"cat > {spool}/incoming/.{name} <<'END'\n{text}\nEND\nmv {spool}/incoming/.{name} {spool}/incoming/{name}"
        )

    def person(self, script: str) -> None:
        self.machine.run("runuser", "-u", PERSON, "--", "sh", "-euc", script)

    def ended(self, spool: Path = SPOOL) -> dict[str, str]:
        """Where each dropped file ended; one that is there twice is a fault."""
        found: dict[str, str] = {}
        for place in ("done", "failed", "rejected"):
            for file in self.machine.path(spool / place).glob("*/request/*"):
                assert file.name not in found, f"{file.name} has two results"
                found[file.name] = place
        return found

    def wait_for(self, name: str, place: str, seconds: float = 60.0, spool: Path = SPOOL) -> Path:
        """The folder of a request, when it has ended where it should."""
        until(lambda: name in self.ended(spool), seconds, f"the end of {name}")
        assert self.ended(spool)[name] == place
        (file,) = self.machine.path(spool / place).glob(f"*/request/{name}")
        return file.parent.parent

    def running(self) -> dict[str, Any]:
        """The status of what runs; empty if nothing does."""
        for path in self.machine.path(SPOOL / "work").glob("*/status.json"):
            try:
                found = json.loads(path.read_text())
            except (OSError, ValueError):
                continue
            if found["state"] == "running":
                return dict(found)
        return {}

    def reaches(self, stage: str, progress: str = "", seconds: float = 60.0) -> None:
        """Until the running request is in a stage."""

        def there() -> bool:
            found = self.running()
            return found.get("stage") == stage and progress in found.get("progress", "")

        until(there, seconds, f"stage {stage}")

    def journal(self, **fields: str) -> list[dict[str, Any]]:
        """Entries with these fields."""
        self.machine.run("journalctl", "--sync")
        wanted = [f"{name}={value}" for name, value in {"_SYSTEMD_UNIT": "edge.service", **fields}.items()]
        lines = self.machine.run("journalctl", "-o", "json", "--all", *wanted).splitlines()
        return [json.loads(line) for line in lines]

    def steps(self) -> dict[str, Counter[str]]:
        """How often the fake worker did each step of each request."""
        return {path.name: Counter(path.read_text().split()) for path in self.machine.path(STATE / "ran").iterdir()}
