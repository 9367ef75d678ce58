"""Boxes from CVAT's own export, "CVAT for images": one annotations.xml. Of polygons and masks the boxes are kept."""

from __future__ import annotations

from math import cos, hypot, isfinite, radians, sin
from pathlib import Path
from typing import Any

from zoo.datasets.common import SPLIT_NAMES, head, split_of
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
    return b"<annotations" in head(root / FILE, 4096)


def read(root: Path, task: str | None = None) -> Dataset:
    """Every image of the export; those without a shape are negatives.

    All faults are collected before AnnotationError is raised.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import parse

    try:
        top = parse(str(root / FILE)).getroot()
    except (ParseError, DefusedXmlException, ValueError, LookupError, OSError) as error:
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
        split = SPLIT_NAMES.get((entry.get("subset") or "").lower()) or split_of(root, image)
        described.append(Described(image, size, split, objects))
    return assemble(NAME, root, described, faults, images, LOOKED_FOR)


def _object(shape: Any) -> Named:
    name = (shape.get("label") or "").strip()
    if not name:
        raise ValueError(f"a {shape.tag} has no label")
    try:
        if shape.tag == "box":
            left, top, right, bottom = (_number(shape, side) for side in ("xtl", "ytl", "xbr", "ybr"))
            across, along = _turn(shape)
            half_w, half_h = (right - left) / 2, (bottom - top) / 2
            return _around((left + right) / 2, (top + bottom) / 2, name, half_w * across + half_h * along,
                           half_w * along + half_h * across)  # fmt: skip
        if shape.tag == "polygon":
            return Named.around(name, [point.split(",") for point in (shape.get("points") or "").split(";")])
        if shape.tag == "mask":
            left, top, width, height = (_number(shape, side) for side in ("left", "top", "width", "height"))
            return Named(name, left, top, width, height)
        if shape.tag == "ellipse":
            x, y, rx, ry = (_number(shape, side) for side in ("cx", "cy", "rx", "ry"))
            across, along = _turn(shape)
            return _around(x, y, name, hypot(rx * across, ry * along), hypot(rx * along, ry * across))
    except (TypeError, ValueError) as error:
        raise ValueError(f"a {shape.tag} of {name} cannot be read ({error})") from error
    raise ValueError(f"a {shape.tag} of {name} has no box")


def _around(x: float, y: float, name: str, half_width: float, half_height: float) -> Named:
    return Named(name, x - half_width, y - half_height, 2 * half_width, 2 * half_height)


def _turn(shape: Any) -> tuple[float, float]:
    """Cosine and sine, without their signs, of the degrees that a shape is turned by around its middle."""
    turned = radians(_number(shape, "rotation") if shape.get("rotation") else 0.0)
    # exact where nothing is turned, or by right angles
    return round(abs(cos(turned)), 12), round(abs(sin(turned)), 12)


def _number(entry: Any, name: str) -> float:
    text = entry.get(name)
    if text is None:
        raise ValueError(f"{name} is missing")
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"{name} is {text!r}, not a number") from None
    if not isfinite(number):
        raise ValueError(f"{name} is {text!r}, not finite")
    return number
