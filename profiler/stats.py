"""What a list of latencies says, and how surely. Knows nothing about how they were measured.

All statements assume that queries are independent draws. Slow drifts (heat, other programs) break that, which is why
the session watches for them; repeated looks at a growing sample are not corrected for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, isfinite
from statistics import fmean, median

from profiler.errors import BadSamples


class Outcome(StrEnum):
    """Whether enough queries were within the limit; UNDECIDED means: measure more."""

    PASS = "PASS"
    FAIL = "FAIL"
    UNDECIDED = "UNDECIDED"


@dataclass(frozen=True)
class Verdict:
    """The answer to "are at least `quantile` of all queries within `limit_ms`?".

    `within_low` and `within_high` bound the true share within the limit, each at `confidence` (one-sided).
    """

    outcome: Outcome
    limit_ms: float
    quantile: float
    confidence: float
    queries: int
    over: int
    within_low: float
    within_high: float


@dataclass(frozen=True)
class Summary:
    """Latencies in milliseconds; quantiles are order statistics (nearest rank), never interpolated.

    `p90_interval` holds the true p90 with 95 % confidence; None while there are too few samples for an upper end.
    """

    n: int
    min: float
    median: float
    mean: float
    p90: float
    p99: float
    max: float
    fps_p90: float
    fps_median: float
    p90_interval: tuple[float, float] | None


def verdict(
    latencies_ms: Sequence[float], limit_ms: float, quantile: float = 0.90, confidence: float = 0.99
) -> Verdict:
    """PASS, FAIL or UNDECIDED by exact one-sided Clopper-Pearson bounds on the share of queries within the limit.

    PASS follows the early-stopping rule of MLPerf LoadGen (loadgen/early_stopping.cc, single stream), which counts one
    query over the limit more than was seen: none over needs 64 queries at p90 and 99 %, 130 at p95, 662 at p99.
    FAIL is the plain lower bound. Raises BadSamples for an empty list or numbers that are no latencies.
    """
    _refuse_bad(latencies_ms)
    if not (isfinite(limit_ms) and limit_ms > 0 and 0 < quantile < 1 and 0 < confidence < 1):
        raise BadSamples.because(
            f"No verdict on limit {limit_ms} ms, quantile {quantile}, confidence {confidence}.",
            "The limit is positive, the other two lie between 0 and 1.",
        )
    queries = len(latencies_ms)
    over = sum(latency > limit_ms for latency in latencies_ms)
    within_low = 1 - _share_at_most(min(over + 1, queries), queries, confidence)
    within_high = 1 - _share_at_least(over, queries, confidence)
    outcome = Outcome.UNDECIDED
    if within_low >= quantile:
        outcome = Outcome.PASS
    elif within_high < quantile:
        outcome = Outcome.FAIL
    return Verdict(outcome, limit_ms, quantile, confidence, queries, over, within_low, within_high)


def summary(latencies_ms: Sequence[float]) -> Summary:
    """The usual figures; `fps_p90` is 1000 / p90, the rate that nine of ten queries keep up with."""
    _refuse_bad(latencies_ms)
    ordered = sorted(latencies_ms)
    p90, middle = quantile_of(ordered, 0.90), median(ordered)
    return Summary(
        n=len(ordered),
        min=ordered[0],
        median=middle,
        mean=fmean(ordered),
        p90=p90,
        p99=quantile_of(ordered, 0.99),
        max=ordered[-1],
        fps_p90=1000 / p90,
        fps_median=1000 / middle,
        p90_interval=quantile_interval(ordered, 0.90),
    )


def quantile_of(ordered_ms: Sequence[float], quantile: float) -> float:
    """The smallest sample with at least `quantile` of the samples at or below it."""
    # the tiny allowance keeps 0.9 * 10 = 9.000000000000002 from becoming rank 10
    return ordered_ms[max(1, ceil(quantile * len(ordered_ms) - 1e-9)) - 1]


def quantile_interval(
    ordered_ms: Sequence[float], quantile: float, confidence: float = 0.95
) -> tuple[float, float] | None:
    """Two order statistics that hold the true quantile with at least `confidence`, or None with too few samples.

    The number of samples below the true quantile is Binomial(n, quantile) whatever the distribution
    (Conover, Practical Nonparametric Statistics, 3.2); each end leaves out half of the doubt.
    """
    doubt = (1 - confidence) / 2
    n = len(ordered_ms)
    masses = _binomial_masses(n, quantile)
    below, low = 0.0, 0
    while low < n and below + masses[low] <= doubt:
        below += masses[low]
        low += 1
    above, high = masses[n], n
    while high > 0 and above <= doubt:
        high -= 1
        above += masses[high]
    # low samples are surely below, so the low-th smallest is the lower end; likewise the upper
    if low == 0 or high >= n:
        return None
    return ordered_ms[low - 1], ordered_ms[high]


def _refuse_bad(latencies_ms: Sequence[float]) -> None:
    if not latencies_ms:
        raise BadSamples.because("There are no latencies.", "Measure first.")
    bad = [latency for latency in latencies_ms if not (isfinite(latency) and latency > 0)]
    if bad:
        raise BadSamples.because(
            f"{len(bad)} of {len(latencies_ms)} latencies are not positive numbers, the first is {bad[0]} ms.",
            "Use a monotonic clock of nanoseconds.",
        )


def _share_at_most(successes: int, queries: int, confidence: float) -> float:
    """Upper Clopper-Pearson bound (Biometrika 26, 1934) of the share, by the beta quantile."""
    from scipy.special import betaincinv

    return 1.0 if successes >= queries else float(betaincinv(successes + 1, queries - successes, confidence))


def _share_at_least(successes: int, queries: int, confidence: float) -> float:
    """Lower Clopper-Pearson bound of the share."""
    from scipy.special import betaincinv

    return 0.0 if successes == 0 else float(betaincinv(successes, queries - successes + 1, 1 - confidence))


def _binomial_masses(n: int, share: float) -> list[float]:
    """P(X = k) for k = 0..n."""
    from scipy.special import bdtr

    totals = [float(bdtr(k, n, share)) for k in range(n + 1)]
    return [total - (totals[k - 1] if k else 0.0) for k, total in enumerate(totals)]
