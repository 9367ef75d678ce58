"""Boxes as Open Images publishes them: tables of boxes in shares of the image, and one with the names of the classes.

Whatever part of the images is here is read: nobody has all of them. Of an image nothing is said but of the classes that
were verified in it: what has no box may still be there.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from zoo.datasets.card import cards, classes_of
from zoo.datasets.common import files_below, head, is_image, notes_about, shown_size, split_in, split_of
from zoo.datasets.described import TASKS, Described, Images, Named, assemble
from zoo.datasets.record import Dataset
from zoo.errors import listed

__all__ = ["LOOKED_FOR", "NAME", "TASKS", "looks_like", "read"]

NAME = "openimages"
LOOKED_FOR = (
    "Open Images' tables of boxes, such as oidv6-train-annotations-bbox.csv, and class-descriptions-boxable.csv"
)
COLUMNS = ("ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax")


def looks_like(root: Path) -> bool:
    """Whether a table of boxes is there."""
    return any(True for _ in _tables(root))


def read(root: Path, task: str | None = None) -> Dataset:
    """Every image that is here and has a box; a box around a group is neither learned nor scored.

    All faults of all tables are collected before AnnotationError is raised.
    """
    images = Images(root)
    paths = {path.stem: path for path in images.paths}
    names, faults = _names(root), list[str]()
    if not names:
        faults.append("there is no table with the names of the classes, class-descriptions-boxable.csv")
    objects: dict[str, list[Named]] = {}
    splits: dict[str, str | None] = {}
    sizes: dict[str, tuple[int, int]] = {}
    elsewhere = 0
    for table in _tables(root) if names else ():
        split = split_in(table.stem) or split_of(root, table)
        for number, row in _rows(table):
            try:
                image, named = _box(row, names, paths, sizes)
            except (ValueError, KeyError, TypeError) as error:
                faults.append(f"{table.relative_to(root).as_posix()}, line {number}: {error}")
                continue
            if image is None or named is None:
                elsewhere += 1
            else:
                objects.setdefault(image, []).append(named)
                splits[image] = split
    described = [Described(paths[image], sizes[image], splits[image], tuple(some)) for image, some in objects.items()]
    found = assemble(NAME, root, described, faults, images, LOOKED_FOR, _order(names))
    note = f"{elsewhere} box(es) are of images that are not here, or cannot be opened" if elsewhere else ""
    return replace(found, notes=found.notes + notes_about(0, note))


def _tables(root: Path) -> Iterator[Path]:
    for path in _csv(root):
        columns = head(path, 400).decode("utf-8-sig", "replace").partition("\n")[0].strip().split(",")
        if set(COLUMNS) <= set(columns):
            yield path


def _csv(root: Path) -> list[Path]:
    return sorted(path for path in files_below(root) if path.suffix.lower() == ".csv" and not is_image(path))


def _names(root: Path) -> dict[str, str]:
    """Class names by Freebase id, from the first table of two columns that has such ids."""
    for path in _csv(root):
        start = head(path, 400).decode("utf-8-sig", "replace").splitlines()
        if any(re.match(r"/[mg]/\w+,[^,]+$|/[mg]/\w+,\"", line) for line in start[:2]):
            with path.open(encoding="utf-8-sig", newline="") as file:
                return {row[0]: row[1].strip() for row in csv.reader(file) if len(row) == 2 and row[0].startswith("/")}
    return {}


def _order(names: dict[str, str]) -> Sequence[str]:
    """The card's order; a name that it lacks comes last."""
    known = classes_of(cards()["openimages"])
    return (*known, *(name for name in dict.fromkeys(names.values()) if name not in known))


def _rows(table: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with table.open(encoding="utf-8-sig", newline="") as file:
        yield from enumerate(csv.DictReader(file), start=2)


def _box(
    row: dict[str, Any], names: dict[str, str], paths: dict[str, Path], sizes: dict[str, tuple[int, int]]
) -> tuple[str | None, Named | None]:
    """The image and the box in pixels; neither where the image is not here, or cannot be opened.

    Raises:
        ValueError: with what is wrong.
    """
    image = row["ImageID"]
    if image not in paths:
        return None, None
    if row["LabelName"] not in names:
        raise ValueError(f"{row['LabelName']} has no name")
    left, right, top, bottom = (float(row[side]) for side in COLUMNS[2:])
    outside = [share for share in (left, right, top, bottom) if not -0.01 <= share <= 1.01]
    if outside:
        raise ValueError(f"{listed(outside)} is no share of the image")
    if image not in sizes:
        try:
            sizes[image] = shown_size(paths[image])
        except (OSError, ValueError, SyntaxError):
            return None, None
    width, height = sizes[image]
    crowd = row.get("IsGroupOf") == "1"
    name = names[row["LabelName"]]
    return image, Named(name, left * width, top * height, (right - left) * width, (bottom - top) * height, crowd)
