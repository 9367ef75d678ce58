"""Rows of the profile database as tables: leaderboards, CSV, and what runs on which engine. Knows no database.

All but the CSV, which has every row, look at the newest row of each model, engine, precision, threads and machine.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.profiling.row import BOUND_SCOPES, Row
from edge.report import tables, terminal, words
from edge.workdir import write_atomic

if TYPE_CHECKING:
    from rich.console import Console

ROOMY, COMMON, NARROW = 132, 100, 80
"""Columns of the terminal: from ROOMY on sizes are shown too; below COMMON notes follow the table; below NARROW only
what ranks."""
REASONS_TOLD = 3
UNCERTAIN = 0.03
"""A median that may be further off says so."""
OTHER_ANSWERS = "answers differ from PyTorch's"


@dataclass(frozen=True)
class Entry:
    """One model in its fastest form; no rank if nothing of it ran, or only with other answers than PyTorch's."""

    rank: int | None
    name: str
    row: Row
    notes: str


@dataclass(frozen=True)
class Board:
    """The models of a task on one machine in one power mode with as many threads, timed in one scope."""

    task: str | None
    hardware: str
    power_mode: str
    threads: int
    scope: str | None
    entries: tuple[Entry, ...]


def newest(rows: Iterable[Row]) -> list[Row]:
    """Without those that a later row took the place of."""
    latest: dict[tuple[Any, ...], Row] = {}
    for row in sorted(rows, key=lambda row: row.measured_s):
        latest[row.slot] = row
    return list(latest.values())


def model_names(rows: Iterable[Row]) -> Callable[[Row], str]:
    """Titles, or the whole name where two models share a title."""
    owners = defaultdict(set)
    for row in rows:
        owners[row.subject.title].add(_model(row))

    def name(row: Row) -> str:
        what = row.subject
        return what.title if len(owners[what.title]) == 1 else f"{what.model} {what.width}x{what.height}"

    return name


def best_forms(rows: Iterable[Row]) -> list[Row]:
    """The fastest row of each model by p90, with the answers of PyTorch as far as compared; else the first that is not.

    The bound scope comes first: the network alone is always faster than the whole way, and says less.
    """
    by_model = grouped(rows, _model)
    return [min(forms, key=_preference) for forms in by_model.values()]


def boards(rows: Iterable[Row]) -> list[Board]:
    """Leaderboards of what can be compared; what has no speed follows on the first board of its place."""
    made = []
    for (task, hardware, power_mode, threads), some in grouped(newest(rows), place).items():
        by_scope = grouped(best_forms(some), lambda row: row.scope)
        speechless = by_scope.pop(None, [])
        name = model_names(some)
        for scope in sorted(by_scope, key=BOUND_SCOPES.index) or [None]:
            entries = _entries([*sorted(by_scope.get(scope, []), key=_preference), *speechless], name)
            made.append(Board(task, hardware, power_mode, threads, scope, entries))
            speechless = []
    return sorted(made, key=lambda board: (board.task or "~", board.hardware, board.power_mode, board.threads))


def all_forms(rows: Iterable[Row]) -> list[Board]:
    """Every form of every model, the fastest first, one board per place."""
    made = []
    for (task, hardware, power_mode, threads), some in grouped(newest(rows), place).items():
        entries = _entries(sorted(some, key=_preference), model_names(some))
        scope = next((row.scope for row in some if row.scope), None)
        made.append(Board(task, hardware, power_mode, threads, scope, entries))
    return made


def _entries(rows: Sequence[Row], name: Callable[[Row], str]) -> tuple[Entry, ...]:
    """Ranks for those that count, which come first; the others follow without one."""
    counts = [row.scope is not None and row.parity_holds is not False for row in rows]
    counting = [row for row, it_counts in zip(rows, counts, strict=True) if it_counts]
    rest = [row for row, it_counts in zip(rows, counts, strict=True) if not it_counts]
    ranked = [Entry(rank, name(row), row, notes(row)) for rank, row in enumerate(counting, start=1)]
    return (*ranked, *(Entry(None, name(row), row, notes(row)) for row in rest))


def show(made: Sequence[Board], machines: Mapping[str, Mapping[str, Any]], console: Console | None = None) -> None:
    """The boards on the terminal, by default on stderr. `machines` are the documents by key."""
    from rich.console import Console

    console = console or Console(stderr=True, highlight=False, markup=False, emoji=False)
    if not made:
        console.print("No speeds have been measured yet.")
    for board in made:
        _show(board, machines.get(board.hardware, {}), console)
        console.print()


def _show(board: Board, machine: Mapping[str, Any], console: Console) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    columns = [(head, cell) for head, least, cell in _COLUMNS if console.width >= least]
    console.print(Text(words.printable(board_title(board, machine)), style="bold"))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False,
                  header_style="dim" if console.is_terminal else "")  # fmt: skip
    for head, _ in columns:
        wordy = head in ("model", "engine", "precision", "parity", "notes")
        table.add_column(
            head, justify="left" if wordy else "right", no_wrap=head not in ("model", "notes"), overflow="fold"
        )
    for entry in board.entries:
        table.add_row(*(Text(words.printable(cell(entry)), overflow="fold") for _, cell in columns),
                      style="" if entry.rank else "dim")  # fmt: skip
    console.print(table)
    noted = [f"{entry.name}: {entry.notes}" for entry in board.entries if entry.notes]
    if noted and console.width < COMMON:
        terminal.lines("Noted:", noted, console)


def markdown_text(made: Sequence[Board], machines: Mapping[str, Mapping[str, Any]]) -> str:
    """The boards as Markdown tables."""
    parts = ["# Measured speeds"]
    for board in made:
        parts.append(f"## {markdown(board_title(board, machines.get(board.hardware, {})))}")
        heads = [head for head, _, _ in _COLUMNS]
        lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
        lines += [
            "| " + " | ".join(markdown(words.printable(cell(entry))) for _, _, cell in _COLUMNS) + " |"
            for entry in board.entries
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def board_title(board: Board, machine: Mapping[str, Any]) -> str:
    """ "Object detection on Cortex-A76, power mode 15W: the whole way from image to answer: ..." """
    task = words.TASK_WORDS.get(board.task or "", board.task or "Files")
    scope = f"; {words.SCOPES[board.scope]}" if board.scope else "; nothing could be timed"
    return f"{task} on {machine_name(board.hardware, machine)}{setting(board.power_mode, board.threads)}{scope}"


def setting(power_mode: str, threads: int) -> str:
    """What else decides a speed, as far as it is out of the ordinary: ", power mode 15W, 4 threads"."""
    mode = "" if power_mode == words.UNAVAILABLE else f", power mode {power_mode}"
    return mode + ("" if threads == 1 else f", {words.plural(threads, 'thread')}")


def machine_name(key: str, machine: Mapping[str, Any]) -> str:
    """The part whose speed was measured and the cores, or the key where nothing else is known."""
    if not machine:
        return f"machine {key}"
    cores = machine.get("logical_cores")
    return tables.processor(machine) + (f", {words.plural(int(cores), 'core')}" if cores else "")


def figure(number: float | None, form: str = "{:.1f}") -> str:
    return form.format(number) if number is not None else "-"


_PARITY = {True: "holds", False: "broken", None: "unchecked"}
_COLUMNS: tuple[tuple[str, int, Callable[[Entry], str]], ...] = (
    # head, columns of the terminal it needs, cell
    ("rank", 0, lambda entry: str(entry.rank or "-")),
    ("model", 0, lambda entry: entry.name),
    ("engine", 0, lambda entry: entry.row.key.engine),
    ("precision", 0, lambda entry: entry.row.key.precision),
    ("threads", ROOMY, lambda entry: str(entry.row.key.threads)),
    ("median", ROOMY, lambda entry: words.milliseconds(entry.row.median_ms()) if entry.row.scope else ""),
    ("±", ROOMY, lambda entry: figure(entry.row.uncertainty(), "{:.1%}") if entry.row.scope else ""),
    ("p90", NARROW, lambda entry: words.milliseconds(entry.row.p90_ms()) if entry.row.scope else ""),
    ("fps p90", 0, lambda entry: words.rate(entry.row.fps()).removesuffix(" fps") if entry.row.scope else "none"),
    ("parameters", ROOMY, lambda entry: words.amount(entry.row.subject.parameters)),
    ("FLOPs", ROOMY, lambda entry: words.amount(entry.row.subject.flops)),
    ("quoted", 0, lambda entry: figure(entry.row.subject.quoted_quality)),
    ("parity", COMMON, lambda entry: _PARITY[entry.row.parity_holds]),
    ("notes", COMMON, lambda entry: entry.notes),
)


def csv_text(rows: Iterable[Row]) -> str:
    """Every row, one line each, plain numbers, empty cells where there is nothing; no row, no text."""
    file = io.StringIO()
    lines = [_csv_line(row) for row in rows]
    if not lines:
        return ""
    writer = csv.DictWriter(file, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return file.getvalue()


def write_csv(rows: Iterable[Row], file: Path) -> None:
    """The same into a file that is whole or not there. Raises StorageError."""
    write_atomic(file, csv_text(rows).encode())


def _csv_line(row: Row) -> dict[str, Any]:
    key, what, figures, profile = row.key, row.subject, row.summary(), row.profile
    return {
        "task": what.task, "model": what.model, "title": what.title, "family": what.family, "toolbox": what.toolbox,
        "width": what.width, "height": what.height,
        "engine": key.engine, "engine_version": key.engine_version, "precision": key.precision, "threads": key.threads,
        "state": row.state, "scope": row.scope, "queries": figures and figures.n,
        "median_ms": figures and figures.median, "uncertainty": row.uncertainty(),
        "p90_ms": figures and figures.p90, "p99_ms": figures and figures.p99,
        "fps_p90": figures and figures.fps_p90,
        "parameters": what.parameters, "flops": what.flops, "model_bytes": row.model_bytes,
        "peak_rss_mb": profile and profile.peak_rss_mb,
        "quoted_quality": what.quoted_quality, "quality_source": what.quality_source,
        "published_ms": what.published_ms, "published_on": what.published_on,
        "published_at": what.published_at,
        "parity_holds": row.parity_holds, "parity": json.dumps(row.parity, sort_keys=True),
        "stable": profile and profile.stable, "disturbed": profile and row.disturbed,
        "reason": words.printable(row.reason),
        "measured_at": row.measured_at, "run": row.run, "hardware": key.hardware, "power_mode": key.power_mode,
        "artefact_sha256": key.artefact_sha256, "versions": json.dumps(row.versions, sort_keys=True),
    }  # fmt: skip


def support_table(rows: Iterable[Row]) -> str:
    """Markdown: engine and precision by task, how many models were measured, and below it why others were not."""
    latest = newest(rows)
    if not latest:
        return "Nothing has been measured yet.\n"
    by_cell = grouped(latest, lambda row: (row.key.engine, row.key.precision, row.subject.task or ""))
    forms = sorted({cell[:2] for cell in by_cell})
    tasks = sorted({cell[2] for cell in by_cell}, key=lambda task: (not task, task))
    heads = [words.TASK_WORDS.get(task, task) or "Files" for task in tasks]
    lines = [f"| Engine | Precision | {' | '.join(heads)} |", "|---|---|" + "---|" * len(tasks)]
    whys = []
    for engine, precision in forms:
        cells = []
        for task, head in zip(tasks, heads, strict=True):
            cell, why = _support(by_cell.get((engine, precision, task), []))
            cells.append(cell)
            whys += [f"- {words.ENGINES.get(engine, engine)} {precision}, {head.lower()}: {line}" for line in why]
        lines.append(f"| {words.ENGINES.get(engine, engine)} | {precision} | {' | '.join(cells)} |")
    return "\n".join([*lines, *(["", "Why not:", "", *whys] if whys else [])]) + "\n"


def _support(rows: Sequence[Row]) -> tuple[str, list[str]]:
    """A cell, and the reasons behind it, most frequent first."""
    if not rows:
        return "not tried", []
    name = model_names(rows)
    measured = {_model(row) for row in rows if row.state == "measured"}
    differing = {_model(row) for row in rows if row.state == "measured" and row.parity_holds is False}
    failed = {_model(row): row for row in rows if _model(row) not in measured}
    reasons = Counter(row.reason for row in failed.values())
    parts = [f"measured {words.plural(len(measured), 'model')}"] if measured else []
    parts += [f"{len(differing)} with other answers"] if differing else []
    parts += (
        [f"{len(failed)} failed" if measured else f"none of {words.plural(len(failed), 'model')}"] if failed else []
    )
    why = []
    for reason, count in reasons.most_common(REASONS_TOLD):
        example = next(name(row) for row in failed.values() if row.reason == reason)
        why.append(f"{markdown(reason)} ({words.plural(count, 'model')}, such as {markdown(example)})")
    if len(reasons) > REASONS_TOLD:
        why.append(f"{words.plural(len(reasons) - REASONS_TOLD, 'other reason')}")
    return ", ".join(parts), why


def _model(row: Row) -> tuple[Any, ...]:
    return row.slot[:6]


def place(row: Row) -> tuple[str | None, str, str, int]:
    """What two speeds must share to be compared: task, machine, power mode, threads."""
    return row.subject.task, row.key.hardware, row.key.power_mode, row.key.threads


def _preference(row: Row) -> tuple[bool, bool, int, float, str]:
    scope, p90_ms = row.scope, row.p90_ms()
    if scope is None or p90_ms is None:
        return True, True, 0, 0.0, row.key.engine
    return False, row.parity_holds is False, BOUND_SCOPES.index(scope), p90_ms, row.subject.title


def notes(row: Row) -> str:
    notes = [row.reason] if row.state == "failed" else []
    if row.state == "measured" and row.scope is None:
        notes.append("neither the whole way nor the network with its transfers was timed")
    if row.state == "measured" and row.profile is not None and not row.profile.stable:
        notes.append("unstable")
    notes += ["disturbed"] if row.disturbed else []
    uncertain = row.uncertainty()
    notes += [f"median ± {uncertain:.0%}"] if uncertain is not None and uncertain > UNCERTAIN else []
    notes += [OTHER_ANSWERS] if row.parity_holds is False else []
    return "; ".join(notes)


def grouped(rows: Iterable[Row], key: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    groups: defaultdict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return dict(groups)


def markdown(text: str) -> str:
    return words.printable(text).replace("|", "\\|").replace("<", "&lt;")
