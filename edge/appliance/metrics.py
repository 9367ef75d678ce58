"""What a monitoring system wants to know, in Prometheus' text format: for /metrics, and as a file that node_exporter
collects.

Read from the spool alone, so that every process says the same. Labels have few values, all known beforehand.

Source of the format: prometheus.io/docs/instrumenting/exposition_formats
"""

from __future__ import annotations

import platform
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from edge import __version__
from edge.appliance.announce import FOLDER
from edge.appliance.arrivals import passing
from edge.appliance.disk import free_bytes, replace_text
from edge.appliance.ledger import read_ledger
from edge.appliance.limits import Limits
from edge.appliance.log import WARNING, Log
from edge.appliance.overview import read_overview
from edge.appliance.spool import Spool
from edge.appliance.status import Status, carried_on, read_status
from edge.workdir import STEPS

EVERY_S = 15.0  # Prometheus' usual distance between two looks
STATES = ("working", "idle", "paused", "stopped")
STAGES = ("starting", *STEPS)
KIND = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Metric:
    """One name with all its values; the key of a value is its labels."""

    name: str
    kind: str  # gauge or counter
    words: str
    values: dict[tuple[tuple[str, str], ...], float] = field(default_factory=dict)

    def lines(self) -> Iterable[str]:
        yield f"# HELP {self.name} {self.words}"
        yield f"# TYPE {self.name} {self.kind}"
        for labels, value in self.values.items():
            told = ",".join(f'{name}="{_escaped(word)}"' for name, word in labels)
            yield f"{self.name}{'{' + told + '}' if told else ''} {_number(value)}"


def metrics(spool: Spool) -> str:
    """All of them; what has no value now is left out."""
    return "".join(f"{line}\n" for metric in _metrics(spool) if metric.values for line in metric.lines())


def _metrics(spool: Spool) -> list[Metric]:
    overview, ledger = read_overview(spool), read_ledger(spool)
    open_ones = len(spool.ids(spool.work))
    folder = spool.work / overview.running
    told = read_status(folder) if overview.running else None
    running = carried_on(told, folder) if told else None
    held = {
        "arriving": sum(not passing(path.name) for path in spool.incoming.iterdir()),
        "queued": max(0, open_ones - bool(overview.running)),
        "running": int(bool(overview.running)),
        **{place.name: len(spool.ids(place)) for place in spool.ends()},
    }
    waiting = len(list((spool.root / FOLDER).glob("[!.]*.json")))
    return [
        Metric("edge_build_info", "gauge", "Always 1; the version is a label.", {_build(): 1}),
        Metric("edge_watcher_state", "gauge", "1 for what it does now.", _one_of("state", STATES, overview.state)),
        Metric("edge_requests", "gauge", "Requests in the spool by state.", _by("state", held)),
        Metric("edge_requests_finished_total", "counter", "Requests that ended.", _by("outcome", ledger.finished)),
        Metric("edge_last_finished_timestamp_seconds", "gauge", "The latest end.", _alone(ledger.last or None)),
        *_of_job(running),
        Metric("edge_disk_free_bytes", "gauge", "Room on the spool's disk.", _alone(free_bytes(spool.root))),
        Metric("edge_notifications_total", "counter", "Notifications by how they ended.", _by("outcome", ledger.told)),
        Metric("edge_notifications_waiting", "gauge", "Notifications not delivered yet.", _alone(waiting)),
    ]  # fmt: skip


def _of_job(running: Status | None) -> list[Metric]:
    if running is None:
        return []
    stage = running.stage if running.stage in STEPS else STAGES[0]
    return [
        Metric("edge_job_stage", "gauge", "1 for the stage of the job that runs.", _one_of("stage", STAGES, stage)),
        Metric("edge_job_stage_seconds", "gauge", "How long that stage has lasted.", _alone(running.stage_s)),
        Metric("edge_job_seconds", "gauge", "How long the job has worked.", _alone(running.spent_s)),
        Metric("edge_job_budget_seconds", "gauge", "How long the job may work.", _alone(running.budget_s)),
        Metric("edge_job_attempts", "gauge", "Attempts at the job, this one included.", _alone(running.attempts)),
    ]  # fmt: skip


class MetricsFile:
    """Keeps the file up to date; node_exporter takes names that end in .prom."""

    def __init__(self, spool: Spool, limits: Limits, log: Log) -> None:
        self._spool, self._path, self._log = spool, limits.metrics, log
        self._told = ""
        self._due_s = float("-inf")

    def open(self) -> None:
        pass

    def use(self, limits: Limits) -> None:
        self._path = limits.metrics
        self._due_s = float("-inf")

    def busy(self) -> bool:
        return False

    def descriptors(self) -> tuple[int, ...]:
        return ()

    def turn(self, now_s: float) -> float:
        if self._path is None:
            return float("inf")
        if now_s >= self._due_s:
            self._due_s = now_s + EVERY_S
            self._write(self._path)
        return self._due_s

    def close(self) -> None:
        """The last thing it says is that nobody watches any more."""
        if self._path is not None:
            self._write(self._path)

    def _write(self, path: Path) -> None:
        try:
            replace_text(path, metrics(self._spool))
            path.chmod(0o644)  # node_exporter runs as a user of its own
        except OSError as error:
            self._tell(f"the metrics cannot be written: {error}")
        else:
            self._tell("")

    def _tell(self, why: str) -> None:
        if why and why != self._told:
            self._log(why, WARNING)
        self._told = why


Values = dict[tuple[tuple[str, str], ...], float]


def _build() -> tuple[tuple[str, str], ...]:
    return (("version", __version__), ("python", platform.python_version()))


def _one_of(label: str, words: Iterable[str], now: str) -> Values:
    return {((label, word),): float(word == now) for word in words}


def _by(label: str, counts: dict[str, int]) -> Values:
    return {((label, word.replace(" ", "_")),): float(count) for word, count in counts.items()}


def _alone(value: float | None) -> Values:
    return {} if value is None else {(): float(value)}


def _number(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() else repr(value)


def _escaped(word: str) -> str:
    return word.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
