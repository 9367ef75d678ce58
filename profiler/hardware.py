"""What this machine is, as far as it says so itself. Knows no backend; whatever is unknown is "unavailable"."""

import hashlib
import json
import os
import platform
import shutil
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

UNAVAILABLE = "unavailable"
CPUINFO = Path("/proc/cpuinfo")
CPU0 = Path("/sys/devices/system/cpu/cpu0")
GOVERNOR = CPU0 / "cpufreq/scaling_governor"
PREFERENCE = CPU0 / "cpufreq/energy_performance_preference"
PLATFORM = Path("/sys/firmware/acpi/platform_profile")
CACHES = CPU0 / "cache"
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


KEYED = ("cpu_model", "physical_cores", "logical_cores", "isa", "memory_bytes", "accelerators", "machine")
"""What makes two machines different. Fields added later describe it, but must not give a known machine a new key."""


@dataclass(frozen=True)
class Accelerator:
    """One GPU as nvidia-smi reports it; memory in bytes, None if not stated."""

    name: str
    memory_bytes: int | None
    driver: str


@dataclass(frozen=True)
class Hardware:
    """One machine. Cores are those this process may use; memory is the whole machine's, in bytes.

    `power_mode` is what the maker's tool or the firmware calls it; `caches` are bytes of the first CPU's caches, which
    it may share, by L1d, L2, L3; `virtualised` is None where the kernel does not tell.
    """

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
    power_mode: str = UNAVAILABLE
    caches: dict[str, int] = field(default_factory=dict)
    virtualised: bool | None = None

    @property
    def key(self) -> str:
        """16 hex digits over what decides speed and stays: not the kernel, and not the governor and the power mode, by
        which a profile is keyed apart."""
        stable = {name: value for name, value in asdict(self).items() if name in KEYED}
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
        power_mode=_power_mode(),
        caches=_caches(),
        virtualised=_virtualised(text),
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


def _power_mode() -> str:
    """Jetson's nvpmodel, else the firmware's profile and the CPU's preference between energy and speed."""
    program = shutil.which("nvpmodel")
    if program is not None:
        answer = _answer([program, "-q"])
        modes = [line.partition(":")[2].strip() for line in (answer or "").splitlines() if "Power Mode" in line]
        if modes and modes[0]:
            return f"nvpmodel {modes[0]}"
    told = {
        "platform_profile": _read(PLATFORM),
        "energy_performance_preference": _read(PREFERENCE),
        "governor": _read(GOVERNOR),
    }
    return ", ".join(f"{name} {value}" for name, value in told.items() if value) or UNAVAILABLE


def _caches() -> dict[str, int]:
    """Bytes by L1d, L2, L3 and whatever else holds data; sysfs says "48K"."""
    found: dict[str, int] = {}
    for folder in sorted(CACHES.glob("index*")):
        level, kind, size = (_read(folder / name) for name in ("level", "type", "size"))
        if level and size and kind in ("Data", "Unified") and size[:-1].isdigit() and size[-1] in "KM":
            found[f"L{level}d" if kind == "Data" else f"L{level}"] = int(size[:-1]) * {"K": 2**10, "M": 2**20}[size[-1]]
    return found


def _virtualised(cpuinfo: str) -> bool | None:
    """x86 guests see the flag "hypervisor"; elsewhere the kernel does not tell."""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "flags":
            return "hypervisor" in value.split()
    return None


def _answer(command: list[str]) -> str | None:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None


def _accelerators() -> tuple[Accelerator, ...]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    query = [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits"]
    answer = _answer(query) or ""
    return tuple(_accelerator(line) for line in answer.splitlines() if line.count(",") >= 2)


def _accelerator(line: str) -> Accelerator:
    name, memory_mib, driver = (part.strip() for part in line.rsplit(",", 2))
    return Accelerator(name, int(memory_mib) * 2**20 if memory_mib.isdigit() else None, driver or UNAVAILABLE)


def _system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", UNAVAILABLE)
    except OSError:
        return platform.system() or UNAVAILABLE
