"""Detection as public sets lay it out: a line of text per box, as the cards say under `lines`. Knows no set by name.

`image` and `labels` are where an image and its lines lie, with {split} and {name}; without {name} one file has the
lines of a whole part, and the column `named` says of which image. Columns count from 0: `class`, and `corners` (left,
top, right, bottom) or `box` (left, top, width, height) in pixels. `values` gives the class of each number where a class
is a number; a box of a class that is left out there, or stands in `ignored`, is told to nobody.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

from zoo.datasets.card import cards, classes_of, matching, split_called
from zoo.datasets.common import is_there, notes_about, read_lines
from zoo.datasets.described import TASKS, Described, Images, Named, assemble, within
from zoo.datasets.mending import Mending
from zoo.datasets.record import Dataset
from zoo.errors import listed

__all__ = ["LOOKED_FOR", "NAME", "TASKS", "looks_like", "read"]

NAME = "boxlines"
LOOKED_FOR = "text with a line per box, laid out as a public data set lays it out (docs/PUBLIC_DATASETS.md)"

Lines = list[tuple[int, list[str]]]
"""Numbered lines, each in its columns."""


@dataclass(frozen=True)
class Layout:
    """How one public set lies on disk; `classes` are the card's, in its order."""

    card: str
    image: str
    labels: str
    parts: tuple[str, ...]
    separator: str | None
    named: int | None
    label: int
    corners: tuple[int, ...]
    box: tuple[int, ...]
    values: tuple[str | None, ...]
    ignored: frozenset[str]
    classes: tuple[str, ...]


def looks_like(root: Path) -> bool:
    """Whether images and lines lie as in one of the layouts."""
    return any(True for _ in _here(root))


def read(root: Path, task: str | None = None) -> Dataset:
    """Every image that has lines, or an empty file for them.

    All faults of all files are collected before AnnotationError is raised.
    """
    layout = next(_here(root))
    faults: list[str] = []
    described: list[Described] = []
    mending = Mending()
    left_out = 0
    for part in layout.parts:
        for image, path, lines in _files(root, layout, part, faults):
            objects = []
            for number, line in lines:
                try:
                    named = _named(line, layout)
                except (ValueError, IndexError) as error:
                    faults.append(f"{path.relative_to(root).as_posix()}, line {number}: {error}")
                    continue
                objects += [named] if named else []
                left_out += named is None
            described.append(within(Described(image, None, split_called(part), tuple(objects)), mending))
    found = assemble(NAME, root, described, faults, Images(root), LOOKED_FOR, layout.classes)
    ignored = f"{left_out} box(es) that the set says to ignore were left out" if left_out else ""
    return replace(found, notes=found.notes + notes_about(0, f"laid out as {layout.card}", ignored, *mending.notes))


def _layouts() -> Iterator[Layout]:
    for name, card in cards().items():
        if "lines" in card:
            stated: Mapping[str, Any] = card["lines"]
            yield Layout(
                card=name,
                image=stated["image"],
                labels=stated["labels"],
                parts=tuple(stated.get("parts", ("",))),
                separator=stated.get("separator"),
                named=stated.get("named"),
                label=stated["class"],
                corners=tuple(stated.get("corners", ())),
                box=tuple(stated.get("box", ())),
                values=tuple(stated.get("values", ())),
                ignored=frozenset(stated.get("ignored", ())),
                classes=classes_of(card),
            )


def _here(root: Path) -> Iterator[Layout]:
    for layout in _layouts():
        if any(_has_lines(root, layout, part) and any(matching(root, layout.image, part)) for part in layout.parts):
            yield layout


def _has_lines(root: Path, layout: Layout, part: str) -> bool:
    if layout.named is not None:
        return is_there(root / layout.labels.replace("{split}", part))
    return any(True for _ in matching(root, layout.labels, part))


def _files(root: Path, layout: Layout, part: str, faults: list[str]) -> Iterator[tuple[Path, Path, Lines]]:
    """Each image with the file its lines come from, and the numbered lines."""
    images = dict(matching(root, layout.image, part))
    if layout.named is not None:
        yield from _together(root, layout, part, images, faults)
        return
    labels = dict(sorted(matching(root, layout.labels, part)))
    stray = [path for name, path in labels.items() if name not in images]
    if stray:
        faults.append(
            f"{len(stray)} file(s) have no image: {listed(path.relative_to(root).as_posix() for path in stray)}"
        )
    for name, path in labels.items():
        if name in images:
            yield images[name], path, list(_lines(path, layout))


def _together(
    root: Path, layout: Layout, part: str, images: Mapping[str, Path], faults: list[str]
) -> Iterator[tuple[Path, Path, Lines]]:
    path = root / layout.labels.replace("{split}", part)
    if not is_there(path):
        return
    assert layout.named is not None
    lines: dict[str, Lines] = {}
    for number, line in _lines(path, layout):
        lines.setdefault(line[layout.named], []).append((number, line))
    gone = [name for name in lines if name not in images]
    if gone:
        faults.append(
            f"{path.relative_to(root).as_posix()}: {len(gone)} image(s) are not there, the first is {gone[0]}"
        )
    for name, some in lines.items():
        if name in images:
            yield images[name], path, some


def _lines(path: Path, layout: Layout) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(read_lines(path), start=1):
        if line and layout.separator is None:
            yield number, line.split()
        elif line:
            yield (
                number,
                [cell.strip() for cell in next(csv.reader(io.StringIO(line), delimiter=layout.separator or ","))],
            )


def _named(line: Sequence[str], layout: Layout) -> Named | None:
    """The box; None for one that the set says to ignore. Raises ValueError or IndexError."""
    if len(line) <= max((layout.label, *layout.corners, *layout.box)):
        raise ValueError(f"{len(line)} columns are too few")
    label: str | None = line[layout.label]
    if layout.values:
        if not str(label).isdigit() or int(str(label)) >= len(layout.values):
            raise ValueError(f"class {label} is none of 0 to {len(layout.values) - 1}")
        label = layout.values[int(str(label))]
    if label is None or label in layout.ignored:
        return None
    if label not in layout.classes:
        raise ValueError(f"{label!r} is no class of {layout.card}")
    one, two, three, four = (float(line[column]) for column in layout.corners or layout.box)
    if not all(map(isfinite, (one, two, three, four))):
        raise ValueError("a number is not finite")
    return Named(label, one, two, three - one, four - two) if layout.corners else Named(label, one, two, three, four)
