"""A fixed piece of integer arithmetic that tells how fast this CPU runs right now. Knows nothing about candidates.

It sees what /proc does not: a lowered clock, a busy hyper-thread, a hypervisor that runs others. It does not see memory
bandwidth, nor a load that leaves a few of its 0.07 ms turns alone; the counters in `profiler.load` see that.
"""

import time
from collections.abc import Sequence

STEPS, TURNS = 1000, 15
"""About 1 ms in all; the best turn counts, so that a single interruption is no slow CPU."""

SLOW = 1.05
"""From here on a window is disturbed. Measured on a virtual machine of two cores: alone nine canaries in ten lie within
4 % of the best, and 2 % of the windows are repeated for nothing; on the busy machine windows whose canaries stayed
within 3 % were 1 to 4 % slow in the median, those beyond 5 % were 7 to 22 % slow."""


def canary_ns() -> int:
    """The best of a few turns."""
    return min(_turn() for _ in range(TURNS))


def _turn() -> int:
    clock, value = time.perf_counter_ns, 12345
    start = clock()
    for _ in range(STEPS):
        value = (value * 1103515245 + 12345) & 0x7FFFFFFF
    return max(clock() - start, 1)


APART = 1.08
"""The same of two processes, whose bests differ by 4 % on a quiet machine: from here on it was slower all the time."""


class Pace:
    """The best canary of one process since it was warm, and how far others are above it.

    A processor may run faster for the first seconds than it can for long: what it did then is no measure of later.
    """

    def __init__(self, warm_ns: Sequence[int] = ()) -> None:
        self.best_ns = min(warm_ns, default=None)

    def slowdown(self, canaries_ns: Sequence[int]) -> float:
        """The slowest of these over the best seen, these included."""
        self.best_ns = min([*canaries_ns, *([] if self.best_ns is None else [self.best_ns])])
        return max(canaries_ns) / self.best_ns
