"""Boxes from CVAT's own export, "CVAT for images": one annotations.xml. Of polygons and masks the boxes are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.datasets.common import SPLIT_NAMES
from zoo.datasets.described import TASKS, Described, Images, Named, assemble
from zoo.datasets.record import Dataset
from zoo.errors import AnnotationError

__all__ = ["LOOKED_FOR", "NAME", "TASKS", "looks_like", "read"]

NAME = "cvat"
LOOKED_FOR = "annotations.xml of CVAT beside the images"
FILE = "annotations.xml"


def looks_like(root: Path) -> bool:
    """Whether annotations.xml begins as CVAT's does."""
    if not (root / FILE).is_file():
        return False
    with (root / FILE).open("rb") as file:
        return b"<annotations" in file.read(4096)


def read(root: Path, task: str | None = None) -> Dataset:
    """Every image of the export; those without a shape are negatives.

    All faults are collected before AnnotationError is raised.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import parse

    try:
        top = parse(str(root / FILE)).getroot()
    except (ParseError, DefusedXmlException, UnicodeDecodeError, LookupError) as error:
        raise AnnotationError.because(f"{root / FILE} is not valid XML: {error}.", "Export it again.") from error
    if top.find("track") is not None:
        raise AnnotationError.because(
            f"{root / FILE} has tracks: it is CVAT's export for video.", 'Export it as "CVAT for images".'
        )
    images, faults, described = Images(root), list[str](), list[Described]()
    for number, entry in enumerate(top.iter("image"), start=1):
        name = entry.get("name") or ""
        try:
            if not name:
                raise ValueError("it has no name")
            image = images.called(name, f"images/{name}")
            size = int(_number(entry, "width")), int(_number(entry, "height"))
            objects = tuple(_object(shape) for shape in entry if shape.tag != "tag")
        except ValueError as error:
            faults.append(f"{FILE}: image {number} ({name}): {error}")
            continue
        split = SPLIT_NAMES.get((entry.get("subset") or image.parent.name).lower())
        described.append(Described(image, size, split, objects))
    return assemble(NAME, root, described, faults, images, LOOKED_FOR)


def _object(shape: Any) -> Named:
    name = (shape.get("label") or "").strip()
    if not name:
        raise ValueError(f"a {shape.tag} has no label")
    try:
        if shape.tag == "box":
            left, top, right, bottom = (_number(shape, side) for side in ("xtl", "ytl", "xbr", "ybr"))
            return Named(name, left, top, right - left, bottom - top)
        if shape.tag == "polygon":
            return Named.around(name, [point.split(",") for point in (shape.get("points") or "").split(";")])
        if shape.tag == "mask":
            left, top, width, height = (_number(shape, side) for side in ("left", "top", "width", "height"))
            return Named(name, left, top, width, height)
        if shape.tag == "ellipse":
            x, y, rx, ry = (_number(shape, side) for side in ("cx", "cy", "rx", "ry"))
            return Named(name, x - rx, y - ry, 2 * rx, 2 * ry)
    except (TypeError, ValueError) as error:
        raise ValueError(f"a {shape.tag} of {name} cannot be read ({error})") from error
    raise ValueError(f"a {shape.tag} of {name} has no box")


def _number(entry: Any, name: str) -> float:
    text = entry.get(name)
    if text is None:
        raise ValueError(f"{name} is missing")
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name} is {text!r}, not a number") from None
