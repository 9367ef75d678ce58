"""Measures candidates against each other: isolated, warmed up, interleaved, raced. Knows no model and no request.

The candidates of one heat stay loaded together, each in its own process, so memory must hold them; a heat is closed
before the next one starts. Heats are not raced against each other: what lies between them is a change of the machine.
"""

from collections.abc import Callable, Sequence
from math import isfinite

from profiler.energy import Meter
from profiler.errors import BadPlan
from profiler.race import Rules, Standing, decide, heats
from profiler.record import Profile
from profiler.run import Candidate, Plan, Run

__all__ = ["Candidate", "Profile", "measure"]

SCOPE_QUERIES = 64
"""Samples of each scope beside the raced one: as many as the smallest sound verdict needs."""


def measure(
    candidates: Sequence[Candidate],
    *,
    scope: str = "pipeline",
    limit_ms: float | None = None,
    threads: int = 1,
    memory_limit_mb: float | None = None,
    window_queries: int = 32,
    min_queries: int = 64,
    max_seconds: float = 30.0,
    warmup_cap_s: float = 10.0,
    hang_seconds: float = 60.0,
    load_seconds: float = 300.0,
    retries: int = 8,
    together: int = 8,
    tie_queries: int = 512,
    on_progress: Callable[[str, str, int], None] | None = None,
) -> list[Profile]:
    """One profile per candidate, in order; a candidate that fails has `error` and disturbs no other.

    `limit_ms` bounds the latency in `scope`; without it everything gets `min_queries` samples, of which at most
    `window_queries` of each window count. `max_seconds` is the time in counted windows one candidate may use in
    `scope`, and a third of it in each other scope, `warmup_cap_s` the time before, `load_seconds` for its factory,
    `hang_seconds` for one query, `retries` the windows repeated because of a disturbance before they count anyway.
    At most `together` candidates are loaded at once; a group is split over heats only if it is larger, and then each
    heat finds its own fastest. `tie_queries` ends the attempt to tell two close ones of a group apart.
    `on_progress(name, phase, queries)` is called after each window. Raises BadPlan before anything starts.
    """
    plan = Plan(
        scope=scope,
        limit_ms=limit_ms,
        threads=threads,
        memory_limit_mb=memory_limit_mb,
        window_queries=window_queries,
        min_queries=min_queries,
        max_seconds=max_seconds,
        warmup_cap_s=warmup_cap_s,
        hang_seconds=hang_seconds,
        load_seconds=load_seconds,
        retries=retries,
        on_progress=on_progress,
        tie_queries=tie_queries,
    )
    _refuse(candidates, plan, together)
    meter = Meter()
    runs = [Run(candidate, plan, meter) for candidate in candidates]
    for heat in heats([candidate.group for candidate in candidates], together):
        _heat([runs[place] for place in heat])
    return [run.profile() for run in runs]


def _heat(runs: list[Run]) -> None:
    """Loads, measures and ends those that are in memory together."""
    try:
        for run in runs:
            run.start()
            run.warm_up()
        _race(runs)
        _other_scopes(runs)
    finally:
        for run in runs:
            run.close()


def _race(runs: list[Run]) -> None:
    """Windows in turn, so that a slow minute of the machine hits all alike, until nobody has more to learn."""
    plan = runs[0].plan
    rules = Rules(plan.limit_ms, plan.min_queries, plan.tie_queries)
    while True:
        decisions = decide([run.entry() for run in runs], rules)
        racing = [run for run, found in zip(runs, decisions, strict=True) if found.standing is Standing.MEASURE]
        if not racing:
            break
        for run in racing:
            run.measure_window(plan.scope)
    for run, found in zip(runs, decisions, strict=True):
        run.judge(found)


def _other_scopes(runs: list[Run]) -> None:
    """The scopes beside the raced one, in turn, for those with time left."""
    for scope in sorted({name for run in runs for name in run.scopes if name != run.plan.scope}):
        pending = [run for run in runs if scope in run.scopes and run.error is None]
        for run in pending:
            run.warm_scope(scope)
        while open_runs := [run for run in pending if _wants(run, scope)]:
            for run in open_runs:
                run.measure_window(scope)
        for run in pending:
            if run.error is None and not run.dropped and len(run.samples_ms[scope]) < SCOPE_QUERIES:
                run.warnings.append(
                    f"NO TIME: {len(run.samples_ms[scope])} of {SCOPE_QUERIES} queries in scope {scope!r}"
                )


def _wants(run: Run, scope: str) -> bool:
    """One that lost the race gets a single window, so that it is known what it costs."""
    if run.dropped and run.samples_ms[scope]:
        return False
    return run.error is None and run.has_time(scope) and len(run.samples_ms[scope]) < SCOPE_QUERIES


def _refuse(candidates: Sequence[Candidate], plan: Plan, together: int) -> None:
    """BadPlan with all faults at once."""
    names = [candidate.name for candidate in candidates]
    twice = sorted({name for name in names if names.count(name) > 1})
    counts = {
        "threads": plan.threads,
        "window_queries": plan.window_queries,
        "min_queries": plan.min_queries,
        "max_seconds": plan.max_seconds,
        "warmup_cap_s": plan.warmup_cap_s,
        "hang_seconds": plan.hang_seconds,
        "load_seconds": plan.load_seconds,
        "together": together,
        "tie_queries": plan.tie_queries,
    }
    faults = [f"{name} is {value}" for name, value in counts.items() if not (isfinite(value) and value > 0)]
    if plan.limit_ms is not None and not (isfinite(plan.limit_ms) and plan.limit_ms > 0):
        faults.append(f"limit_ms is {plan.limit_ms}")
    faults += [f"{candidate.name}: {candidate.factory!r}" for candidate in candidates if ":" not in candidate.factory]
    if not names:
        faults.append("no candidate")
    if twice:
        faults.append(f"names used twice: {', '.join(twice)}")
    if faults:
        raise BadPlan.because(
            f"Nothing can be measured: {'; '.join(faults)}.", 'Times and counts are positive, factories "module:name".'
        )
