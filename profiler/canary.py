"""Two fixed pieces of work that tell how fast this machine is right now. Knows nothing about candidates.

Integer arithmetic sees what /proc does not: a lowered clock, a busy hyper-thread, a hypervisor that runs others. It
does not see a load that leaves a few of its 0.07 ms turns alone; the counters in `profiler.load` see that.

Reading through memory sees who else fills the last cache and the way to memory, which a virtual machine shares with
others. On one, a segmenter took 50 ms in minutes when the reads took 0.37 ms, 53 at 0.44 and 55 to 58 at 0.6, while
the arithmetic was as fast as ever in most of them. One window is told little by it, so that none is repeated for its
sake: it says how two measurements stood.
"""

import functools
import time
from bisect import insort
from collections.abc import Sequence

STEPS, TURNS = 1000, 15
"""About 1 ms in all; the best turn counts, so that a single interruption is no slow CPU."""

SLOW = 1.05
"""From here on a window is disturbed. Measured on two virtual machines of two cores: alone nine canaries in ten lie
within 3 to 4 % of the best; on a busy machine windows whose canaries stayed within 3 % were 1 to 4 % slow in the
median, those beyond 5 % were 7 to 22 % slow."""


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

MEMORY_BYTES, READS = 16 << 20, 2
"""More than the caches of one core hold; 2 ms in all on a server, 20 on a small board."""

MEMORY_APART = 1.10
"""The medians of the reads beside two measurements: from here on networks that move much memory differ by 3 %."""


def memory_ns() -> int:
    """The best of a few reads: the first brings back what others drove out of the caches meanwhile."""
    return min(_read(_memory()) for _ in range(READS))


@functools.cache
def _memory() -> bytes:
    # not zeros: those the kernel need not give any memory of their own
    return b"\x01" * MEMORY_BYTES


def _read(memory: bytes) -> int:
    clock = time.perf_counter_ns
    start = clock()
    memory.find(b"\x00")
    return max(clock() - start, 1)


class Pace:
    """How fast the CPU is for one process at its best since it was warm, and how far it is from that.

    A processor may run faster for the first seconds than it can for long: what it did then is no measure of later. Nor
    is a single lucky millisecond: one canary in hundreds was 7 % below the others on a server that raises its clock,
    and against that one nearly every window was slow. So the best is what a tenth of the canaries reach.
    """

    def __init__(self, warm_ns: Sequence[int] = ()) -> None:
        self._seen_ns = sorted(warm_ns)

    @property
    def best_ns(self) -> int | None:
        """None before the first canary."""
        return self._seen_ns[len(self._seen_ns) // 10] if self._seen_ns else None

    def slowdown(self, canaries_ns: Sequence[int]) -> float:
        """The slowest of these over the best, these included; 1 where they are the best."""
        for canary in canaries_ns:
            insort(self._seen_ns, canary)
        return max(1.0, max(canaries_ns) / (self.best_ns or 1))
