"""Faces as WIDER FACE publishes them: a text file per part with a name, a number and so many boxes for each image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from zoo.datasets.card import split_called
from zoo.datasets.common import is_there, read_lines
from zoo.datasets.described import TASKS, Described, Images, Named, assemble, within
from zoo.datasets.mending import Mending
from zoo.datasets.record import Dataset

__all__ = ["LOOKED_FOR", "NAME", "TASKS", "looks_like", "read"]

NAME = "widerface"
LOOKED_FOR = "WIDER FACE's wider_face_split/wider_face_train_bbx_gt.txt beside WIDER_train/images/"
PARTS = ("train", "val")
"""The boxes of the test images are not published."""
CLASS = "face"
INVALID = 7
"""The column that is 1 for a face the makers do not count: too small, or no face."""


def looks_like(root: Path) -> bool:
    """Whether a list of boxes is there."""
    return any(True for _ in _lists(root))


def read(root: Path, task: str | None = None) -> Dataset:
    """Every image of the lists; a face that is called invalid is neither learned nor scored.

    All faults of all lists are collected before AnnotationError is raised.
    """
    faults: list[str] = []
    described: list[Described] = []
    mending = Mending()
    for part, path in _lists(root):
        top = root / f"WIDER_{part}" / "images"
        where = path.relative_to(root).as_posix()
        for name, lines in _images(path, where, faults):
            faces: list[Named] = []
            for line in lines:
                try:
                    faces.append(_face(line))
                except (ValueError, IndexError) as error:
                    faults.append(f"{where}: of {name} a line cannot be read ({error})")
            if is_there(top / name):
                described.append(within(Described(top / name, None, split_called(part), tuple(faces)), mending))
            else:
                faults.append(f"{where}: there is no {(top / name).relative_to(root).as_posix()}")
    found = assemble(NAME, root, described, faults, Images(root), LOOKED_FOR)
    return replace(found, notes=found.notes + mending.notes)


def _lists(root: Path) -> Iterator[tuple[str, Path]]:
    for part in PARTS:
        path = root / "wider_face_split" / f"wider_face_{part}_bbx_gt.txt"
        if is_there(path):
            yield part, path


def _images(path: Path, where: str, faults: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Each image with its lines."""
    lines = [line for line in read_lines(path) if line]
    place = 0
    while place < len(lines):
        name, count = lines[place], lines[place + 1] if place + 1 < len(lines) else ""
        if not count.isdigit():
            faults.append(f"{where}: behind {name} stands {count!r}, not a number of boxes")
            return
        # an image without a face has a line of zeros all the same
        behind = max(int(count), 1)
        yield name, lines[place + 2 : place + 2 + int(count)]
        place += 2 + behind


def _face(line: str) -> Named:
    numbers = [int(word) for word in line.split()]
    x, y, w, h = numbers[:4]
    return Named(CLASS, x, y, w, h, difficult=numbers[INVALID] == 1)
