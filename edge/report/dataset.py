"""What a data set holds and what is wrong with it, on the terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from edge.report import terminal, words

if TYPE_CHECKING:
    from rich.console import Console

    from zoo.datasets.check import Checked
    from zoo.datasets.overview import Overview

SHOWN = 20
"""Bad images and twins that are named; --json has all."""


def show(checked: Checked, told: Overview, console: Console | None = None) -> None:
    """Facts, classes, then what is wrong."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = console or Console(stderr=True, highlight=False, markup=False, emoji=False)
    dataset = checked.dataset
    facts = [
        ("format", f"{dataset.format}, for {' or '.join(dataset.tasks)}"),
        ("images", ", ".join(f"{count} {part}" for part, count in sorted(told.parts.items())) or "none"),
        *([("size", _sizes(told))] if told.sizes else []),
        *([("unlabelled", f"{told.unlabelled} images")] if told.unlabelled else []),
        *([("duplicates", f"{told.duplicates} images have the same content as another")] if told.duplicates else []),
        *(("note", note) for note in dataset.notes),
    ]
    for head, value in facts:
        print(f"{head:<11} {words.printable(value)}", file=sys.stderr)
    if told.classes:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
        for head in ("class", "images", "objects", ""):
            table.add_column(head, justify="right" if head in ("images", "objects") else "left", overflow="fold")
        for one in told.classes:
            cells = (one.name, f"{one.images:,}", f"{one.objects:,}", "rare" if one.rare else "")
            table.add_row(*(Text(words.printable(cell), overflow="fold") for cell in cells))
        console.print(table)
    else:
        print(f"{'classes':<11} {words.printable(', '.join(dataset.classes))}", file=sys.stderr)
    _list("Pictures that lie in two parts, which `edge produce` takes out of training:",
          [" = ".join(twin) for twin in told.twins], console)  # fmt: skip
    _list("Images that cannot be used:", [f"{dataset.relative(bad.path)} {bad.reason}" for bad in checked.bad], console)


def _list(title: str, items: list[str], console: Console) -> None:
    if items:
        more = [f"and {len(items) - SHOWN} more"] if len(items) > SHOWN else []
        terminal.lines(title, [*items[:SHOWN], *more], console)


def _sizes(told: Overview) -> str:
    assert told.sizes is not None
    least, middle, most = (words.times(*size) for size in told.sizes)
    return least if least == most else f"{least} to {most} pixels, the middle one {middle}"
