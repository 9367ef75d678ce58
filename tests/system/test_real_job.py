"""The real worker in the sandbox: a small job on the digits, killed and rebooted on its way, has one package."""

from __future__ import annotations

import json
import time

import pytest
from appliance import SPOOL, Appliance
from machine import until

pytestmark = pytest.mark.timeout(1800)

REQUEST = (
    "Classify handwritten digits: zero, one, two, three, four, five, six, seven, eight and nine. "
    "At least 30 fps on the CPU, under 15 million parameters."
)
JOB = json.dumps({"text": REQUEST, "budget": "3m", "weights": "scratch"})
MOST_S = 900.0


def test_real_job_survives_kills_and_a_reboot_and_is_made_once(real: Appliance) -> None:
    real.override("[Unit]", "StartLimitIntervalSec=0", "[Service]", "RestartSec=100ms")
    began = time.monotonic()
    real.drop("digits.json", JOB)
    for stage in ("gather", "measure"):
        real.reaches(stage, seconds=MOST_S)
        kill(real)
    real.reaches("train", "iteration", seconds=MOST_S)
    real.machine.reboot()
    real.reaches("export", seconds=MOST_S)
    kill(real)
    real.reaches("verify", seconds=MOST_S)
    kill(real)
    folder = real.wait_for("digits.json", "done", MOST_S)
    print(f"a real job with four kills and a reboot: {time.monotonic() - began:.0f} s")
    manifest = json.loads((folder / "package" / "manifest.json").read_text())
    assert {"card.md", "report.html"} & set(manifest["files"])
    assert len(list(real.machine.path(SPOOL / "done").iterdir())) == 1
    real.person(
        f"exec > {SPOOL}/incoming/again.json; printf '%s' '{JOB[:40]}'; sleep 1; printf '%s' '{JOB[40:]}'"
    )  # the same, copied slowly: it gets the same package without work
    again = real.wait_for("again.json", "done")
    assert json.loads((again / "status.json").read_text())["same_as"] == folder.name
    assert (again / "package" / "manifest.json").samefile(folder / "package" / "manifest.json")


def kill(appliance: Appliance) -> None:
    before = appliance.machine.main_process()
    appliance.machine.run("systemctl", "kill", "--signal=KILL", "edge")
    until(lambda: appliance.machine.main_process() not in (0, before), 20, "the restart")
