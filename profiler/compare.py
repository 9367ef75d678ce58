"""Which of two lists of latencies is the faster one, and how surely. Knows nothing about how they were measured.

Neighbours in a measurement resemble each other, so blocks of them are drawn, not single ones (Kuensch, Ann. Statist.
17, 1989), and the spread of the drawn ratios is widened for the number of blocks as Student's t is. A drift over many
blocks that hits only one of the two is not covered: measure them interleaved.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import exp, log
from typing import Any

from profiler.errors import BadSamples
from profiler.stats import LEAST_WINDOWS

MARGIN = 0.03
DRAWS, SEED = 1000, 20260101


class Difference(StrEnum):
    """How the first stands to the second."""

    SAME = "SAME"
    FASTER = "FASTER"
    SLOWER = "SLOWER"
    CANT_TELL = "CANT_TELL"


@dataclass(frozen=True)
class Comparison:
    """`ratio` is the median of the first over that of the second, `interval` holds the true one with 95 %.

    SAME: the interval lies within the margin. FASTER, SLOWER: all of it lies on one side of 1.
    """

    outcome: Difference
    ratio: float
    interval: tuple[float, float]
    margin: float = MARGIN


def compare_windows(
    a_ms: Sequence[Sequence[float]], b_ms: Sequence[Sequence[float]], *, margin: float = MARGIN
) -> Comparison:
    """Medians of the latencies of two, window by window; BadSamples with fewer than four windows in either."""
    import numpy as np
    from scipy.special import stdtrit

    fewest = min(len(a_ms), len(b_ms))
    if fewest < LEAST_WINDOWS:
        raise BadSamples.because(
            f"{len(a_ms)} and {len(b_ms)} windows of latencies are too few to compare, {LEAST_WINDOWS} are needed.",
            "Measure longer.",
        )
    parts = [[np.asarray(window, dtype=float) for window in windows] for windows in (a_ms, b_ms)]
    if not all(np.isfinite(window).all() and (window > 0).all() for windows in parts for window in windows):
        raise BadSamples.because("There are latencies that are not positive numbers.", "Use a monotonic clock.")
    rng = np.random.default_rng(SEED)
    drawn = _log_medians(parts[0], rng) - _log_medians(parts[1], rng)
    medians = [float(np.median(np.concatenate(windows))) for windows in parts]
    centre = log(medians[0] / medians[1])
    # drawing n blocks of n finds a variance smaller by (n - 1) / n
    spread = float(drawn.std(ddof=1)) * (fewest / (fewest - 1)) ** 0.5 * float(stdtrit(fewest - 1, 0.975))
    interval = exp(centre - spread), exp(centre + spread)
    return Comparison(_outcome(interval, margin), exp(centre), interval, margin)


def _outcome(interval: tuple[float, float], margin: float) -> Difference:
    low, high = interval
    if low >= 1 / (1 + margin) and high <= 1 + margin:
        return Difference.SAME
    if high < 1:
        return Difference.FASTER
    return Difference.SLOWER if low > 1 else Difference.CANT_TELL


def _log_medians(blocks: Sequence[Any], rng: Any) -> Any:
    """Logs of the medians of as many blocks as there are, drawn with replacement."""
    import numpy as np

    count = len(blocks)
    picks = [rng.integers(count, size=count) for _ in range(DRAWS)]
    return np.array([log(float(np.median(np.concatenate([blocks[i] for i in pick])))) for pick in picks])
