"""Evidence about a share that may be looked at after every query. Knows nothing about latencies, only counts.

Queries are trials that succeed with probability p. Against "p is at most q" stands the likelihood ratio of a mixture,
p uniform over (q, 1): while the claim is true it is a nonnegative supermartingale, so the chance that it EVER reaches
1/alpha is at most alpha, however often one looks (Ville's inequality; Robbins, Ann. Math. Statist. 41, 1970; Howard,
Ramdas, McAuliffe, Sekhon, Ann. Statist. 49, 2021). Only one thing is asked of the trials: given all before it, each
one's p obeys the claim. A p that drifts across q is beyond any such statement; trials that resemble their neighbours
are given as the fractions that they are worth (`profiler.dependence`).
"""

from collections.abc import Callable
from functools import lru_cache
from math import log, log1p

SMALL = 1e-280
"""Below this a tail of the beta distribution is summed in logarithms: doubles end at 1e-308."""


def evidence_above(successes: float, failures: float, share: float) -> float:
    """Log of the mixture likelihood ratio against "p <= share"; log(1/alpha) refutes that at alpha."""
    return (
        _log_upper_integral(successes, failures, share)
        - log1p(-share)
        - successes * log(share)
        - failures * log1p(-share)
    )


def evidence_below(successes: float, failures: float, share: float) -> float:
    """Log of the mixture likelihood ratio against "p >= share"."""
    return evidence_above(failures, successes, 1 - share)


@lru_cache(maxsize=4096)
def quantile_ranks(n: int, quantile: float, alpha: float) -> tuple[int, int] | None:
    """Ranks, from 1, of two order statistics that hold the true quantile at all times but for a chance of 2 `alpha`.

    A sample is at or below the quantile with the probability `quantile` at least, below it with that at most. If k in n
    were too few, the quantile is not below the sample of rank k + 1; if k were too many, not above that of rank k
    (the idea: Howard and Ramdas, Bernoulli 28, 2022). None while n is too small.
    """
    wanted = -log(alpha)
    if evidence_below(0, n, quantile) < wanted or evidence_above(n, 0, quantile) < wanted:
        return None
    few = _last(0, n, lambda k: evidence_below(k, n - k, quantile) >= wanted)
    many = n - _last(0, n, lambda k: evidence_above(n - k, k, quantile) >= wanted)
    return few + 1, many


def _last(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The largest number that holds, of those from `low` on that all hold up to some point; `low` if none does."""
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low


def _log_upper_integral(successes: float, failures: float, share: float) -> float:
    """log of the integral of p^s (1-p)^f over (share, 1)."""
    from scipy.special import betaincc, betaln

    tail = float(betaincc(successes + 1, failures + 1, share))
    if tail > SMALL:
        return float(betaln(successes + 1, failures + 1)) + log(tail)
    return _log_sum(successes, failures, share)


def _log_sum(successes: float, failures: float, share: float) -> float:
    """The same where the tail is too small for a double.

    It is a binomial sum, P(Bin(s + f + 1, q) <= s) times a beta function, whose terms shrink from k = s downwards; the
    largest is q^s (1-q)^(f+1) / (f+1). Of counts that are no integers the sum's last term is the one above 0.
    """
    total, term, k = 1.0, 1.0, successes
    while k > 0 and term > 1e-17 * total:
        term *= k * (1 - share) / ((successes + failures + 2 - k) * share)
        total += term
        k -= 1
    return successes * log(share) + (failures + 1) * log1p(-share) - log(failures + 1) + log(total)
