"""Memory of a process that answers image after image. Knows no engine."""

from __future__ import annotations

import ctypes

# mallopt(3), glibc
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def keep_freed() -> bool:
    """Let malloc keep what is freed, for the rest of this process; whether it could be told so.

    ncnn and TorchScript take the memory of every tensor anew, and glibc gives that of large ones back to the kernel,
    which clears it page by page when it is taken again: 4000 page faults an image of 384 x 384 in a segmenter, 15 to
    30 % of its time, and unsteady. The memory held stays at what one image needs. Other C libraries are left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    # no mapping of its own for a large block; never shrink the heap
    return mallopt is not None and bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, -1))
