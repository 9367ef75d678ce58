"""What is installed, what each backend says, what hardware was found, what is missing and how to get it."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy_targets.registry import BACKENDS, DEFAULT, backend
from profiler.hardware import fingerprint

OK, MISSING, NOTE = "ok", "missing", "note"

# distribution -> (import name, what needs it)
LIBRARIES = {
    "pydantic": ("pydantic", "every command"),
    "opencv-python-headless": ("cv2", "every command that sees images"),
    "llama-cpp-python": ("llama_cpp", "understand, produce"),
    "torch": ("torch", "produce"),
    "onedl-mmengine": ("mmengine", "produce"),
    "onedl-mmcv": ("mmcv", "produce"),
    "onedl-mmpretrain": ("mmpretrain", "produce: classification"),
    "onedl-mmdetection": ("mmdet", "produce: detection"),
    "onedl-mmsegmentation": ("mmseg", "produce: segmentation"),
    "mmpose": ("mmpose", "produce: keypoint"),
    "timm": ("timm", "profile: models of timm"),
    "mmdeploy": ("mmdeploy", "produce: export"),
    "optuna": ("optuna", "produce: search"),
}
# Top-level packages of ours that another distribution might own as well.
OURS = ("edge", "deploy_targets", "profiler", "llm_gguf", "zoo")
FULL_INSTALL = "run `make setup` in a clone of edge"


@dataclass(frozen=True)
class Finding:
    area: str
    name: str
    state: str
    detail: str


@dataclass(frozen=True)
class Diagnosis:
    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Nothing that a command needs is missing."""
        return all(finding.state != MISSING for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        return {"healthy": self.healthy, "findings": [dataclasses.asdict(finding) for finding in self.findings]}


def examine() -> Diagnosis:
    """Look at everything; never raises for what is missing, that is the answer."""
    return Diagnosis((*_hardware(), *_libraries(), *_backends(), *_model(), *_names(), *_tools(), *_never_run()))


def tell(diagnosis: Diagnosis) -> None:
    """Print the findings for a person, to standard error."""
    area = ""
    for finding in diagnosis.findings:
        if finding.area != area:
            area = finding.area
            print(f"\n{area}", file=sys.stderr)
        print(f"  {finding.state:<8} {finding.name:<24} {finding.detail}", file=sys.stderr)
    print(f"\n{'Everything is there.' if diagnosis.healthy else 'Something is missing.'}", file=sys.stderr)


def _hardware() -> list[Finding]:
    found = fingerprint()
    cards = ", ".join(card.name for card in found.accelerators) or "none found by nvidia-smi"
    return [
        Finding("Hardware", "processor", OK, f"{found.cpu_model}, {found.logical_cores} logical cores usable"),
        Finding("Hardware", "instructions", OK, " ".join(found.isa) or "none of interest"),
        Finding("Hardware", "memory", OK, f"{found.memory_bytes / 2**30:.1f} GiB"),
        Finding("Hardware", "governor", OK, found.governor),
        Finding("Hardware", "accelerators", OK, cards),
        Finding("Hardware", "fingerprint", OK, found.key),
    ]


def _libraries() -> list[Finding]:
    findings = [Finding("Libraries", "python", OK, sys.version.split()[0])]
    for distribution, (module, needed_by) in LIBRARIES.items():
        try:
            version = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            findings.append(Finding("Libraries", distribution, MISSING, f"needed by {needed_by}; {FULL_INSTALL}"))
            continue
        if importlib.util.find_spec(module) is None:
            detail = f"{version} is registered, but `import {module}` finds nothing; {FULL_INSTALL}"
            findings.append(Finding("Libraries", distribution, MISSING, detail))
        else:
            findings.append(Finding("Libraries", distribution, OK, version))
    return findings


def _backends() -> list[Finding]:
    findings = []
    for name, row in BACKENDS.items():
        status = backend(name).status()
        if status.available:
            runs = f"{', '.join(status.devices)}; {' '.join(status.precisions)}"
            findings.append(Finding("Backends", name, OK, f"{status.version}: {runs}"))
        else:
            # one engine is enough to make and run packages; the others are for requests that name them, and for speed
            state = MISSING if name == DEFAULT else NOTE
            findings.append(Finding("Backends", name, state, status.hint or row.install))
    return findings


def _model() -> list[Finding]:
    from llm_gguf.understanding import DEFAULT_MODEL as path

    if path.is_file():
        return [Finding("Language model", path.name, OK, f"{path.stat().st_size / 1e6:.1f} MB")]
    return [Finding("Language model", path.name, MISSING, "not in this installation; reinstall edge")]


def _names() -> list[Finding]:
    """Our top-level names are common words: say so when another distribution's files would be imported instead."""
    home = Path(__file__).resolve().parent.parent
    findings = []
    for name in OURS:
        found = importlib.util.find_spec(name)
        origin = Path(found.origin).resolve() if found and found.origin else None
        if origin is None or origin.parent.parent != home:
            findings.append(
                Finding("Names", name, MISSING, f"imports {origin}, not edge's own; use an environment of its own")
            )
    return findings or [Finding("Names", "packages", OK, "all five are edge's own")]


def _tools() -> list[Finding]:
    return [
        Finding(
            "Tools", tool, OK if shutil.which(tool) else NOTE, shutil.which(tool) or "not found; only set-up needs it"
        )
        for tool in ("gcc", "g++", "cmake", "make", "git")
    ]


def _never_run() -> list[Finding]:
    return [
        Finding("Never run so far", "CUDA set-up", NOTE, "written for machines with a card, not yet run on one"),
        Finding("Never run so far", "TensorRT", NOTE, "written against its API and tested without a card or library"),
    ]
