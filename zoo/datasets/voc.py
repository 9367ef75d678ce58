"""Boxes as PASCAL VOC XML, one file per image, as LabelImg and many others write it. Knows nothing of VOC's masks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Any

from zoo.datasets.common import folders, head, is_hidden, is_image, read_lines, split_of
from zoo.datasets.described import TASKS, Described, Images, Named, assemble
from zoo.datasets.record import Dataset

__all__ = ["LOOKED_FOR", "NAME", "TASKS", "looks_like", "read"]

NAME = "voc"
LOOKED_FOR = "PASCAL VOC XML files in Annotations/, in annotations/ or beside the images"
LOOKED_AT = 20
"""Files that may be broken, or of something else, before an annotation comes."""

LISTS = Path("ImageSets") / "Main"
"""The files that divide VOC itself: train.txt, val.txt and test.txt, a name per line."""


def looks_like(root: Path) -> bool:
    """Whether one of the first XML files where they usually lie is an annotation."""
    return any(re.search(rb"<annotation[\s>]", head(path, 4096)) for path in islice(_files(root), LOOKED_AT))


def read(root: Path, task: str | None = None) -> Dataset:
    """Every image that an XML file describes; an object that is called difficult is neither learned nor scored.

    All faults of all files are collected before AnnotationError is raised.
    """
    images, splits = Images(root), _splits(root)
    faults: list[str] = []
    described: list[Described] = []
    for file in _files(root):
        if splits and file.stem not in splits:
            continue
        try:
            stated, size, objects = _parse(file)
            # what the file says is often the name on another disk; VOC itself has masks of the same stem
            image = images.called(*([stated] if stated else []), stem=file.stem)
        except (ValueError, OSError) as error:
            faults.append(f"{file.relative_to(root).as_posix()}: {error}")
            continue
        split = splits.get(file.stem) or split_of(root, image)
        described.append(Described(image, size, split, tuple(objects)))
    return assemble(NAME, root, described, faults, images, LOOKED_FOR)


def _files(root: Path) -> Iterator[Path]:
    """From the first place that has any; VOC itself lies one folder further down."""
    for place in ("Annotations", "annotations", "labels", ".", "images", "train", "val", "valid", "test"):
        search = (root / place).rglob if place.lower() == "annotations" else (root / place).glob
        found = sorted(path for path in search("*.xml") if path.is_file() and not is_hidden(path))
        if place in ("train", "val", "valid", "test"):
            yield from found
        elif found:
            yield from found
            return
    below = [path for path in folders(root) if (path / "Annotations").is_dir()]
    if len(below) == 1:
        yield from sorted((below[0] / "Annotations").glob("*.xml"))


def _splits(root: Path) -> dict[str, str]:
    """Name -> split by the lists, empty without any; `trainval` counts where it is not divided."""
    for top in (root, *folders(root)):
        folder = top / LISTS
        lists = {word: folder / f"{word}.txt" for word in ("trainval", "train", "val", "test")}
        there = {word: path for word, path in lists.items() if path.is_file()}
        if there:
            found = {}
            for word, path in there.items():
                # the lists of single classes have a 1, 0 or -1 behind the name, others the image's ending
                bare = (re.sub(r"\s+-?[01]$", "", line) for line in read_lines(path) if line)
                names = [line[: -len(Path(line).suffix)] if is_image(Path(line)) else line for line in bare]
                found.update(dict.fromkeys(names, "train" if word == "trainval" else word))
            return found
    return {}


def _parse(file: Path) -> tuple[str, tuple[int, int] | None, list[Named]]:
    """What the image is called, its size, None where it is not stated, and its objects.

    Raises:
        ValueError: with what is wrong.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import parse

    try:
        top = parse(str(file)).getroot()
    except (ParseError, DefusedXmlException, ValueError, LookupError, OSError) as error:
        raise ValueError(f"it is not valid XML ({error})") from error
    if top.tag != "annotation":
        raise ValueError(f"it begins with <{top.tag}>, not <annotation>")
    stated = (_number(top, "size/width", 0.0), _number(top, "size/height", 0.0))
    size = (int(stated[0]), int(stated[1])) if all(side > 0 for side in stated) else None
    called = (top.findtext("filename") or "").strip()
    if not called and size is None and top.find("object") is None:
        raise ValueError("it says nothing of an image")
    return called, size, [_object(number, entry) for number, entry in enumerate(top.iter("object"), start=1)]


def _object(number: int, entry: Any) -> Named:
    name = (entry.findtext("name") or "").strip()
    if not name:
        raise ValueError(f"object {number} has no name")
    try:
        left, top, right, bottom = (_number(entry, f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax"))
    except ValueError as error:
        raise ValueError(f"object {number} ({name}): {error}") from error
    # VOC counts pixels from 1, and the last one is in the box
    return Named(name, left - 1, top - 1, right - left + 1, bottom - top + 1, entry.findtext("difficult") == "1")


def _number(entry: Any, path: str, absent: float | None = None) -> float:
    text = entry.findtext(path)
    if text is None:
        if absent is None:
            raise ValueError(f"{path} is missing")
        return absent
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"{path} is {text.strip()!r}, not a number") from None
    if not isfinite(number):
        raise ValueError(f"{path} is {text.strip()!r}, not finite")
    return number
