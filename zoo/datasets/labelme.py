"""Boxes from LabelMe's JSON, one file per image. Of polygons, circles and masks the boxes are kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from zoo.datasets.common import head, is_hidden, read_json, split_of
from zoo.datasets.described import TASKS, Described, Images, Named, assemble
from zoo.datasets.record import Dataset

__all__ = ["LOOKED_FOR", "NAME", "TASKS", "looks_like", "read"]

NAME = "labelme"
LOOKED_FOR = "LabelMe JSON files with shapes and imagePath, beside the images or below the folder"
LOOKED_AT = 20
"""Files that may be of something else before one of LabelMe's comes."""

MOST_BYTES = 64 << 20
"""Of a file with its picture in it."""

FLAT = frozenset({"line", "linestrip", "point", "points"})
"""Shapes without an area."""


def looks_like(root: Path) -> bool:
    """Whether one of the first JSON files below the folder is LabelMe's."""
    return any(_is_ours(path) for path in islice(_files(root), LOOKED_AT))


def read(root: Path, task: str | None = None) -> Dataset:
    """Every image that a JSON file describes. All faults are collected before AnnotationError is raised."""
    images, faults, described = Images(root), list[str](), list[Described]()
    stems = {path.stem for path in images.paths}
    for file in _files(root):
        try:
            if not _is_ours(file):
                if file.stem in stems:
                    read_json(file)  # what is called as an image is and cannot be read was once about it
                continue
            document = _load(file)
            size = document.get("imageWidth"), document.get("imageHeight")
            image = images.called(*_beside(root, file, document), stem=file.stem)
            objects = tuple(_object(number, shape) for number, shape in enumerate(document["shapes"], start=1))
        except (ValueError, OSError) as error:
            faults.append(f"{file.relative_to(root).as_posix()}: {error}")
            continue
        known = (size[0], size[1]) if all(isinstance(side, int) and side > 0 for side in size) else None
        described.append(Described(image, known, split_of(root, image), objects))  # type: ignore[arg-type]
    return assemble(NAME, root, described, faults, images, LOOKED_FOR)


def _files(root: Path) -> Iterator[Path]:
    """Those that are files, and no settings of an editor."""
    for path in sorted(root.rglob("*.json")):
        if path.is_file() and not any(is_hidden(Path(part)) for part in path.relative_to(root).parts):
            yield path


def _is_ours(file: Path) -> bool:
    # the picture itself may stand before the shapes, as text of any length
    text = head(file, MOST_BYTES)
    return b'"shapes"' in text and b'"imagePath"' in text


def _beside(root: Path, file: Path, document: dict[str, Any]) -> list[str]:
    """imagePath as seen from the JSON file, below the root."""
    stated = document.get("imagePath")
    if not isinstance(stated, str) or not stated:
        return []
    path = Path(os.path.normpath(file.parent / stated.replace("\\", "/")))
    below = [path.relative_to(root).as_posix()] if path.is_relative_to(root) else []
    return [*below, stated]


def _load(file: Path) -> dict[str, Any]:
    document = read_json(file)
    if not isinstance(document, dict) or not isinstance(document.get("shapes"), list):
        raise ValueError("it has no list of shapes")
    return document


def _object(number: int, shape: Any) -> Named:
    name = shape.get("label") if isinstance(shape, dict) else None
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"shape {number} has no label")
    kind = str(shape.get("shape_type") or "polygon")
    if kind in FLAT:
        raise ValueError(f"shape {number} ({name}) is a {kind}, which has no box")
    try:
        points = [(float(x), float(y)) for x, y in shape["points"]]
        if kind == "circle":  # the middle, and a point on the rim
            (x, y), rim = points
            radius = ((rim[0] - x) ** 2 + (rim[1] - y) ** 2) ** 0.5
            points = [(x - radius, y - radius), (x + radius, y + radius)]
        return Named.around(name.strip(), points)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ValueError(f"shape {number} ({name}) has points that cannot be read") from None
