"""`edge --help` is quick, and no package of ours loads a heavy library by being imported.

Time is the processor's user time of the child, best of five, because wall time on a busy machine measures the others.
"""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

HEAVY = ("torch", "onnxruntime", "llama_cpp", "mmengine", "mmcv", "optuna", "cv2", "matplotlib", "onnx", "scipy")
MOST_USER_S = 0.3
TELL = f"print('loaded:', [name for name in {HEAVY} if name in sys.modules])"


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def user_seconds_of_help() -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run([sys.executable, "-P", "-m", "edge", "--help"], capture_output=True, check=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def test_help_takes_less_than_three_tenths_of_a_second() -> None:
    assert min(user_seconds_of_help() for _ in range(5)) < MOST_USER_S


@pytest.mark.parametrize(
    "command",
    [
        "",
        "produce",
        "understand",
        "verify",
        "run",
        "doctor",
        "llm",
        "llm list",
        "llm pull",
        "bench",
        "bench requests",
        "fetch",
        "bundle",
        "bundle export",
        "watch",
        "install-service",
        "queue list",
    ],
)
def test_help_loads_nothing_heavy(command: str) -> None:
    code = f"""
import sys
sys.argv = ["edge", *{command!r}.split(), "--help"]
from edge.cli import main
try:
    main()
finally:
    {TELL}
"""
    assert python(code).splitlines()[-1] == "loaded: []"


@pytest.mark.parametrize("package", ["edge", "deploy_targets", "profiler", "llm_gguf", "zoo"])
def test_importing_a_package_loads_nothing_heavy(package: str) -> None:
    assert python(f"import sys, {package}\n{TELL}") == "loaded: []\n"


MODULES = [
    "edge.cli",
    "edge.settings",
    "edge.workdir",
    "edge.records",
    "deploy_targets.registry",
    "edge.appliance.loop",
    "edge.appliance.web.site",
]


@pytest.mark.parametrize("module", MODULES)
def test_rooms_that_every_command_enters_load_nothing_heavy(module: str) -> None:
    assert python(f"import sys, {module}\n{TELL}") == "loaded: []\n"
