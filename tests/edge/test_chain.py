"""The whole chain with all real parts, without a network, killed in every step; then what users do with the result."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from edge.errors import Exit
from edge.workdir import STEPS
from zoo.demo import write_digits

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

REQUEST = (
    "Classify handwritten digits: zero, one, two, three, four, five, six, seven, eight and nine. "
    "At least 10 fps on the CPU with ONNX Runtime, under 15 million parameters."
)
KILLER = Path(__file__).with_name("killed_job.py")
# every step as it starts, and the long ones in the midst of their work as well
MOMENTS = (
    *STEPS[:3],
    "measure",
    "measure:timing",
    *STEPS[4:6],
    "tune:trial 1",
    "train",
    "train:iteration 2",
    *STEPS[7:],
)


def offline() -> list[str]:
    """Prefix of a command that takes every network interface away, loopback included."""
    for prefix in (["unshare", "-n"], ["unshare", "-rn"]):
        if (
            shutil.which("unshare")
            and subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
        ):
            return prefix
    pytest.skip("this machine allows no network namespaces")


def call(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*offline(), sys.executable, "-P", *command], capture_output=True, text=True, check=False)


def edge(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return call("-m", "edge", *map(str, arguments))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "Ziffern für alle"
    write_digits(folder, limit=400)
    return folder


@pytest.fixture(scope="module")
def job(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job folder whose process was killed at every moment of MOMENTS, and which then ran through."""
    out = tmp_path_factory.mktemp("job") / "out"
    for moment in MOMENTS:
        killed = call(str(KILLER), REQUEST, str(data), str(out), moment)
        assert killed.returncode == -9, f"{moment}: {killed.returncode}\n{killed.stderr}"
        assert not (out / "package").exists(), f"a package appeared before the job was done: {moment}"
    done = edge("produce", REQUEST, "--data", data, "--out", out, "--budget", "150s")
    assert done.returncode == 0, done.stderr
    return out


def journal(out: Path) -> Sequence[dict[str, str]]:
    return [json.loads(line) for line in (out / "journal.jsonl").read_text(encoding="utf-8").splitlines()]


def test_no_step_is_repeated_after_it_finished(job: Path) -> None:
    entries = journal(job)
    finished = Counter(entry["step"] for entry in entries if entry["state"] == "done")
    assert finished == dict.fromkeys(STEPS, 1)
    order = [entry["step"] for entry in entries if entry["state"] == "done"]
    assert order == list(STEPS)


def test_training_goes_on_from_its_checkpoint_after_a_kill(job: Path) -> None:
    trained = json.loads((job / "steps" / "07-train.json").read_text(encoding="utf-8"))["result"]
    assert trained["iterations"] == trained["planned_iterations"]


def test_there_is_one_package_and_it_holds_every_promise(job: Path) -> None:
    assert [path.name for path in job.glob("package*")] == ["package"]
    manifest = json.loads((job / "package" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["overall"] == "perfect"


def test_a_finished_job_is_kept_when_the_command_is_given_again(job: Path, data: Path) -> None:
    before = (job / "journal.jsonl").read_bytes()
    again = edge("produce", REQUEST, "--data", data, "--out", job, "--budget", "150s", "--json")
    assert again.returncode == 0, again.stderr
    assert (job / "journal.jsonl").read_bytes() == before
    assert json.loads(again.stdout.splitlines()[-1])["overall"] == "perfect"


def test_package_carried_to_another_place_verifies(job: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(job / "package", copy)
    done = edge("verify", copy, "--json")
    assert done.returncode == 0, done.stderr
    verdict = json.loads(done.stdout.splitlines()[-1])
    assert verdict["overall"] == "perfect"
    assert verdict["metric"] > verdict["baseline"] + 0.2


def test_package_predicts_its_samples(job: Path) -> None:
    package = job / "package"
    entries = json.loads((package / "expected.json").read_text(encoding="utf-8"))
    done = edge("run", package, *(package / entry["image"] for entry in entries))
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    classes = (package / "labels.txt").read_text(encoding="utf-8").split()
    expected = [classes[entry["scores"].index(max(entry["scores"]))] for entry in entries]
    assert [answer["label"] for answer in answers] == expected


def test_another_request_in_the_same_folder_is_refused(job: Path, data: Path) -> None:
    done = edge("produce", REQUEST + " Please.", "--data", data, "--out", job)
    assert done.returncode == Exit.STORAGE
    assert "holds another job: request differ" in done.stderr


def test_speed_nobody_can_reach_ends_infeasible_without_a_package(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = edge("produce", REQUEST.replace("10 fps", "100000 fps"), "--data", data, "--out", out)
    assert done.returncode == Exit.INFEASIBLE, done.stderr
    assert "the binding constraint is at least 100000 fps" in done.stderr
    assert "Nearest: " in done.stderr
    assert not (out / "package").exists()
