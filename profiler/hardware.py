"""What this machine is, as far as it says so itself. Knows no backend; whatever is unknown is "unavailable"."""

import hashlib
import json
import os
import platform
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

UNAVAILABLE = "unavailable"
CPUINFO = Path("/proc/cpuinfo")
GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
ISA_FLAGS = (
    ("sse4_2", "sse4_2"),
    ("avx", "avx"),
    ("avx2", "avx2"),
    ("fma", "fma"),
    ("f16c", "f16c"),
    ("avx512f", "avx512f"),
    ("avx512_vnni", "avx512_vnni"),
    ("avx512_bf16", "avx512_bf16"),
    ("avx_vnni", "avx_vnni"),
    ("amx_int8", "amx_int8"),
    ("amx_bf16", "amx_bf16"),
    ("asimd", "neon"),
    ("neon", "neon"),
    ("asimddp", "dotprod"),
    ("i8mm", "i8mm"),
    ("sve", "sve"),
)
"""The kernel's flag and our word: instruction sets that inference libraries choose kernels by."""


@dataclass(frozen=True)
class Accelerator:
    """One GPU as nvidia-smi reports it; memory in bytes, None if not stated."""

    name: str
    memory_bytes: int | None
    driver: str


@dataclass(frozen=True)
class Hardware:
    """One machine. Cores are those this process may use; memory is the whole machine's, in bytes."""

    cpu_model: str
    physical_cores: int | None
    logical_cores: int
    isa: tuple[str, ...]
    memory_bytes: int
    governor: str
    accelerators: tuple[Accelerator, ...]
    system: str
    kernel: str
    machine: str

    @property
    def key(self) -> str:
        """16 hex digits over what decides speed; the governor and the kernel may change without a new machine."""
        stable = {name: value for name, value in asdict(self).items() if name not in ("governor", "kernel", "system")}
        # what the kernel keeps for itself differs by a few MB from version to version
        stable["memory_bytes"] = round(self.memory_bytes / 2**30)
        return hashlib.sha256(json.dumps(stable, sort_keys=True).encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """A document for `json.dumps`, the key included."""
        return {"key": self.key, **asdict(self)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Hardware":
        """The record `to_json` was called on."""
        fields = {name: value for name, value in document.items() if name != "key"}
        accelerators = tuple(Accelerator(**entry) for entry in fields.pop("accelerators"))
        return cls(accelerators=accelerators, isa=tuple(fields.pop("isa")), **fields)


def fingerprint() -> Hardware:
    """This machine, from /proc, sysfs, psutil and nvidia-smi where they exist."""
    import psutil

    text = _read(CPUINFO) or ""
    cpus = sorted(os.sched_getaffinity(0))
    return Hardware(
        cpu_model=_cpu_model(text),
        physical_cores=_physical_cores(cpus),
        logical_cores=len(cpus),
        isa=_isa(text),
        memory_bytes=int(psutil.virtual_memory().total),
        governor=_read(GOVERNOR) or UNAVAILABLE,
        accelerators=_accelerators(),
        system=_system(),
        kernel=platform.release(),
        machine=platform.machine(),
    )


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None


def _cpu_model(cpuinfo: str) -> str:
    """x86 says "model name"; ARM boards name the board or the parts' numbers."""
    for wanted in ("model name", "Model", "Hardware", "CPU part"):
        for line in cpuinfo.splitlines():
            name, _, value = line.partition(":")
            if name.strip() == wanted and value.strip():
                return value.strip()
    return UNAVAILABLE


def _isa(cpuinfo: str) -> tuple[str, ...]:
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            flags = set(value.split())
            return tuple(dict.fromkeys(word for flag, word in ISA_FLAGS if flag in flags))
    return ()


def _physical_cores(cpus: list[int]) -> int | None:
    """Distinct (package, core) pairs among the usable CPUs; None where the kernel does not tell."""
    cores: set[tuple[str, str]] = set()
    for cpu in cpus:
        topology = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology")
        package, core = _read(topology / "physical_package_id"), _read(topology / "core_id")
        if package is None or core is None:
            return None
        cores.add((package, core))
    return len(cores)


def _accelerators() -> tuple[Accelerator, ...]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    query = [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(_accelerator(line) for line in answer.stdout.splitlines() if line.count(",") >= 2)


def _accelerator(line: str) -> Accelerator:
    name, memory_mib, driver = (part.strip() for part in line.rsplit(",", 2))
    return Accelerator(name, int(memory_mib) * 2**20 if memory_mib.isdigit() else None, driver or UNAVAILABLE)


def _system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", UNAVAILABLE)
    except OSError:
        return platform.system() or UNAVAILABLE
