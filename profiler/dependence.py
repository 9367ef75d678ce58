"""How many independent queries a row of them is worth. Knows nothing about limits being met, only about resemblance.

Slow queries come in clusters: a cache that others filled, a clock that fell, a hypervisor that ran somebody else. Ten
late images in a row are not ten witnesses. The variance of a share of n such queries is that of n / t independent
ones, with t = 1 + 2 (r1 + r2 + ...) of their autocorrelations, summed as Geyer's initial positive sequence does
(Statist. Sci. 7, 1992, 3.3): in pairs, up to the first pair that is not positive. Of a short row t is found too small,
so what is built on it holds about, not exactly (benchmarks/verdicts.py says how well).
"""

from __future__ import annotations

from collections.abc import Sequence

EITHER_SIDE = 0.05
"""Share of the queries that must lie on each side of the limit for it to tell how they cluster."""

FEWEST = 4


def inflation(latencies_ms: Sequence[float], limit_ms: float, quantile: float) -> float:
    """How many of these queries, in the order they were made, count as one: 1 or more.

    Seen at the limit, or, where nearly all lie on one side of it, at the queries' own `quantile`.
    """
    import numpy as np

    values = np.asarray(latencies_ms, dtype=float)
    count = len(values)
    over = int((values > limit_ms).sum())
    tells = min(over, count - over) >= max(FEWEST, EITHER_SIDE * count)
    beyond = (values > (limit_ms if tells else np.quantile(values, quantile))).astype(float)
    return _initial_positive_sum(beyond - beyond.mean())


def _initial_positive_sum(centred: object) -> float:
    import numpy as np

    values = np.asarray(centred)
    count, variance = len(values), float((values * values).mean())
    if count < 2 * FEWEST or variance == 0:
        return 1.0
    # autocovariances by the Fourier transform: a look at 2,048 queries takes 0.1 ms
    spectrum = np.fft.rfft(values, 2 * count)
    correlations = np.fft.irfft(spectrum * np.conj(spectrum))[: count // 2] / (count * variance)
    pairs = correlations[1:-1:2] + correlations[2::2]
    negative = np.flatnonzero(pairs <= 0)
    return 1.0 + 2.0 * float(pairs[: negative[0] if len(negative) else len(pairs)].sum())
