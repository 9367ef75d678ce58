"""What a list of latencies says, and how surely. Knows nothing about how they were measured.

Verdicts and median intervals hold however often one looks at a growing sample. Verdicts count queries that resemble
their neighbours for less (`profiler.dependence`); all other statements assume independent draws. Slow drifts (heat,
other programs) break even the first, which is why the session watches for them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import ceil, exp, isfinite, log, sqrt
from statistics import fmean, median, stdev

from profiler.dependence import inflation
from profiler.errors import BadSamples
from profiler.sequential import evidence_above, evidence_below, quantile_ranks

ALIKE = 0.75
"""Below this share of independent queries the clusters are told: of independent draws one in ten looks that way."""

LEAST_WINDOWS = 4
"""Fewer say nothing about what varies between them."""

LEAST_PROCESSES = 3
"""The same, where each one costs another start; Student's t allows for so few."""


class Outcome(StrEnum):
    """Whether enough queries were within the limit; UNDECIDED means: measure more."""

    PASS = "PASS"
    FAIL = "FAIL"
    UNDECIDED = "UNDECIDED"


@dataclass(frozen=True)
class Verdict:
    """The answer to "are at least `quantile` of all queries within `limit_ms`?".

    Slow queries that come in clusters are worth fewer: `independent` is how many the `queries` counted for, None in
    records from before that was done.
    """

    outcome: Outcome
    limit_ms: float
    quantile: float
    confidence: float
    queries: int
    over: int
    independent: float | None = None

    @property
    def counted(self) -> str:
        """In words: what the outcome rests on."""
        share = f"{self.queries - self.over} of {self.queries} queries within {self.limit_ms:.2f} ms"
        if self.independent is None or self.independent >= ALIKE * self.queries:
            return share
        return f"{share}, slow ones in clusters, so worth {self.independent:.0f}"


@dataclass(frozen=True)
class Summary:
    """Latencies in milliseconds; quantiles are order statistics (nearest rank), never interpolated."""

    n: int
    min: float
    median: float
    mean: float
    p90: float
    p99: float
    max: float
    fps_p90: float
    fps_median: float


def verdict(
    latencies_ms: Sequence[float], limit_ms: float, quantile: float = 0.90, confidence: float = 0.99
) -> Verdict:
    """PASS, FAIL or UNDECIDED, valid under any number of looks: each of the two is false with 1 - `confidence` at most
    for independent queries, and about so for those that resemble their neighbours.

    Both are mixture likelihood ratios (`profiler.sequential`) of as many queries as the latencies, given in the order
    they were measured, are worth (`profiler.dependence`). A PASS must besides satisfy the early-stopping rule of
    MLPerf LoadGen (loadgen/early_stopping.cc, single stream), so that each is one of MLPerf's as well: with none over
    the limit 64 queries at p90 and 99 %, 130 at p95, 662 at p99. Raises BadSamples for an empty list or numbers that
    are no latencies.
    """
    _refuse_bad(latencies_ms)
    if not (isfinite(limit_ms) and limit_ms > 0 and 0 < quantile < 1 and 0 < confidence < 1):
        raise BadSamples.because(
            f"No verdict on limit {limit_ms} ms, quantile {quantile}, confidence {confidence}.",
            "The limit is positive, the other two lie between 0 and 1.",
        )
    queries = len(latencies_ms)
    over = sum(latency > limit_ms for latency in latencies_ms)
    each = 1 / inflation(latencies_ms, limit_ms, quantile)
    outcome = decision((queries - over) * each, over * each, quantile, confidence)
    return Verdict(outcome, limit_ms, quantile, confidence, queries, over, queries * each)


def verdict_beside_load(
    latencies_ms: Sequence[float], undisturbed_ms: Sequence[float], limit_ms: float
) -> Verdict | None:
    """The verdict on all latencies, where some were taken while others used the machine; None without any.

    Load can only slow down: a PASS stands, but a FAIL needs the undisturbed latencies to fail by themselves, else it
    becomes UNDECIDED.
    """
    if not latencies_ms:
        return None
    found = verdict(latencies_ms, limit_ms)
    if found.outcome is not Outcome.FAIL or len(undisturbed_ms) == len(latencies_ms):
        return found
    if undisturbed_ms and verdict(undisturbed_ms, limit_ms).outcome is Outcome.FAIL:
        return found
    return replace(found, outcome=Outcome.UNDECIDED)


def decision(within: float, over: float, quantile: float, confidence: float) -> Outcome:
    """The outcome from the counts of independent queries alone; dependent ones count for fractions."""
    wanted = -log(1 - confidence)
    if evidence_below(within, over, quantile) >= wanted:
        return Outcome.FAIL
    if evidence_above(within, over, quantile) < wanted:
        return Outcome.UNDECIDED
    # one more over the limit than was seen: LoadGen's rule
    return Outcome.PASS if _share_at_least_once(within - 1, over + 1, confidence) >= quantile else Outcome.UNDECIDED


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
    )


def quantile_of(ordered_ms: Sequence[float], quantile: float) -> float:
    """The smallest sample with at least `quantile` of the samples at or below it."""
    # the tiny allowance keeps 0.9 * 10 = 9.000000000000002 from becoming rank 10
    return ordered_ms[max(1, ceil(quantile * len(ordered_ms) - 1e-9)) - 1]


def median_sequence(latencies_ms: Sequence[float], alpha: float) -> tuple[float, float] | None:
    """Two of the samples that hold the true median at all looks but for a chance of 2 `alpha`; None with too few."""
    ranks = quantile_ranks(len(latencies_ms), 0.5, alpha)
    if ranks is None:
        return None
    ordered = sorted(latencies_ms)
    return ordered[ranks[0] - 1], ordered[ranks[1] - 1]


def uncertainty(medians_ms: Sequence[float], least: int = LEAST_WINDOWS) -> float | None:
    """Half of Student's 95 % interval around the geometric mean, as a share of it; None with fewer than `least`."""
    from scipy.special import stdtrit

    count = len(medians_ms)
    if count < least:
        return None
    spread = stdev(log(value) for value in medians_ms) / sqrt(count)
    return exp(spread * float(stdtrit(count - 1, 0.975))) - 1


def _refuse_bad(latencies_ms: Sequence[float]) -> None:
    if not latencies_ms:
        raise BadSamples.because("There are no latencies.", "Measure first.")
    bad = [latency for latency in latencies_ms if not (isfinite(latency) and latency > 0)]
    if bad:
        raise BadSamples.because(
            f"{len(bad)} of {len(latencies_ms)} latencies are not positive numbers, the first is {bad[0]} ms.",
            "Use a monotonic clock of nanoseconds.",
        )


def _share_at_least_once(within: float, over: float, confidence: float) -> float:
    """Lower Clopper-Pearson bound (Biometrika 26, 1934) for one look, by the beta quantile."""
    from scipy.special import betaincinv

    return 0.0 if within <= 0 else float(betaincinv(within, over + 1, 1 - confidence))
