"""Queries at their scheduled instants, inside the child. Knows nothing about verdicts.

Arrival i is due at i / fps. It starts then or, while its predecessor still runs, as soon as that ends.
"""

import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

SPIN_NS = 500_000
"""The last half millisecond is waited for without sleeping: a sleeping process wakes 0.05 to 0.2 ms late."""

OVERTIME = 2.0
"""A candidate that cannot keep up is given twice the time; what has not begun by then is never served."""


def serve(call: Callable[[], object], fps: float, seconds: float) -> dict[str, Any]:
    """Starts relative to their arrivals and latencies in ns, of all queries that began before the time was over."""
    count, period_ns = max(1, int(fps * seconds + 1e-9)), 1e9 / fps
    late_ns, latencies_ns = array("q", bytes(8 * count)), array("q", bytes(8 * count))
    rss_before_mb, clock, served = rss_mb(), time.perf_counter_ns, 0
    began = clock()
    end = began + int(OVERTIME * seconds * 1e9)
    for number in range(count):
        due = began + round(number * period_ns)
        wait(due)
        start = clock()
        if start >= end:
            break
        call()
        stop = clock()
        late_ns[number], latencies_ns[number] = start - due, max(stop - start, 1)
        served += 1
    wait(began + int(seconds * 1e9))  # the last period belongs to the run
    wall_s = (clock() - began) / 1e9
    return {
        "arrivals": count,
        "late_ns": late_ns[:served].tolist(),
        "latencies_ns": latencies_ns[:served].tolist(),
        "wall_s": wall_s,
        "rss_before_mb": rss_before_mb,
    }


def wait(due_ns: int) -> None:
    """Returns at `due_ns` of the clock, at once if that has passed: sleeps until shortly before, then spins."""
    clock = time.perf_counter_ns
    while (left := due_ns - clock()) > SPIN_NS:
        time.sleep((left - SPIN_NS) / 1e9)
    while clock() < due_ns:
        pass


def rss_mb() -> float | None:
    """What this process holds in memory now; None where the kernel does not tell."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return None
