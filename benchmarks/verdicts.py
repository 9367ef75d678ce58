"""How often a verdict is wrong when it is looked at after every window: simulated, with fixed seeds.

    python benchmarks/verdicts.py [--runs 10000] [--queries 2048]

For each distribution of latencies the limit is placed so that the true share within it is just below, exactly at, or
just above 0.90. A PASS is false at or below, a FAIL at or above; exactly at 0.90 both errors are counted, although
only the FAIL would be wrong there. Beside the rule that is used stand two others: "each" counts every query as one,
whatever it resembles, and "one-look" is the Clopper-Pearson bound that holds for a single look.

Below follow latencies whose neighbours resemble each other (the logarithms are AR(1) with the number given), which
break the two others and bend the first.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import exp, log
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from profiler.dependence import inflations  # noqa: E402 - the project may not be installed
from profiler.sequential import SMALL  # noqa: E402

QUANTILE, CONFIDENCE, WINDOW = 0.90, 0.99, 32
SHARES = (0.895, 0.90, 0.905)
RESEMBLANCES = (0.3, 0.5, 0.7, 0.9)
BATCH = 1000
"""Runs simulated at once: 2048 queries of each take 16 MB."""

Draw = Callable[[Any, tuple[int, int]], Any]
Rule = Callable[[Any, float], Any]
"""Latencies (runs, queries so far) and the limit -> 1 for PASS, -1 for FAIL, 0 for neither, per run."""


@dataclass(frozen=True)
class Rates:
    """Shares of the runs that ever said PASS or FAIL while looking, and the mean queries to a decision."""

    passed: float
    failed: float
    queries: float


def main() -> int:
    """One line per distribution and share; exit status 1 if an error rate is above what is promised."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--queries", type=int, default=2048)
    options = parser.parse_args()
    print(f"{options.runs} runs of {options.queries} queries, looked at every {WINDOW}")
    print(
        f"{'latencies':>12} {'share':>6}"
        + "".join(f"   {f'{name} PASS':>13} {'FAIL':>7} {'queries':>8}" for name in RULES)
    )
    worst = 0.0
    for name, (draw, limit_at) in {**independent(), **dependent()}.items():
        for share in SHARES if name in independent() else (QUANTILE,):
            found = simulate(draw, limit_at(share), RULES, options.runs, int(share * 1000), options.queries)
            cells = "".join(f"   {r.passed:13.2%} {r.failed:7.2%} {r.queries:8.0f}" for r in found.values())
            print(f"{name:>12} {share:6.3f}{cells}", flush=True)
            worst = max(worst, error_rate(found["used"], share)) if name in independent() else worst
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
    """Neighbours resemble each other; in the end the share is what it is."""
    from scipy.signal import lfilter
    from scipy.stats import norm

    def drawn(alike: float) -> Draw:
        def draw(rng: Any, size: tuple[int, int]) -> Any:
            import numpy as np

            noise = rng.normal(0, (1 - alike**2) ** 0.5, size)
            noise[:, 0] /= (1 - alike**2) ** 0.5
            return np.exp(2 + 0.1 * lfilter([1], [1, -alike], noise, axis=1))

        return draw

    return {f"AR(1) {alike}": (drawn(alike), lambda share: exp(2 + 0.1 * norm.ppf(share))) for alike in RESEMBLANCES}


def simulate(
    draw: Draw, limit_ms: float, rules: dict[str, Rule], runs: int, seed: int, queries: int = 2048
) -> dict[str, Rates]:
    """What each rule says first in each run, looking after every window."""
    import numpy as np

    rng = np.random.default_rng(seed)
    totals = {name: np.zeros(3) for name in rules}
    for start in range(0, runs, BATCH):
        latencies = draw(rng, (min(BATCH, runs - start), queries))
        for name, rule in rules.items():
            waiting = np.arange(len(latencies))
            for look in range(WINDOW, queries + 1, WINDOW):
                said = rule(latencies[waiting, :look], limit_ms)
                totals[name] += [(said == 1).sum(), (said == -1).sum(), (said != 0).sum() * look]
                waiting = waiting[said == 0]
                if not len(waiting):
                    break
            totals[name][2] += len(waiting) * queries
    return {name: Rates(*(float(value) / runs for value in total)) for name, total in totals.items()}


def used(latencies_ms: Any, limit_ms: float) -> Any:
    """profiler.stats.verdict, of many runs at once."""
    return _decided(latencies_ms, limit_ms, inflations(latencies_ms, limit_ms, QUANTILE))


def each(latencies_ms: Any, limit_ms: float) -> Any:
    """The same with every query counted as one."""
    return _decided(latencies_ms, limit_ms, 1.0)


def one_look(latencies_ms: Any, limit_ms: float) -> Any:
    """One-sided Clopper-Pearson bounds, LoadGen's one query more included."""
    import numpy as np

    pass_at, fail_at = _clopper_pearson(latencies_ms.shape[1])
    over = (latencies_ms > limit_ms).sum(axis=1)
    return np.where(over <= pass_at, 1, np.where(over >= fail_at, -1, 0))


RULES: dict[str, Rule] = {"used": used, "each": each, "one-look": one_look}


def _decided(latencies_ms: Any, limit_ms: float, weight: Any) -> Any:
    """profiler.stats.decision on arrays."""
    import numpy as np
    from scipy.special import betaincinv

    over = (latencies_ms > limit_ms).sum(axis=1) / weight
    within = (latencies_ms <= limit_ms).sum(axis=1) / weight
    wanted = -log(1 - CONFIDENCE)
    fails = _evidence_above(over, within, 1 - QUANTILE) >= wanted
    at_least = betaincinv(np.maximum(within - 1, 1e-9), over + 2, 1 - CONFIDENCE)
    passes = (_evidence_above(within, over, QUANTILE) >= wanted) & (at_least >= QUANTILE)
    return np.where(fails, -1, np.where(passes, 1, 0))


def _evidence_above(successes: Any, failures: Any, share: float) -> Any:
    """profiler.sequential.evidence_above on arrays; where its tail is too small for a double there is none."""
    import numpy as np
    from scipy.special import betaincc, betaln

    tail = np.maximum(betaincc(successes + 1, failures + 1, share), SMALL)
    integral = betaln(successes + 1, failures + 1) + np.log(tail)
    return integral - log(1 - share) - successes * log(share) - failures * log(1 - share)


@cache
def _clopper_pearson(n: int) -> tuple[int, int]:
    """Most queries over the limit for a PASS, and least for a FAIL."""
    import numpy as np
    from scipy.special import betaincinv

    over = np.arange(n - 1)
    low = 1 - betaincinv(over + 2, n - over - 1, CONFIDENCE)
    high = 1 - np.where(over == 0, 0.0, betaincinv(np.maximum(over, 1), n - over + 1, 1 - CONFIDENCE))
    return int((low >= QUANTILE).sum()) - 1, int((high >= QUANTILE).sum())


if __name__ == "__main__":
    raise SystemExit(main())
