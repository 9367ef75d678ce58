"""Boxes from Label Studio's JSON export. Of polygons the boxes are kept; of several annotations of a task the last."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from zoo.datasets.common import head, is_hidden, read_json, split_of
from zoo.datasets.described import TASKS, Described, Images, Named, assemble
from zoo.datasets.record import Dataset
from zoo.errors import AnnotationError, listed

__all__ = ["LOOKED_FOR", "NAME", "TASKS", "looks_like", "read"]

NAME = "labelstudio"
LOOKED_FOR = "one JSON export of Label Studio, a list of tasks with data and annotations, beside the images"
LABELS = ("rectanglelabels", "polygonlabels", "ellipselabels", "labels")
PLACED = ("x", "points", "rle", "vertices")
"""What only a value has that stands somewhere in the picture."""

PERCENT = 100.0
"""What Label Studio's numbers are shares of."""

HEAD_BYTES = 4 << 20


def looks_like(root: Path) -> bool:
    """Whether a JSON file of the folder is a list of tasks."""
    return bool(_exports(root))


def read(root: Path, task: str | None = None) -> Dataset:
    """Every task that somebody has annotated; one that was submitted without a shape is a negative.

    All faults are collected before AnnotationError is raised.
    """
    file, *others = _exports(root)
    if others:
        names = listed(path.name for path in (file, *others))
        raise AnnotationError.because(f"{root} has {1 + len(others)} exports of Label Studio: {names}.", "Keep one.")
    images, faults, described = Images(root), list[str](), list[Described]()
    for number, entry in enumerate(_load(file), start=1):
        done = [one for one in _dicts(entry.get("annotations")) if not one.get("was_cancelled")]
        if not done:
            continue
        where = f"{file.name}: task {entry.get('id', number)}"
        try:
            image = images.called(*_names(entry))
            results = _dicts(done[-1].get("result"))
            objects = tuple(found for one in results if (found := _object(one)) is not None)
            sizes = {_size(one) for one in results} - {None}
        except ValueError as error:
            faults.append(f"{where}: {error}")
            continue
        size = sizes.pop() if len(sizes) == 1 else None
        described.append(Described(image, size, split_of(root, image), objects))
    return assemble(NAME, root, described, faults, images, LOOKED_FOR)


def _dicts(given: Any) -> list[dict[str, Any]]:
    return [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []


def _size(result: dict[str, Any]) -> tuple[int, int] | None:
    width, height = result.get("original_width"), result.get("original_height")
    return (width, height) if isinstance(width, int) and isinstance(height, int) else None


def _exports(root: Path) -> list[Path]:
    found = []
    for path in sorted(path for path in root.glob("*.json") if path.is_file() and not is_hidden(path)):
        text = head(path, HEAD_BYTES).lstrip(b"\xef\xbb\xbf \t\r\n")
        if text.startswith(b"[") and b'"annotations"' in text and b'"data"' in text:
            found.append(path)
    return found


def _load(file: Path) -> list[dict[str, Any]]:
    try:
        document = read_json(file)
    except ValueError as error:
        raise AnnotationError.because(f"{file}: {error}.", "Export it again.") from error
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
    for text in [*stated, str(entry.get("file_upload") or "")]:
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
    if not isinstance(value, dict) or not any(key in value for key in PLACED):
        return None
    kind = next((kind for kind in LABELS if kind in value), None)
    labels = value.get(kind) if kind else None
    if not isinstance(labels, list) or len(labels) != 1 or not isinstance(labels[0], str) or not labels[0].strip():
        raise ValueError(f"a {result.get('type', 'shape')} has {labels or 'no label'} where one label is")
    name = labels[0].strip()
    if value.get("rotation"):
        raise ValueError(f"a box of {name} is turned, which no detector here learns")
    try:
        width, height = (float(result[side]) / PERCENT for side in ("original_width", "original_height"))
        if "points" in value:
            return Named.around(name, [(float(x) * width, float(y) * height) for x, y in value["points"]])
        x, y = float(value["x"]) * width, float(value["y"]) * height
        if "radiusX" in value:
            rx, ry = float(value["radiusX"]) * width, float(value["radiusY"]) * height
            return Named(name, x - rx, y - ry, 2 * rx, 2 * ry)
        return Named(name, x, y, float(value["width"]) * width, float(value["height"]) * height)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        kind_told = result.get("type", "shape")
        raise ValueError(f"a {kind_told} of {name} is no box or polygon ({type(error).__name__}: {error})") from error
