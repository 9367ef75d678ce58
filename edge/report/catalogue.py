"""What the toolboxes publish of their models, on the terminal. Everything is quoted, nothing measured."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from edge.report import terminal, words

if TYPE_CHECKING:
    from rich.console import Console

    from zoo.models.catalogue import Entry, Result

FIGURES = ("Top 1 Accuracy", "box AP", "mask AP", "mIoU", "mDice", "AP", "Whole AP", "PCK@0.2", "NME", "AUC")
"""Those that tell most, the first that an entry has is shown."""


def table(entries: Sequence[Entry], faults: Mapping[str, Sequence[str]], console: Console | None = None) -> None:
    """A line each, with the faults below where there are any."""
    terminal.plain(
        {"model": False, "task": False, "parameters": True, "FLOPs": True, "quoted": False},
        [
            (
                entry.name,
                ", ".join(entry.tasks) or "-",
                words.amount(entry.parameters) if entry.parameters else "-",
                words.amount(entry.flops) if entry.flops else "-",
                quoted(entry.results[0]) if entry.results else "-",
            )
            for entry in entries
        ],
        console,
    )
    wrong = [f"{entry.name}: {fault}" for entry in entries for fault in faults.get(entry.name, ())]
    if wrong:
        terminal.lines("What is wrong:", wrong, console)


def whole(entry: Entry, faults: Sequence[str]) -> None:
    """All of one entry."""
    facts = [
        ("model", entry.name),
        ("family", entry.family),
        ("toolbox", entry.toolbox),
        ("tasks", ", ".join(entry.tasks)),
        ("parameters", words.amount(entry.parameters) if entry.parameters else "not published"),
        ("FLOPs", words.amount(entry.flops) if entry.flops else "not published"),
        *(("quoted", f"{result.task} on {result.dataset}: {_figures(result)}") for result in entry.results),
        ("config", entry.config),
        ("checkpoint", entry.weights or "not published"),
        *(("wrong", fault) for fault in faults),
    ]
    for head, value in facts:
        print(f"{head:<11} {words.printable(value)}", file=sys.stderr)


def quoted(result: Result) -> str:
    """ "box AP 40.9 (COCO)"; the metafile's own figure, in percent or not."""
    name = next((name for name in FIGURES if name in result.metrics), next(iter(result.metrics), None))
    return f"{name} {result.metrics[name]:g} ({result.dataset})" if name is not None else result.dataset


def _figures(result: Result) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in result.metrics.items()) or "no figure"
