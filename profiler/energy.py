"""Joules used by the CPU packages and GPUs of this machine, by their own counters. Knows nothing about candidates.

Read from Intel's and AMD's RAPL through the kernel's powercap, and from NVIDIA's library where it is installed. The
counters see the whole package: idle power and other programs are in them. What they do not tell is None with the
reason, never 0. A RAPL counter that wraps twice between two readings is not noticed; that takes minutes.
"""

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

POWERCAP = Path("/sys/class/powercap")
NVML = "libnvidia-ml.so.1"
PACKAGE = "package"
TOTALLED = (PACKAGE, "dram", "gpu")
"""Domains that do not contain each other; "core" and "uncore" are parts of a package, "psys" contains it."""


@dataclass(frozen=True)
class Energy:
    """Joules per query, of all counted windows of the raced scope; None with the `reason` where nothing tells."""

    joules_per_query: float | None
    by_domain: dict[str, float] = field(default_factory=dict)
    queries: int = 0
    reason: str = ""


class Gpus(Protocol):
    """GPUs with a counter."""

    reason: str

    def millijoules(self) -> dict[str, int]:
        """Used since the driver was loaded, by GPU."""


@dataclass(frozen=True)
class _Domain:
    name: str
    counter: Path
    wraps_at_uj: int


class Meter:
    """All counters that can be read; `reason` says why there is none, or why some are missing."""

    def __init__(self, root: Path = POWERCAP, gpus: Gpus | None = None) -> None:
        self._domains, faults = _domains(root)
        self._gpus = gpus if gpus is not None else Nvml()
        self.reason = "; ".join([*faults, *([self._gpus.reason] if self._gpus.reason else [])])

    def read(self) -> dict[str, int]:
        """Microjoules by domain since some instant."""
        seen = {domain.name: _number(domain.counter) for domain in self._domains}
        gpus = {name: value * 1000 for name, value in self._gpus.millijoules().items()}
        return {**{name: value for name, value in seen.items() if value is not None}, **gpus}

    def between(self, before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, float]:
        """Joules by domain between two readings."""
        wraps = {domain.name: domain.wraps_at_uj for domain in self._domains}
        used = {name: after[name] - before[name] for name in before if name in after}
        return {name: (value if value >= 0 else value + wraps.get(name, 0)) / 1e6 for name, value in used.items()}


class Nvml:
    """NVIDIA's management library (nvmlDeviceGetTotalEnergyConsumption, Volta and newer)."""

    def __init__(self, library: str = NVML) -> None:
        self.reason, self._handles = "", list[ctypes.c_void_p]()
        try:
            self._nvml = ctypes.CDLL(library)
        except OSError:
            self.reason = f"no {library}"
            return
        count = ctypes.c_uint()
        status = self._nvml.nvmlInit_v2() or self._nvml.nvmlDeviceGetCount_v2(ctypes.byref(count))
        if status:
            self.reason = f"NVML answers {status}"
            return
        for index in range(count.value):
            handle = ctypes.c_void_p()
            if not self._nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle)):
                self._handles.append(handle)
        if not self.millijoules():
            self.reason = "no GPU of NVIDIA counts its energy"

    def millijoules(self) -> dict[str, int]:
        """Of the GPUs that count."""
        found: dict[str, int] = {}
        for index, handle in enumerate(self._handles):
            used = ctypes.c_ulonglong()
            if not self._nvml.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(used)):
                found[f"gpu{index}"] = int(used.value)
        return found


def per_query(windows: list[tuple[int, dict[str, float]]], reason: str) -> Energy:
    """From queries and joules of each window; a domain counts only if every window has it."""
    queries = sum(count for count, _ in windows)
    names = set.intersection(*(set(joules) for _, joules in windows)) if windows else set()
    if not queries:
        return Energy(None, reason=reason or "no window was measured")
    if not names:
        return Energy(None, reason=reason or "no domain was read in every window")
    by_domain = {name: sum(joules[name] for _, joules in windows) / queries for name in sorted(names)}
    if not any(name.startswith(PACKAGE) for name in names):
        # a card's energy beside an unknown CPU's would be half of the truth under the name of the whole
        return Energy(None, by_domain, queries, reason or "the CPU's package does not tell its energy")
    return Energy(sum(v for n, v in by_domain.items() if n.startswith(TOTALLED)), by_domain, queries, reason)


def _domains(root: Path) -> tuple[list[_Domain], list[str]]:
    """The readable RAPL domains, and what is wrong with the others."""
    folders = sorted(root.glob("intel-rapl:*"))
    if not folders:
        return [], [f"no {root}/intel-rapl:*"]
    domains, faults = [], []
    for folder in folders:
        try:
            label = (folder / "name").read_text(encoding="utf-8").strip()
            int((folder / "energy_uj").read_text(encoding="utf-8"))
            wraps_at_uj = int((folder / "max_energy_range_uj").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            faults.append(f"{folder.name}: {error}")
            continue
        # sub-domains are named alike in every package
        place = folder.name.removeprefix("intel-rapl:").partition(":")[0]
        domains.append(
            _Domain(
                label if label.startswith(("package", "psys")) else f"{label}-{place}",
                folder / "energy_uj",
                wraps_at_uj,
            )
        )
    return domains, faults


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
