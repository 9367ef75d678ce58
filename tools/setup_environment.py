#!/usr/bin/env python3
"""Brings `.venv` to exactly what lock/ says, step by step, each step only when its lock changed. Standard library only.

Slow builds happen once: pip keeps the wheels it builds in its cache. On a machine with an NVIDIA card and nvcc the
same steps give the CUDA builds (torch's default wheel; mmcv and llama.cpp compiled with CUDA).
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STATE = VENV / "edge-setup.json"
LOG = VENV / "edge-setup.log"
NEEDED = ("gcc", "g++", "cmake", "make", "git")

# name, lock file, what pip is told besides, what the user reads
STEPS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "build": ("1-build.txt", ("--upgrade",), "build tools"),
    "wheels": ("3-wheels.txt", ("--no-deps",), "libraries (wheels)"),
    # with dependencies: on a CUDA platform torch pins its own; everything else is in place by now
    "torch": ("2-torch.txt", ("--constraint", str(ROOT / "lock" / "3-wheels.txt")), "PyTorch"),
    "compiled": (
        "4-compiled.txt",
        ("--no-deps", "--no-build-isolation", "--no-binary", "xtcocotools"),
        "mmcv operators and llama.cpp, built here once (10 to 20 minutes on two cores)",
    ),
    "toolboxes": ("5-toolboxes.txt", ("--no-deps", "--no-build-isolation"), "OpenMMLab toolboxes"),
    "dev": ("6-dev.txt", ("--no-deps",), "checks and tests"),
    "llm-training": ("7-llm-training.txt", ("--no-deps",), "training of the language model"),
}
DEFAULT = ("build", "wheels", "torch", "compiled", "toolboxes")


def main(extra: list[str]) -> int:
    """Set up; `extra` names optional steps ("dev", "llm-training")."""
    fault = complaint()
    if fault:
        print(fault, file=sys.stderr)
        return 1
    names = [*DEFAULT, *extra]
    state = json.loads(STATE.read_text()) if STATE.is_file() else {}
    began = time.monotonic()
    if not usable(PYTHON):
        # also after a kill in the midst of making it, which leaves a python without pip
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
        state = {}
    for number, name in enumerate(names, start=1):
        if not step(number, len(names), name, state):
            return 1
    if not own_package(state):
        return 1
    print(f"Environment ready in {time.monotonic() - began:.0f} s: {VENV}", file=sys.stderr)
    return 0


def usable(python: Path) -> bool:
    """Whether the environment was made to its end."""
    command = [str(python), "-m", "pip", "--version"]
    return python.exists() and subprocess.run(command, capture_output=True, check=False).returncode == 0


def complaint() -> str:
    """What is missing to build, with the remedy, or nothing."""
    if sys.version_info[:2] != (3, 11):
        version = ".".join(map(str, sys.version_info[:2]))
        return f"Python 3.11 is needed, this is {version}. Run: make PYTHON=python3.11 ..."
    missing = [tool for tool in NEEDED if shutil.which(tool) is None]
    if missing:
        return (
            f"Missing: {', '.join(missing)}. mmcv and llama.cpp are built from source.\n"
            "On Debian or Ubuntu: sudo apt-get install gcc g++ cmake make git"
        )
    import sysconfig

    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    if not header.is_file():
        return f"Missing: {header}. On Debian or Ubuntu: sudo apt-get install python3.11-dev"
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        return "Missing: venv and ensurepip. On Debian or Ubuntu: sudo apt-get install python3.11-venv"
    return ""


def step(number: int, total: int, name: str, state: dict[str, str]) -> bool:
    """Install one lock file unless it is installed already."""
    lock, options, title = STEPS[name]
    digest = fingerprint(lock)
    print(f"[{number}/{total}] {title}", end="", file=sys.stderr, flush=True)
    if state.get(name) == digest:
        print(": as locked", file=sys.stderr)
        return True
    command = [str(PYTHON), "-m", "pip", "install", "--progress-bar", "off", "--requirement", str(ROOT / "lock" / lock)]
    began = time.monotonic()
    if not run([*command, *options], began):
        return False
    print(f": {time.monotonic() - began:.0f} s", file=sys.stderr)
    remember(state, name, digest)
    return True


def own_package(state: dict[str, str]) -> bool:
    """Install edge itself, editable, so that its console script exists."""
    digest = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if state.get("edge") == digest and (VENV / "bin" / "edge").exists():
        return True
    command = [str(PYTHON), "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
    if not run(command, time.monotonic()):
        return False
    remember(state, "edge", digest)
    return True


def remember(state: dict[str, str], name: str, digest: str) -> None:
    state[name] = digest
    aside = STATE.with_suffix(".partial")
    aside.write_text(json.dumps(state, indent=1))
    aside.replace(STATE)


def run(command: list[str], began: float) -> bool:
    """Run with its words in the log and a dot every 15 seconds; on failure show the end of the log."""
    with LOG.open("a") as log:
        print(f"\n$ {' '.join(command)}", file=log, flush=True)
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment(), cwd=ROOT)
        try:
            while True:
                try:
                    code = process.wait(timeout=15)
                    break
                except subprocess.TimeoutExpired:
                    print(".", end="", file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            print("\nStopped. The same command goes on from here.", file=sys.stderr)
            raise SystemExit(130) from None
    if code == 0:
        return True
    tail = LOG.read_text(errors="replace").splitlines()[-15:]
    print(f": failed after {time.monotonic() - began:.0f} s\n  " + "\n  ".join(tail), file=sys.stderr)
    print(f"The whole log: {LOG}. The same command goes on from here.", file=sys.stderr)
    return False


def environment() -> dict[str, str]:
    """What the builds read: all cores, optimized without debug symbols, no code only this CPU could run."""
    jobs = str(len(os.sched_getaffinity(0)))
    cuda = shutil.which("nvidia-smi") is not None and shutil.which("nvcc") is not None
    llama = ["-DGGML_NATIVE=OFF", "-DLLAVA_BUILD=OFF", *(["-DGGML_CUDA=ON"] if cuda else [])]
    given = {
        "CFLAGS": "-g0 -O2",
        "MMCV_WITH_OPS": "1",
        "MAX_JOBS": jobs,
        "CMAKE_BUILD_PARALLEL_LEVEL": jobs,
        "CMAKE_ARGS": " ".join(llama),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        **({"FORCE_CUDA": "1"} if cuda else {}),
    }
    # `-P`-like safety: the build must not import the clone's own packages
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | given


def fingerprint(lock: str) -> str:
    """Of the lock and of the machine's kind, so that a card that appears later gives the CUDA builds."""
    card = b"cuda" if shutil.which("nvcc") and shutil.which("nvidia-smi") else b"cpu"
    return hashlib.sha256((ROOT / "lock" / lock).read_bytes() + card).hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
