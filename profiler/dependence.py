"""How many independent queries a row of them is worth. Knows nothing about limits being met, only about resemblance.

Slow queries come in clusters: a cache that others filled, a clock that fell, a hypervisor that ran somebody else. Ten
late images in a row are not ten witnesses. The variance of a share of n such queries is that of n / t independent
ones, with t = 1 + 2 (r1 + r2 + ...) of their autocorrelations. These are summed in pairs, (r1 + r2), (r3 + r4), up to
the first pair that is not positive, much as Geyer's initial positive sequence does (Statist. Sci. 7, 1992, 3.3). Of a
short row t is found too small, so what is built on it holds about, not exactly (benchmarks/verdicts.py says how well).
"""

from collections.abc import Sequence
from typing import Any

FEW = 0.05
"""Up to this share of late queries it is also asked how those cluster that come next."""

NEAR = 1.2
"""... if they come near: within this factor of the limit. Far below it a row may drift as it likes. Of latencies that
spread by 10 % and are AR(1) with 0.9, 3.5 % pass falsely at 1.2, 14 % at 1.1, and 3 % without any such bound."""

LEAST = 8
"""Queries in a row, without which nothing is told: each then counts as one."""


def inflation(latencies_ms: Sequence[float], limit_ms: float, quantile: float) -> float:
    """How many of these queries, in the order they were made, count as one: 1 or more.

    Seen in those above the limit, and, where hardly any are, in those above their own `quantile` if it is near.
    """
    import numpy as np

    return float(inflations(np.asarray([latencies_ms], dtype=float), limit_ms, quantile)[0])


def inflations(latencies_ms: Any, limit_ms: float, quantile: float) -> Any:
    """The same for each row of an array (rows, queries)."""
    import numpy as np

    late = latencies_ms > limit_ms
    found = _initial_positive_sums(late)
    asked = np.flatnonzero(late.mean(axis=1) < FEW)
    own = np.quantile(latencies_ms[asked], quantile, axis=1)
    asked, own = asked[own * NEAR > limit_ms], own[own * NEAR > limit_ms]
    found[asked] = np.maximum(found[asked], _initial_positive_sums(latencies_ms[asked] > own[:, None]))
    return found


def _initial_positive_sums(marked: Any) -> Any:
    """Of each row of booleans (rows, queries)."""
    import numpy as np

    rows, count = marked.shape
    if count < LEAST:
        return np.ones(rows)
    centred = marked - marked.mean(axis=1, keepdims=True)
    variances = (centred * centred).mean(axis=1)
    # autocovariances by the Fourier transform: a look at 2,048 queries takes 0.1 ms
    spectrum = np.fft.rfft(centred, 2 * count, axis=1)
    covariances = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, : count // 2] / count
    correlations = covariances / np.where(variances > 0, variances, np.inf)[:, None]
    pairs = correlations[:, 1:-1:2] + correlations[:, 2::2]
    leading = np.logical_and.accumulate(pairs > 0, axis=1)
    return 1.0 + 2.0 * (pairs * leading).sum(axis=1)
