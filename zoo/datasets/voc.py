"""Boxes as PASCAL VOC XML, one file per image, as LabelImg and many others write it. Knows nothing of VOC's masks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.datasets.common import (
    SPLIT_NAMES,
    box_fault,
    folders,
    is_hidden,
    list_images,
    notes_about,
    published,
    read_class_list,
)
from zoo.datasets.record import Box, Dataset, Sample
from zoo.errors import AnnotationError, listed

NAME = "voc"
TASKS = ("detection",)
LOOKED_FOR = "PASCAL VOC XML files in Annotations/, in annotations/ or beside the images"
LISTS = Path("ImageSets") / "Main"
"""The files that divide VOC itself: train.txt, val.txt and test.txt, a name per line."""


@dataclass(frozen=True)
class Named:
    """One object of an XML file, before its class has a number."""

    name: str
    x: float
    y: float
    w: float
    h: float
    difficult: bool


def looks_like(root: Path) -> bool:
    """Whether the first XML file where they usually lie is an annotation."""
    first = next(_files(root), None)
    if first is None:
        return False
    with first.open("rb") as file:
        return b"<annotation" in file.read(4096)


def read(root: Path, task: str | None = None) -> Dataset:
    """Every image that an XML file describes; one that is called difficult is neither learned nor scored.

    All faults of all files are collected before AnnotationError is raised. Images without an XML file are left out:
    nobody said that they are empty.
    """
    files = list(_files(root))
    images = {path.with_suffix("").name: path for path in list_images(root).images}
    splits = _splits(root)
    faults: list[str] = []
    described: list[tuple[Path, tuple[int, int] | None, str | None, list[Named]]] = []
    for file in files:
        where = file.relative_to(root).as_posix()
        try:
            size, objects = _parse(file)
        except (ValueError, OSError) as error:
            faults.append(f"{where}: {error}")
            continue
        image = images.get(file.stem)
        if image is None:
            faults.append(f"{where}: there is no image {file.stem}")
            continue
        if splits and file.stem not in splits:
            continue
        split = splits.get(file.stem) or SPLIT_NAMES.get(image.parent.name.lower())
        described.append((image, size, split, objects))
    classes = _classes(root, described, faults)
    samples = [_sample(root, classes, faults, *one) for one in described]
    if faults:
        raise AnnotationError.because(
            f"The annotations of {root} cannot be used: {listed(faults)}.", "Correct the files; nothing was skipped."
        )
    if not samples:
        raise AnnotationError.because(f"No image of {root} is in the lists of {LISTS}.", f"Looked for {LOOKED_FOR}.")
    samples.sort(key=lambda sample: sample.image.relative_to(root).as_posix())
    bare = len(images) - len(samples)
    negatives = sum(not sample.boxes for sample in samples)
    notes = notes_about(
        0,
        f"{bare} image(s) have no XML file, or are in no list, and were ignored" if bare else "",
        f"{negatives} image(s) have no object and are kept as negatives" if negatives else "",
    )
    return Dataset(NAME, TASKS, root, classes, published(samples), notes=notes)


def _files(root: Path) -> Iterator[Path]:
    """From the first place that has any; VOC itself lies one folder further down."""
    for place in ("Annotations", "annotations", "labels", ".", "images", "train", "val", "valid", "test"):
        found = sorted(path for path in (root / place).glob("*.xml") if not is_hidden(path))
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
                names = [line.split()[0] for line in path.read_text(encoding="utf-8-sig").splitlines() if line.split()]
                found.update(dict.fromkeys(names, "train" if word == "trainval" else word))
            return found
    return {}


def _parse(file: Path) -> tuple[tuple[int, int] | None, list[Named]]:
    """The image's size, None where it is not stated, and its objects.

    Raises:
        ValueError: with what is wrong.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import parse

    try:
        top = parse(str(file)).getroot()
    except (ParseError, DefusedXmlException, UnicodeDecodeError, LookupError) as error:
        raise ValueError(f"it is not valid XML ({error})") from error
    if top.tag != "annotation":
        raise ValueError(f"it begins with <{top.tag}>, not <annotation>")
    stated = (_number(top, "size/width", 0.0), _number(top, "size/height", 0.0))
    size = (int(stated[0]), int(stated[1])) if all(side > 0 for side in stated) else None
    return size, [_object(number, entry) for number, entry in enumerate(top.iter("object"), start=1)]


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
        return float(text)
    except ValueError:
        raise ValueError(f"{path} is {text.strip()!r}, not a number") from None


def _classes(root: Path, described: list[Any], faults: list[str]) -> tuple[str, ...]:
    """In the order of classes.txt where there is one, else of the alphabet."""
    used = {one.name for *_, objects in described for one in objects}
    if not (root / "classes.txt").is_file():
        if not used and not faults:
            raise AnnotationError.because(f"The XML files of {root} describe no object.", "Label some.")
        return tuple(sorted(used))
    stated = read_class_list(root / "classes.txt")
    foreign = sorted(used - set(stated))
    if foreign:
        faults.append(f"{listed(foreign)}: used, but not in classes.txt")
    return tuple(dict.fromkeys((*stated, *foreign)))


def _sample(
    root: Path,
    classes: tuple[str, ...],
    faults: list[str],
    image: Path,
    size: tuple[int, int] | None,
    split: str | None,
    objects: list[Named],
) -> Sample:
    width, height = size or (None, None)
    boxes = []
    for one in objects:
        box = Box(one.x, one.y, one.w, one.h, classes.index(one.name), crowd=one.difficult)
        fault = box_fault(box, width, height)
        if fault:
            faults.append(f"{image.relative_to(root).as_posix()}: a box of {one.name} {fault}")
        else:
            boxes.append(box)
    return Sample(image, width, height, split, boxes=tuple(boxes))
