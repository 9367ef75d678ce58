"""Forecasts the latency of networks that were not measured here from those that were.

Knows nothing about engines, files or the profiler: features and milliseconds in, intervals and an order out. It
speaks of the scope `runtime`; decoding, pre- and postprocessing come on top and hardly depend on the network.

    latency = sum of costs x work, times exp(residual)

The costs (ms per multiply-accumulate of each kind, per element, per call) are non-negative and pulled towards those
of all engines together, then of the engine. The residual is a Gaussian process over the logarithms of the work. The
interval is CV+ (Barber, Candes, Ramdas, Tibshirani: Predictive inference with the jackknife+, Ann. Statist. 2021) with
all sizes and engines of a network left out together, its scores divided by the process's own deviation, so that
far-away networks get wider intervals. The n networks are the witnesses, not their observations (the pooled quantile of
Dunn, Wasserman, Ramdas: Distribution-free prediction sets for two-layer hierarchical models, JASA 2023): the end of
the interval has confidence x (n + 1) of n networks within. Where that is beyond n (90 %: below nine), Student's t on
the same scores stands in, which assumes that log residuals are about normal.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Variant = tuple[str, str]  # engine, precision

# Feature -> cost relative to a multiply-accumulate of a convolution, as fitted on one CPU with three engines. It only
# says what a few observations cannot, and weighs as much as PULL of them.
PRIOR = {
    "conv": 1.0,
    "pointwise": 1.0,
    "depthwise": 5.0,
    "grouped": 1.5,
    "linear": 1.5,
    "other": 3.0,
    "products": 8.0,
    "elements": 16.0,
    "weights": 6.0,
    "product_calls": 6e4,
    "calls": 6e4,
}
PRIOR_COSTS = np.array(list(PRIOR.values()))
PULL = 3.0
LEAST_COST = 0.01  # of the parent's: nothing is free, and the logarithm of no time is none
FLOOR = 0.05  # of the prior: a cost that one level found to be zero can come back at the next

# Deviations of the log residual: shared by the engines, an engine's own, noise; length in standardised logarithms.
SHARED, OWN, NOISE, LENGTH = 0.2, 0.2, 0.15, 1.5

LEAST = 6  # observations of an engine before anything is said
LEAST_NETWORKS = 3  # among them, at the precision asked for: its factor, with one of them left out, rests on two
ENOUGH_OWN, ENOUGH_SAME = 20, 9  # networks of a variant, of a precision, from which on others are left out
ALONE, FOLDS = 20, 10  # up to so many networks each is left out alone; more of them go in so many folds


class WorkMissing(Exception):
    """Features lack what the forecast reads."""


@dataclass(frozen=True)
class Observation:
    """One measured model: its counted work, and the median of the scope `runtime` on this machine."""

    features: Mapping[str, float]
    engine: str
    precision: str
    median_ms: float
    title: str

    @property
    def variant(self) -> Variant:
        return (self.engine, self.precision)

    @property
    def network(self) -> str:
        """The title without the input's size: sizes of one network are no independent witnesses."""
        return self.title.split(" ")[0]


@dataclass(frozen=True)
class Forecast:
    """Median latency of the scope `runtime`, and the interval that should hold it."""

    median_ms: float
    low_ms: float
    high_ms: float
    basis: Literal["cv+", "student t"]


class _Costs:
    """Costs per variant, each level pulled towards the one above: prior, all, engine, engine and precision."""

    def __init__(self, work: Vector, ms: Vector, variants: Sequence[Variant]) -> None:
        rows = {found: np.array([variant == found for variant in variants]) for found in sorted(set(variants))}

        def level(members: Sequence[Variant], parent: Vector) -> Vector:
            # each member's own factor against the parent is divided out, so that fast and slow ones speak together
            even = [ms[rows[m]] / _factor(work[rows[m]], ms[rows[m]], parent) for m in members]
            return _pulled(np.vstack([work[rows[m]] for m in members]), np.concatenate(even), parent)

        self.of: dict[Variant, Vector] = {}
        shared = level(list(rows), PRIOR_COSTS)
        for engine in dict.fromkeys(variant[0] for variant in rows):
            mine = [variant for variant in rows if variant[0] == engine]
            cost = level(mine, shared)
            for variant in mine:
                own, here = level([variant], cost), rows[variant]
                self.of[variant] = own * _factor(work[here], ms[here], own)

    def log_ms(self, work: Vector, variant: Variant) -> float:
        return math.log(float(work @ self.of[variant]))


def _pulled(work: Vector, ms: Vector, parent: Vector) -> Vector:
    """Non-negative least squares on relative errors: a network of 1 ms says as much as one of 100 ms."""
    from scipy.optimize import nnls

    start = parent * _factor(work, ms, parent)
    unit = np.maximum(start, FLOOR * PRIOR_COSTS * _factor(work, ms, PRIOR_COSTS))
    matrix = np.vstack([work / ms[:, None] * unit, math.sqrt(PULL) * np.eye(len(unit))])
    wanted = np.concatenate([np.ones(len(ms)), math.sqrt(PULL) * start / unit])
    cost: Vector = np.maximum(nnls(matrix, wanted)[0], LEAST_COST) * unit
    return cost


def _factor(work: Vector, ms: Vector, cost: Vector) -> float:
    return math.exp(float(np.median(np.log(ms) - np.log(work @ cost))))


class _Model:
    """Costs, and the Gaussian process of what they leave over."""

    def __init__(self, observations: Sequence[Observation]) -> None:
        work = np.array([vector(o.features) for o in observations])
        ms = np.array([o.median_ms for o in observations])
        variants = [o.variant for o in observations]
        self._engines, self._precisions = (np.array(part) for part in zip(*variants, strict=True))
        self.costs = _Costs(work, ms, variants)
        logs = np.log1p(work)
        self._middle, self._spread = logs.mean(0), logs.std(0) + 0.3  # 0.3: a feature that hardly varies says little
        self._points = (logs - self._middle) / self._spread
        kernel = np.array([self._kernel(p, v) for p, v in zip(self._points, variants, strict=True)])
        self._inverse = np.linalg.inv(kernel + NOISE**2 * np.eye(len(ms)))
        left = [math.log(m) - self.costs.log_ms(w, v) for w, m, v in zip(work, ms, variants, strict=True)]
        self._weights = self._inverse @ np.array(left)

    def predict(self, work: Vector, variant: Variant) -> tuple[float, float]:
        """Logarithm of the milliseconds, and its deviation before calibration."""
        near = self._kernel((np.log1p(work) - self._middle) / self._spread, variant)
        variance = SHARED**2 + OWN**2 + NOISE**2 - float(near @ self._inverse @ near)
        return self.costs.log_ms(work, variant) + float(near @ self._weights), math.sqrt(max(variance, NOISE**2))

    def _kernel(self, point: Vector, variant: Variant) -> Vector:
        apart = np.sqrt(((self._points - point) ** 2).mean(1))
        engine = self._engines == variant[0]
        alike = 0.5 * engine + 0.5 * (engine & (self._precisions == variant[1]))
        found: Vector = np.exp(-apart / LENGTH) * (SHARED**2 + OWN**2 * alike)
        return found


@dataclass(frozen=True)
class _Score:
    """How far off, in deviations, an observation was for the model of the fold that left it out."""

    fold: int
    network: str
    variant: Variant
    value: float


class Forecaster:
    """What `fit` returns."""

    def __init__(self, observations: Sequence[Observation], confidence: float) -> None:
        self._observations = tuple(observations)
        self._confidence = confidence
        self._whole = _Model(observations) if observations else None
        self._folds: list[_Model] = []
        self._scores: list[_Score] = []
        for inside, outside in _split(observations):
            model = _Model(inside)
            self._folds.append(model)
            for o in outside:
                if o.variant in model.costs.of:
                    log_ms, deviation = model.predict(vector(o.features), o.variant)
                    off = abs(math.log(o.median_ms) - log_ms) / deviation
                    self._scores.append(_Score(len(self._folds) - 1, o.network, o.variant, off))

    def silence(self, engine: str, precision: str) -> str | None:
        """Why nothing can be said about an engine at a precision; None when something can."""
        own = [o for o in self._observations if o.engine == engine]
        networks = len({o.network for o in own if o.precision == precision})
        if len(own) < LEAST:
            return f"{len(own)} measured with {engine} on this machine, {LEAST} are needed for a forecast"
        if networks < LEAST_NETWORKS:
            at = f"{engine} at {precision}"
            return f"{networks} networks measured with {at}, {LEAST_NETWORKS} are needed for a forecast"
        return None

    def predict(self, features: Mapping[str, float], engine: str, precision: str) -> Forecast | None:
        """Latency of a network that was not measured; None where `silence` gives the reason.

        Raises:
            WorkMissing: the features lack an entry.
        """
        work, variant = vector(features), (engine, precision)
        if self._whole is None or self.silence(engine, precision) is not None:
            return None
        middle, deviation = self._whole.predict(work, variant)
        told = {k: m.predict(work, variant) for k, m in enumerate(self._folds) if variant in m.costs.of}
        scores = _kin([s for s in self._scores if s.fold in told], variant)
        shares = _shares(scores)
        rank = self._confidence * (1 + sum(shares))
        if rank <= sum(shares) + 1e-9:
            basis: Literal["cv+", "student t"] = "cv+"
            low = -_ranked([s.value * told[s.fold][1] - told[s.fold][0] for s in scores], shares, rank)
            high = _ranked([s.value * told[s.fold][1] + told[s.fold][0] for s in scores], shares, rank)
        else:
            basis = "student t"
            reach = deviation * _student(scores, shares, self._confidence)
            low, high = middle - reach, middle + reach
        return Forecast(math.exp(middle), math.exp(min(low, middle)), math.exp(max(high, middle)), basis)


def fit(observations: Sequence[Observation], confidence: float = 0.90) -> Forecaster:
    """Learn from everything measured on this machine, whatever the engine, precision and task.

    Raises:
        WorkMissing: the features of an observation lack an entry.
        ValueError: a confidence outside 0..1, or a latency that is none.
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"a confidence lies between 0 and 1, not at {confidence}")
    for o in observations:
        if not (math.isfinite(o.median_ms) and o.median_ms > 0):
            raise ValueError(f"{o.title} cannot have been measured at {o.median_ms} ms")
    return Forecaster(observations, confidence)


def vector(features: Mapping[str, float]) -> Vector:
    """The work of a network in the order of PRIOR."""
    missing = [name for name in PRIOR if name not in features]
    if missing:
        raise _uncounted(f"the counted work lacks {', '.join(missing)}")
    work = np.array([float(features[name]) for name in PRIOR])
    if not (np.isfinite(work).all() and (work >= 0).all() and work.any()):
        raise _uncounted(f"the counted work is none: {dict(features)}")
    return work


def _uncounted(fact: str) -> WorkMissing:
    error = WorkMissing(fact)
    error.add_note("Count the model again with this version of edge.")
    return error


def _split(observations: Sequence[Observation]) -> list[tuple[list[Observation], list[Observation]]]:
    """(inside, outside) of each fold; a network's sizes and engines stay together."""
    networks = sorted({o.network for o in observations})
    count = len(networks) if len(networks) <= ALONE else FOLDS
    if count < 2:
        return []
    fold = {network: index % count for index, network in enumerate(networks)}
    return [
        ([o for o in observations if fold[o.network] != k], [o for o in observations if fold[o.network] == k])
        for k in range(count)
    ]


def _kin(scores: list[_Score], variant: Variant) -> list[_Score]:
    """The scores most alike that are enough: of the variant, else of its precision, else all.

    Quantised networks are off by more than others, as their engines run some parts of them unquantised.
    """
    own = [s for s in scores if s.variant == variant]
    if len({s.network for s in own}) >= ENOUGH_OWN:
        return own
    same = [s for s in scores if s.variant[1] == variant[1]]
    return same if len({s.network for s in same}) >= ENOUGH_SAME else scores


def _shares(scores: Sequence[_Score]) -> list[float]:
    """Each network counts once, however many sizes and engines of it were measured."""
    times = Counter(s.network for s in scores)
    return [1.0 / times[s.network] for s in scores]


def _ranked(values: Sequence[float], shares: Sequence[float], rank: float) -> float:
    """The least value that, with all below it, has at least `rank` networks."""
    pairs = sorted(zip(values, shares, strict=True))
    gathered = accumulate(share for _, share in pairs)
    # thirds do not add up to one
    return next(value for (value, _), so_far in zip(pairs, gathered, strict=True) if so_far >= rank - 1e-6)


def _student(scores: Sequence[_Score], shares: Sequence[float], confidence: float) -> float:
    from scipy.stats import t

    networks = round(sum(shares))
    spread = math.sqrt(sum(s.value**2 * share for s, share in zip(scores, shares, strict=True)) / networks)
    return spread * float(t.ppf(0.5 + confidence / 2, networks - 1)) * math.sqrt(1 + 1 / networks)
