"""Whether the machine was ours during a window. Knows nothing about candidates.

It sees CPU time of other programs and time stolen by a hypervisor, in steps of the kernel's clock tick; it does not
see memory bandwidth, caches or the load on a GPU.
"""

import os
import time
from dataclasses import dataclass

FOREIGN_LIMIT_CORES = 0.25
"""Other programs' CPU use from which a window does not count: an idle desktop stays below a tenth of a core."""

TICK_S = 0.01
"""Resolution of /proc/stat (USER_HZ is 100 on all Linux ports of interest)."""


@dataclass(frozen=True)
class Load:
    """What else ran: `foreign_cores` busy on average, and how many would be too many for a window this short."""

    foreign_cores: float
    limit_cores: float
    frequency_mhz: float | None

    @property
    def disturbs(self) -> bool:
        """Whether the window should be repeated."""
        return self.foreign_cores > self.limit_cores


class Watch:
    """Counts from its creation to `stop`; looks only at the CPUs this process may use."""

    def __init__(self) -> None:
        self._cpus = sorted(os.sched_getaffinity(0))
        self._busy_s, self._own_s, self._began_s = _busy(self._cpus), time.process_time(), time.monotonic()

    def stop(self, child_cpu_s: float) -> Load:
        """The load beside the child's `child_cpu_s` seconds and our own."""
        wall_s = max(time.monotonic() - self._began_s, 1e-6)
        ours_s = child_cpu_s + time.process_time() - self._own_s
        foreign_s = _busy(self._cpus) - self._busy_s - ours_s
        slack_cores = (len(self._cpus) + 1) * TICK_S / wall_s
        return Load(max(0.0, foreign_s / wall_s), FOREIGN_LIMIT_CORES + slack_cores, _frequency())


def _busy(cpus: list[int]) -> float:
    """Seconds these CPUs were not idle since boot; guest time is within user time already."""
    import psutil

    counted = ("user", "nice", "system", "irq", "softirq", "steal")
    times = psutil.cpu_times(percpu=True)
    seen = [times[cpu] for cpu in cpus if cpu < len(times)]
    return float(sum(getattr(entry, name, 0.0) for entry in seen for name in counted))


def _frequency() -> float | None:
    import psutil

    try:
        frequency = psutil.cpu_freq()
    except (OSError, NotImplementedError):
        return None
    return float(frequency.current) if frequency else None
