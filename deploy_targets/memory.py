"""Memory of a process that answers image after image. Knows no engine."""

from __future__ import annotations

import ctypes
import functools
from typing import Any

# mallopt(3), glibc
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
# madvise(2), Linux; 2 MB on x86 and on ARM with pages of 4 KB
MADV_HUGEPAGE, HUGE_BYTES = 14, 2 << 20

RESERVED_BYTES = 256 << 20
"""Of addresses, not of memory: weights and tensors of a network that is to be fast fit in."""


@functools.cache
def keep_freed() -> str:
    """Let malloc keep what is freed, in large pages, for the rest of this process.

    ncnn and TorchScript take the memory of every tensor anew, and glibc gives that of large ones back to the kernel,
    which clears it page by page when it is taken again: 4000 page faults an image of 384 x 384 in a segmenter, 15 to
    30 % of its time, and unsteady. The memory held stays at what one image needs. In large pages ncnn is another 5 to
    8 % faster (docs/LOG.md).

    Returns:
        "kept in large pages", or what the C library and the kernel let it do: "kept", "as the C library does".
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt"):  # only glibc has it
        return "as the C library does"
    # no mapping of its own for a large block; never shrink the heap
    if not (libc.mallopt(M_MMAP_MAX, 0) and libc.mallopt(M_TRIM_THRESHOLD, -1)):
        return "as the C library does"
    return "kept in large pages" if _enlarge_pages(libc) else "kept"


def _enlarge_pages(libc: Any) -> bool:
    """Ask for large pages in the part of the heap that comes next."""
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    block = libc.malloc(RESERVED_BYTES)
    if not block:
        return False
    start = -(-block // HUGE_BYTES) * HUGE_BYTES
    done: bool = libc.madvise(start, (block + RESERVED_BYTES - start) // HUGE_BYTES * HUGE_BYTES, MADV_HUGEPAGE) == 0
    libc.free(block)  # stays in the heap, which no longer shrinks
    return done
