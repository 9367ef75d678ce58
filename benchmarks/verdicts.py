"""How often a verdict is wrong when it is looked at after every window: simulated, with fixed seeds.

    python benchmarks/verdicts.py [--runs 10000] [--queries 2048]

For each distribution of latencies the limit is placed so that the true share within it is just below, exactly at, or
just above 0.90. A PASS is false at or below, a FAIL at or above; exactly at 0.90 both errors are counted, although
only the FAIL would be wrong there. Beside it stands the rule used before: Clopper-Pearson bounds for one look.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import exp
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from profiler.stats import Outcome, decision  # noqa: E402 - the project may not be installed

QUANTILE, CONFIDENCE, WINDOW = 0.90, 0.99, 32
SHARES = (0.895, 0.90, 0.905)
BATCH = 1000
"""Runs simulated at once: 2048 queries of each take 16 MB."""

Draw = Callable[[Any, tuple[int, int]], Any]
Boundaries = tuple[Any, Any]


@dataclass(frozen=True)
class Rates:
    """Shares of the runs that ever said PASS or FAIL while looking, and the mean queries to a decision."""

    passed: float
    failed: float
    queries: float


def main() -> int:
    """One line per distribution and share; exit status 1 if an error rate is above what is promised."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--queries", type=int, default=2048)
    options = parser.parse_args()
    looks = tuple(range(WINDOW, options.queries + 1, WINDOW))
    rules = {"now": boundaries(looks), "one-look": one_look(looks)}
    print(f"{options.runs} runs of {options.queries} queries, looked at every {WINDOW}")
    print(
        f"{'latencies':>12} {'share':>6}   {'PASS':>7} {'FAIL':>7} {'queries':>8}   {'one-look PASS':>13} {'FAIL':>7}"
    )
    worst = 0.0
    for name, (draw, limit_at) in {**independent(), **dependent()}.items():
        for share in SHARES:
            found = simulate(draw, limit_at(share), rules, options.runs, int(share * 1000), options.queries)
            now, old = found["now"], found["one-look"]
            print(
                f"{name:>12} {share:6.3f}   {now.passed:7.2%} {now.failed:7.2%} {now.queries:8.0f}"
                f"   {old.passed:13.2%} {old.failed:7.2%}"
            )
            worst = max(worst, error_rate(now, share)) if name in independent() else worst
    print(f"largest error rate of independent latencies: {worst:.2%} (promised: {1 - CONFIDENCE:.0%})")
    return 1 if worst > 1 - CONFIDENCE else 0


def error_rate(rates: Rates, share: float) -> float:
    """The larger share of false verdicts; at the quantile itself neither may be said often."""
    return max(rates.passed if share <= QUANTILE else 0.0, rates.failed if share >= QUANTILE else 0.0)


def independent() -> dict[str, tuple[Draw, Callable[[float], float]]]:
    """Latencies in ms as independent draws, each with its limit for a share."""
    from scipy import optimize, stats

    bimodal = (stats.norm(10, 0.5), stats.norm(16, 1.0))
    slow = 0.2

    def two(rng: Any, size: tuple[int, int]) -> Any:
        import numpy as np

        return np.where(rng.random(size) < slow, rng.normal(16, 1.0, size), rng.normal(10, 0.5, size))

    def two_at(share: float) -> float:
        return float(
            optimize.brentq(lambda x: (1 - slow) * bimodal[0].cdf(x) + slow * bimodal[1].cdf(x) - share, 5, 40)
        )

    return {
        "lognormal": (
            lambda rng, size: rng.lognormal(2, 0.1, size),
            lambda share: float(stats.lognorm(0.1, scale=exp(2)).ppf(share)),
        ),
        "gamma": (lambda rng, size: rng.gamma(3, 2, size), lambda share: float(stats.gamma(3, scale=2).ppf(share))),
        "bimodal": (two, two_at),
        "heavy tail": (lambda rng, size: rng.pareto(1.2, size) + 1, lambda share: float((1 - share) ** (-1 / 1.2))),
    }


def dependent() -> dict[str, tuple[Draw, Callable[[float], float]]]:
    """What no verdict promises anything about: neighbours resemble each other (AR(1), 0.9), share 0.90 in the end."""
    from scipy.signal import lfilter
    from scipy.stats import norm

    def drift(rng: Any, size: tuple[int, int]) -> Any:
        import numpy as np

        noise = rng.normal(0, (1 - 0.9**2) ** 0.5, size)
        noise[:, 0] /= (1 - 0.9**2) ** 0.5
        return np.exp(2 + 0.1 * lfilter([1], [1, -0.9], noise, axis=1))

    return {"(drifting)": (drift, lambda share: exp(2 + 0.1 * norm.ppf(share)))}


def simulate(
    draw: Draw, limit_ms: float, rules: dict[str, Boundaries], runs: int, seed: int, queries: int = 2048
) -> dict[str, Rates]:
    """What each rule says first in each run, looking after every window."""
    import numpy as np

    rng = np.random.default_rng(seed)
    totals = {name: np.zeros(3) for name in rules}
    for start in range(0, runs, BATCH):
        count = min(BATCH, runs - start)
        over = (draw(rng, (count, queries)) > limit_ms).reshape(count, -1, WINDOW).sum(axis=2).cumsum(axis=1)
        for name, (pass_at, fail_at) in rules.items():
            said = np.where(over <= pass_at, 1, np.where(over >= fail_at, -1, 0))
            first = np.argmax(said != 0, axis=1)
            outcome = said[np.arange(count), first]
            looked = np.where(outcome != 0, (first + 1) * WINDOW, queries)
            totals[name] += [(outcome == 1).sum(), (outcome == -1).sum(), looked.sum()]
    return {name: Rates(*(float(value) / runs for value in total)) for name, total in totals.items()}


@cache
def boundaries(looks: tuple[int, ...]) -> Boundaries:
    """Most queries over the limit for a PASS and least for a FAIL at each look, by the rule as it is used."""
    import numpy as np

    def said(n: int, over: int) -> Outcome:
        return decision(n - over, over, QUANTILE, CONFIDENCE)

    pass_at = [_most(n, lambda over, n=n: said(n, over) is Outcome.PASS) for n in looks]
    below = [_most(n, lambda over, n=n: said(n, over) is not Outcome.FAIL) for n in looks]
    return np.array(pass_at), np.array(below) + 1


@cache
def one_look(looks: tuple[int, ...]) -> Boundaries:
    """The same for one-sided Clopper-Pearson bounds, LoadGen's one query more included."""
    import numpy as np
    from scipy.special import betaincinv

    pass_at, fail_at = [], []
    for n in looks:
        over = np.arange(n - 1)
        low = 1 - betaincinv(over + 2, n - over - 1, CONFIDENCE)
        high = 1 - np.where(over == 0, 0.0, betaincinv(np.maximum(over, 1), n - over + 1, 1 - CONFIDENCE))
        pass_at.append(int((low >= QUANTILE).sum()) - 1)
        fail_at.append(int((high >= QUANTILE).sum()))
    return np.array(pass_at), np.array(fail_at)


def _most(n: int, holds: Callable[[int], bool]) -> int:
    """The largest count from 0 to n that holds, where all smaller ones do; -1 if none does."""
    low, high = -1, n
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low


if __name__ == "__main__":
    raise SystemExit(main())
