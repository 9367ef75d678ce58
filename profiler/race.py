"""What to measure next, and when to stop, on lists of latencies. Starts nothing, so a recorded trace can be replayed.

Decisions are made anew from all latencies at each look and hold whatever the number of looks. Comparisons of medians
assume that latencies are independent draws, verdicts do not; the interleaving of windows makes slow drifts common to
all.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from profiler.stats import Outcome, Verdict, median_sequence, verdict, verdict_beside_load

TIE = 1.03
"""Medians closer than 3 % are a tie: from one minute to the next the same program differs by as much."""

DOUBT = 0.001
"""Chance of each end of a median's interval to be wrong at any look. A candidate is falsely beaten by another with
twice that at most, and a group of ten loses its fastest in at most 2 % of races, ties included."""

BEATEN_QUERIES = 64
CLEARLY = 1.5
"""Beaten after two windows at least, since one may be unlucky as a whole; beyond a factor of 1.5 one is enough."""

RACE_MARGIN = 1.1
RACE_QUERIES = 16
"""Dropped before the least number of queries only if it fails a limit 10 % softer. That is a verdict like any other:
a candidate whose true share holds the limit itself is dropped so in less than 1 % of races."""

LOADED_MARGIN = 2.0
"""Beside load a FAIL is not said, but who misses twice the limit is not waited for: it is dropped UNDECIDED."""


class Standing(StrEnum):
    """Where a candidate stands: another window, or why none."""

    MEASURE = "MEASURE"
    ENOUGH = "ENOUGH"
    FAILING = "FAILING"
    BEATEN = "BEATEN"


@dataclass(frozen=True)
class Rules:
    """What is asked of the race: `tie_queries` compared latencies end the attempt to tell two of a group apart."""

    limit_ms: float | None = None
    min_queries: int = 64
    tie_queries: int = 512


@dataclass(frozen=True)
class Entry:
    """One candidate as the race sees it. Those with the same non-empty `group` do the same job; one is wanted.

    `samples_ms` are for the verdict, `undisturbed_ms` those of them that a FAIL may rest on, None for all;
    `shown_ms` (None: `samples_ms`) are for comparing. `ended` says that no window can follow.
    """

    name: str
    samples_ms: Sequence[float]
    group: str = ""
    undisturbed_ms: Sequence[float] | None = None
    shown_ms: Sequence[float] | None = None
    ended: bool = False

    @property
    def compared_ms(self) -> Sequence[float]:
        """What medians are taken of."""
        return self.samples_ms if self.shown_ms is None else self.shown_ms

    def verdict(self, limit_ms: float | None) -> Verdict | None:
        """On the samples so far; None without a limit or samples."""
        if limit_ms is None:
            return None
        undisturbed = self.samples_ms if self.undisturbed_ms is None else self.undisturbed_ms
        return verdict_beside_load(self.samples_ms, undisturbed, limit_ms)


@dataclass(frozen=True)
class Decision:
    """A standing with its reason in words, empty for MEASURE and ENOUGH."""

    standing: Standing
    reason: str = ""


@dataclass(frozen=True)
class _Runner:
    entry: Entry
    outcome: Outcome | None
    median: float
    interval: tuple[float, float] | None


def decide(entries: Sequence[Entry], rules: Rules) -> list[Decision]:
    """One decision per entry. One that was beaten races again if what beat it turns out to fail the limit."""
    runners = [_runner(entry, rules) for entry in entries]
    leaders = {group: _leader(runners, group, rules) for group in {entry.group for entry in entries} if group}
    return [_decision(runner, runners, leaders.get(runner.entry.group), rules) for runner in runners]


def leader(entries: Sequence[Entry], group: str, rules: Rules) -> Entry | None:
    """The one of a group with the smallest median among those that do not fail the limit."""
    found = _leader([_runner(entry, rules) for entry in entries], group, rules)
    return found.entry if found else None


def heats(groups: Sequence[str], together: int) -> list[list[int]]:
    """Places of candidates that are loaded at once, at most `together`, in order; a group stays together if it can."""
    parties: dict[str, list[int]] = {}
    for place, group in enumerate(groups):
        parties.setdefault(group or f"\0{place}", []).append(place)
    found: list[list[int]] = []
    for party in parties.values():
        for start in range(0, len(party), together):
            part = party[start : start + together]
            roomy = next((heat for heat in found if len(heat) + len(part) <= together), None)
            if roomy is None:
                found.append(part)
            else:
                roomy += part
    return found


@dataclass(frozen=True)
class Replayed:
    """How a race over recorded latencies went: samples used and the standing of each, and each group's leader."""

    used: tuple[int, ...]
    standings: tuple[Standing, ...]
    leaders: dict[str, int]


def replay(traces: Sequence[Entry], rules: Rules, window: int = 32) -> Replayed:
    """The race on traces recorded to the end: in each round whoever is to be measured is shown one window more."""
    shown = [min(window, len(trace.samples_ms)) for trace in traces]
    while True:
        entries = [
            Entry(trace.name, trace.samples_ms[:count], trace.group, ended=count == len(trace.samples_ms))
            for trace, count in zip(traces, shown, strict=True)
        ]
        standings = [decision.standing for decision in decide(entries, rules)]
        if Standing.MEASURE not in standings:
            break
        for place, standing in enumerate(standings):
            if standing is Standing.MEASURE:
                shown[place] = min(shown[place] + window, len(traces[place].samples_ms))
    leaders = {group: _place(leader(entries, group, rules), entries) for group in _groups(entries)}
    return Replayed(
        tuple(shown), tuple(standings), {group: place for group, place in leaders.items() if place is not None}
    )


def _groups(entries: Iterable[Entry]) -> list[str]:
    return sorted({entry.group for entry in entries if entry.group})


def _place(wanted: Entry | None, entries: Sequence[Entry]) -> int | None:
    return next((place for place, entry in enumerate(entries) if entry is wanted), None)


def _runner(entry: Entry, rules: Rules) -> _Runner:
    found = entry.verdict(rules.limit_ms)
    compared = entry.compared_ms
    middle = median(compared) if compared else float("inf")
    return _Runner(entry, found.outcome if found else None, middle, median_sequence(compared, DOUBT))


def _leader(runners: Sequence[_Runner], group: str, rules: Rules) -> _Runner | None:
    able = [one for one in runners if one.entry.group == group and one.interval and _may_hold(one, rules)]
    return min(able, key=lambda one: one.median, default=None)


def _may_hold(runner: _Runner, rules: Rules) -> bool:
    """Whether it holds the limit or still can: one that ended undecided must not keep others from the race."""
    if rules.limit_ms is None or runner.outcome is Outcome.PASS:
        return True
    return runner.outcome is Outcome.UNDECIDED and not runner.entry.ended and not _failing(runner.entry, rules)


def _decision(runner: _Runner, runners: Sequence[_Runner], best: _Runner | None, rules: Rules) -> Decision:
    entry, count = runner.entry, len(runner.entry.samples_ms)
    if entry.ended:
        return _ended(runner, best)
    failing = _failing(entry, rules)
    if failing:
        return Decision(Standing.FAILING, failing)
    if runner.outcome is Outcome.FAIL:
        return Decision(Standing.ENOUGH if count >= rules.min_queries else Standing.MEASURE)
    beaten = _beaten(runner, best)
    if beaten:
        return Decision(Standing.BEATEN, beaten)
    # at most a window's share of each window counts here, so that a quick one is seen in several of them
    if len(entry.compared_ms) < rules.min_queries or runner.outcome is Outcome.UNDECIDED:
        return Decision(Standing.MEASURE)
    if best is not None and len(entry.compared_ms) < rules.tie_queries and not _settled(runner, runners, best):
        return Decision(Standing.MEASURE)
    return Decision(Standing.ENOUGH)


def _ended(runner: _Runner, best: _Runner | None) -> Decision:
    beaten = "" if runner.outcome is Outcome.FAIL else _beaten(runner, best)
    return Decision(Standing.BEATEN, beaten) if beaten else Decision(Standing.ENOUGH)


def _failing(entry: Entry, rules: Rules) -> str:
    """Why it clearly misses the limit, empty if it does not."""
    count, limit_ms = len(entry.samples_ms), rules.limit_ms
    if limit_ms is None or not RACE_QUERIES <= count < rules.min_queries:
        return ""
    softer = entry.verdict(limit_ms * RACE_MARGIN)
    if softer is None or softer.outcome is not Outcome.FAIL:
        softer = verdict(entry.samples_ms, limit_ms * LOADED_MARGIN)
    if softer.outcome is not Outcome.FAIL:
        return ""
    above = softer.limit_ms / limit_ms - 1
    return f"{softer.over} of {count} queries missed even {softer.limit_ms:.3g} ms, {above:.0%} above the limit"


def _beaten(runner: _Runner, best: _Runner | None) -> str:
    """By whom, empty if by nobody: the intervals of the medians lie apart."""
    if best is None or best is runner or runner.interval is None or best.interval is None:
        return ""
    apart = 1.0 if len(runner.entry.compared_ms) >= BEATEN_QUERIES else CLEARLY
    if runner.interval[0] <= apart * best.interval[1]:
        return ""
    return f"by {best.entry.name}: {best.median:.3g} ms against {runner.median:.3g} ms"


def _settled(runner: _Runner, runners: Sequence[_Runner], best: _Runner) -> bool:
    """Whether more samples of it could not make the leader worse than a tie.

    The leader is settled when it is slower than no rival by 3 % or more, surely; a rival, when the leader is so
    against it.
    """
    rivals = [
        one
        for one in runners
        if one.entry.group == best.entry.group
        and one is not best
        and one.outcome is not Outcome.FAIL
        and one.interval is not None
    ]
    against = rivals if runner is best else [runner]
    return all(_at_worst_a_tie(best, rival) for rival in against)


def _at_worst_a_tie(best: _Runner, rival: _Runner) -> bool:
    if best.interval is None or rival.interval is None:
        return False
    return best.interval[1] <= TIE * rival.interval[0]
