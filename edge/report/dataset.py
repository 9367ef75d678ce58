"""What a data set holds and what is wrong with it, on the terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edge.report import terminal, words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from edge.registry import Registered
    from zoo.datasets.check import Checked
    from zoo.datasets.overview import Overview
    from zoo.datasets.public import Found, PublicSet

SHOWN = 20
"""Bad images and twins that are named; --json has all."""


def show(checked: Checked, told: Overview, console: Console | None = None) -> None:
    """Facts, classes, then what is wrong."""
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
        terminal.plain(
            {"class": False, "images": True, "objects": True, "": False},
            [(one.name, f"{one.images:,}", f"{one.objects:,}", "rare" if one.rare else "") for one in told.classes],
            console,
        )
    else:
        print(f"{'classes':<11} {words.printable(', '.join(dataset.classes))}", file=sys.stderr)
    _list("Pictures that lie in two parts, which `edge produce` takes out of training:",
          [" = ".join(twin) for twin in told.twins], console)  # fmt: skip
    many = f"{len(told.alike)} pictures" if len(told.alike) > 1 else "1 picture"
    many += " of a held-out part " + ("look" if len(told.alike) > 1 else "looks")
    _list(f"{many} like one of another, which `edge produce` leaves in:",
          [f"{one.image} ~ {one.other} (correlation {one.correlation:.3f})" for one in told.alike],
          console)  # fmt: skip
    _list("Images that cannot be used:", [f"{dataset.relative(bad.path)} {bad.reason}" for bad in checked.bad], console)


def known(here: Mapping[str, Registered], public: Mapping[str, tuple[PublicSet, Found]], place: Path) -> None:
    """The data sets that can be used, then the public ones that are there in part, then those that could be."""
    rows = [
        (
            one.name,
            " or ".join(one.tasks),
            f"{sum(one.images.values()):,}" if one.images else "not counted",
            f"{len(one.classes):,}",
            one.root if Path(one.root).is_dir() else f"{one.root} (gone)",
        )
        for one in here.values()
    ]
    if rows:
        terminal.plain({"data set": False, "task": False, "images": True, "classes": True, "folder": False}, rows)
    else:
        print("No data set is registered: edge zoo add NAME DIR.", file=sys.stderr)
    parts = [
        f"{name}: in {found.root} is not {', '.join(paths)}, so it is not used for {task}"
        for name, (_, found) in public.items()
        if found.there
        for task, paths in found.missing.items()
        if paths
    ]
    if parts:
        terminal.lines("Public data sets that are not all there:", parts)
    missing = [
        f"{name}: {card.title}, for {' or '.join(card.tasks)}; {card.licence}; {card.home}"
        + (f". {card.note}" if card.note else "")
        for name, (card, found) in public.items()
        if not found.there
    ]
    terminal.lines(f"Public data sets that would be found in {place}, each in a folder of its name:", missing)


def _list(title: str, items: list[str], console: Console | None) -> None:
    if items:
        more = [f"and {len(items) - SHOWN} more"] if len(items) > SHOWN else []
        terminal.lines(title, [*items[:SHOWN], *more], console)


def _sizes(told: Overview) -> str:
    assert told.sizes is not None
    least, middle, most = (words.times(*size) for size in told.sizes)
    return least if least == most else f"{least} to {most} pixels, the middle one {middle}"
