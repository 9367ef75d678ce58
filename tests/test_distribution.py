"""Wheel and sdist: what they hold, and that the wheel alone runs `edge doctor` in an environment of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from edge.errors import Exit

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parent.parent
DATA_FILES = (
    "zoo/models/shortlist.yml",
    "zoo/models/timm.yml",
    "edge/report/page.html.j2",
    "edge/report/page.css",
    "llm_gguf/benchmark/requests.jsonl",
    "llm_gguf/library/catalogue.json",
    "llm_gguf/training/corpus/things.txt",
)
PACKAGES = {"edge", "deploy_targets", "profiler", "llm_gguf", "zoo"}
UNITS = {str(path.relative_to(ROOT)) for path in (ROOT / "systemd").rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """dist/ of exactly what git tracks."""
    source, dist = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    archive = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, archive.decode().split("\0")):
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return dist


def test_wheel_holds_the_packages_and_their_data_and_nothing_else(built: Path) -> None:
    names = zipfile.ZipFile(next(built.glob("*.whl"))).namelist()
    shared = {name.partition(".data/data/share/edge/")[2] for name in names if ".data/" in name}
    assert shared == UNITS
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name and ".data/" not in name}
    assert tops == PACKAGES
    for needed in DATA_FILES:
        assert needed in names
    assert [name for name in names if name.endswith(".gguf")], "the language model is missing"


def test_sdist_holds_the_locks(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = archive.getnames()
    assert any(name.endswith("lock/3-wheels.txt") for name in names)


def test_wheel_installed_elsewhere_runs_doctor(built: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    wheel = f"{next(built.glob('*.whl'))}[onnxruntime]"
    install = subprocess.run(
        [str(python), "-m", "pip", "install", "-q", wheel], capture_output=True, text=True, check=False
    )
    assert install.returncode == 0, install.stderr
    done = subprocess.run(
        [str(tmp_path / "venv" / "bin" / "edge"), "doctor", "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    # torch and the toolboxes are not there, and that is what doctor has to say
    assert done.returncode == Exit.ENVIRONMENT, done.stderr
    found = {f["name"]: f["state"] for f in json.loads(done.stdout.splitlines()[-1])["findings"]}
    assert found["torch"] == "missing"
    assert found["onnxruntime"] == "ok"
    assert found["packages"] == "ok"
    service = subprocess.run(
        [str(tmp_path / "venv" / "bin" / "edge"), "install-service", "--user", "--dry-run"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert re.search(rf"^ExecStart={tmp_path}/venv/bin/python\S* -P -m edge watch$", service.stderr, re.MULTILINE)
