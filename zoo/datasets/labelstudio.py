"""Boxes from Label Studio's JSON export. Of polygons the boxes are kept; of several annotations of a task the last."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from zoo.datasets.common import SPLIT_NAMES, is_hidden
from zoo.datasets.described import TASKS, Described, Images, Named, assemble
from zoo.datasets.record import Dataset
from zoo.errors import AnnotationError

__all__ = ["LOOKED_FOR", "NAME", "TASKS", "looks_like", "read"]

NAME = "labelstudio"
LOOKED_FOR = "one JSON export of Label Studio, a list of tasks with data and annotations, beside the images"
LABELS = ("rectanglelabels", "polygonlabels")
PERCENT = 100.0
"""What Label Studio's numbers are shares of."""


def looks_like(root: Path) -> bool:
    """Whether a JSON file of the folder is a list of tasks."""
    return _export(root) is not None


def read(root: Path, task: str | None = None) -> Dataset:
    """Every task that somebody has annotated; one that was submitted without a shape is a negative.

    All faults are collected before AnnotationError is raised.
    """
    file = _export(root)
    if file is None:
        raise AnnotationError.because(f"{root} has no export of Label Studio.", f"Looked for {LOOKED_FOR}.")
    images, faults, described = Images(root), list[str](), list[Described]()
    for number, entry in enumerate(_load(file), start=1):
        done = [one for one in entry.get("annotations") or [] if isinstance(one, dict) and not one.get("was_cancelled")]
        if not done:
            continue
        where = f"{file.name}: task {entry.get('id', number)}"
        try:
            image = images.called(*_names(entry))
            results = [one for one in done[-1].get("result") or [] if isinstance(one, dict)]
            sizes = {(one.get("original_width"), one.get("original_height")) for one in results}
            objects = tuple(found for one in results if (found := _object(one)) is not None)
        except ValueError as error:
            faults.append(f"{where}: {error}")
            continue
        known = [(w, h) for w, h in sizes if isinstance(w, int) and isinstance(h, int)]
        split = SPLIT_NAMES.get(image.parent.name.lower())
        described.append(Described(image, known[0] if len(known) == 1 else None, split, objects))
    return assemble(NAME, root, described, faults, images, LOOKED_FOR)


def _export(root: Path) -> Path | None:
    for path in sorted(path for path in root.glob("*.json") if not is_hidden(path)):
        with path.open("rb") as file:
            head = file.read(1 << 16).lstrip(b"\xef\xbb\xbf \t\r\n")
        if head.startswith(b"[") and b'"annotations"' in head and b'"data"' in head:
            return path
    return None


def _load(file: Path) -> list[dict[str, Any]]:
    try:
        document = json.loads(file.read_text(encoding="utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise AnnotationError.because(f"{file} is not valid JSON: {error}.", "Export it again.") from error
    if not isinstance(document, list) or not all(isinstance(entry, dict) for entry in document):
        raise AnnotationError.because(f"{file} is no list of tasks.", "Export it as JSON, not as JSON-MIN.")
    return document


def _names(entry: dict[str, Any]) -> list[str]:
    """What the image may be called here: the path in its address, and the name that was uploaded.

    Uploads get eight letters and a dash before their name.
    """
    data = entry.get("data")
    stated = [value for value in data.values() if isinstance(value, str)] if isinstance(data, dict) else []
    found = []
    for text in [*stated, entry.get("file_upload") or ""]:
        address = urlsplit(text)
        path = unquote(address.query.removeprefix("d=") if address.query.startswith("d=") else address.path)
        name = PurePosixPath(path).name
        if name:
            found += [path.lstrip("/"), *([name[9:]] if name[8:9] == "-" and name[9:] else [])]
    if not found:
        raise ValueError("it names no image")
    return found


def _object(result: dict[str, Any]) -> Named | None:
    """None for a result that is no shape, such as a choice about the whole image."""
    value = result.get("value")
    kind = next((kind for kind in LABELS if isinstance(value, dict) and kind in value), None)
    if kind is None or not isinstance(value, dict):
        return None
    labels = value[kind]
    if not isinstance(labels, list) or len(labels) != 1 or not isinstance(labels[0], str):
        raise ValueError(f"a shape has {labels!r} where one label is")
    if value.get("rotation"):
        raise ValueError(f"a box of {labels[0]} is turned, which no detector here learns")
    try:
        width, height = (float(result[side]) / PERCENT for side in ("original_width", "original_height"))
        if kind == "polygonlabels":
            return Named.around(labels[0], [(float(x) * width, float(y) * height) for x, y in value["points"]])
        x, y, w, h = (float(value[side]) for side in ("x", "y", "width", "height"))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"a shape of {labels[0]} cannot be read ({type(error).__name__}: {error})") from error
    return Named(labels[0], x * width, y * height, w * width, h * height)
