"""Whether the machine was ours, and as fast as ever, during a window. Knows nothing about candidates.

It sees CPU time of other programs, time stolen by a hypervisor in steps of the kernel's clock tick, and the kernel's
counters of thermal throttling; it does not see memory bandwidth, caches or the load on a GPU.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from profiler.canary import SLOW

FOREIGN_LIMIT_CORES = 0.25
"""Other programs' CPU use from which a window does not count: an idle desktop stays below a tenth of a core."""

STAT = Path("/proc/stat")

TICK_S = 0.01
"""Resolution of /proc/stat (USER_HZ is 100 on all Linux ports of interest)."""

CPUS = Path("/sys/devices/system/cpu")


@dataclass(frozen=True)
class Load:
    """What else ran: `foreign_cores` busy on average, and how many would be too many for a window this short.

    `frequency_mhz` is the mean clock at the end, `throttled` the events of throttling for heat, those
    of a package once per CPU; None where the kernel does not tell.
    """

    foreign_cores: float
    limit_cores: float
    frequency_mhz: float | None
    throttled: int | None = None

    @property
    def foreign(self) -> bool:
        """Whether others used more of the CPU than a window can bear."""
        return self.foreign_cores > self.limit_cores

    def disturbance(self, slowdown: float) -> str:
        """Why the window should be repeated, empty if it need not; `slowdown` is the canary's."""
        reasons = []
        if self.foreign:
            reasons.append(f"others used the CPU ({self.foreign_cores:.1f} cores)")
        if slowdown > SLOW:
            reasons.append(f"the CPU was {slowdown - 1:.0%} slower than at its best")
        if self.throttled:
            reasons.append("the CPU was throttled for heat")
        return ", ".join(reasons)


class Watch:
    """Counts from its creation to `stop`; looks only at the CPUs this process may use."""

    def __init__(self, root: Path = CPUS) -> None:
        self._cpus, self._root = sorted(os.sched_getaffinity(0)), root
        self._throttles = throttles(self._cpus, root)
        self._busy_s, self._own_s, self._began_s = _busy(self._cpus), time.process_time(), time.monotonic()

    def stop(self, child_cpu_s: float) -> Load:
        """The load beside the child's `child_cpu_s` seconds and our own."""
        wall_s = max(time.monotonic() - self._began_s, 1e-6)
        ours_s = child_cpu_s + time.process_time() - self._own_s
        foreign_s = _busy(self._cpus) - self._busy_s - ours_s
        slack_cores = (len(self._cpus) + 1) * TICK_S / wall_s
        throttles_now = throttles(self._cpus, self._root)
        known = throttles_now is not None and self._throttles is not None
        return Load(
            foreign_cores=max(0.0, foreign_s / wall_s),
            limit_cores=FOREIGN_LIMIT_CORES + slack_cores,
            frequency_mhz=frequency_mhz(self._cpus, self._root),
            throttled=max(0, (throttles_now or 0) - (self._throttles or 0)) if known else None,
        )


def throttles(cpus: list[int], root: Path = CPUS) -> int | None:
    """How often these CPUs and their packages were throttled since boot; None where the kernel does not count."""
    found = [
        count
        for cpu in cpus
        for path in root.glob(f"cpu{cpu}/thermal_throttle/*_throttle_count")
        if (count := _number(path)) is not None
    ]
    return sum(found) if found else None


def frequency_mhz(cpus: list[int], root: Path = CPUS) -> float | None:
    """Mean clock of these CPUs now, from cpufreq; a virtual machine has none."""
    found = [khz for cpu in cpus if (khz := _number(root / f"cpu{cpu}/cpufreq/scaling_cur_freq")) is not None]
    return sum(found) / len(found) / 1000 if found else None


def _busy(cpus: list[int]) -> float:
    """Seconds these CPUs were not idle since boot; guest time is within user time already (proc(5), /proc/stat).

    By their numbers: the lines list only CPUs that are online, so a place in the list is no number.
    """
    busy = 0
    for line in STAT.read_text(encoding="ascii").splitlines():
        name, *ticks = line.split()
        if name.startswith("cpu") and name[3:].isdigit() and int(name[3:]) in cpus:
            user, nice, system, _idle, _iowait, irq, softirq, steal = (int(value) for value in ticks[:8])
            busy += user + nice + system + irq + softirq + steal
    return busy * TICK_S


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
