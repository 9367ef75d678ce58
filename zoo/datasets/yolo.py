"""Boxes as YOLO text files: a line per object, class and box as shares of the image. Of polygons the boxes are kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zoo.datasets.common import (
    SPLIT_NAMES,
    box_fault,
    folders,
    list_images,
    notes_about,
    published,
    read_class_list,
    refuse_duplicates,
)
from zoo.datasets.record import Box, Dataset, Sample
from zoo.errors import AnnotationError, listed

NAME = "yolo"
TASKS = ("detection",)
LOOKED_FOR = "YOLO text files in labels/ beside images/, with data.yaml, classes.txt or obj.names"
DOCUMENTS = ("data.yaml", "data.yml", "dataset.yaml")
LISTS = ("classes.txt", "obj.names")
ROUNDING = 0.01
"""How far beyond the image a box may reach, as a share: tools round."""


def looks_like(root: Path) -> bool:
    """Whether there are labels/ beside images/ and something that names the classes."""
    named = any((root / name).is_file() for name in (*DOCUMENTS, *LISTS))
    return named and next(_pairs(root), None) is not None


def read(root: Path, task: str | None = None) -> Dataset:
    """Every image below images/; one without a text file is a negative, as YOLO has it.

    All faults of all files are collected before AnnotationError is raised.
    """
    classes = _classes(root)
    faults: list[str] = []
    samples: list[Sample] = []
    for images, labels, split in _pairs(root):
        listing = list_images(images)
        known = {path.relative_to(images).with_suffix("") for path in listing.images}
        stray = [
            path for path in sorted(labels.rglob("*.txt")) if path.relative_to(labels).with_suffix("") not in known
        ]
        strangers = [path.relative_to(root).as_posix() for path in stray if path.name not in LISTS]
        if strangers:
            faults.append(f"{len(strangers)} text file(s) have no image: {listed(strangers)}")
        for image in listing.images:
            name = image.relative_to(images).with_suffix(".txt")
            part = split or (SPLIT_NAMES.get(name.parts[0].lower()) if len(name.parts) > 1 else None)
            samples.append(_sample(root, image, labels / name, part, classes, faults))
    if faults:
        raise AnnotationError.because(
            f"The annotations of {root} cannot be used: {listed(faults)}.", "Correct the files; nothing was skipped."
        )
    if not any(sample.boxes for sample in samples):
        raise AnnotationError.because(f"No text file of {root} describes an object.", f"Looked for {LOOKED_FOR}.")
    samples.sort(key=lambda sample: sample.image.relative_to(root).as_posix())
    negatives = sum(not sample.boxes for sample in samples)
    used = {box.label for sample in samples for box in sample.boxes}
    unused = [name for number, name in enumerate(classes) if number not in used]
    notes = notes_about(
        0,
        f"{negatives} image(s) have no object and are kept as negatives" if negatives else "",
        f"{len(unused)} class(es) have no annotation: {listed(unused)}" if unused else "",
    )
    return Dataset(NAME, TASKS, root, classes, published(samples), notes=notes)


def _pairs(root: Path) -> Iterator[tuple[Path, Path, str | None]]:
    """(images, labels, split): images/ with labels/ beside it, in the root or in a folder per split."""
    if (root / "images").is_dir() and (root / "labels").is_dir():
        yield root / "images", root / "labels", None
        return
    for folder in folders(root):
        split = SPLIT_NAMES.get(folder.name.lower())
        if split and (folder / "images").is_dir() and (folder / "labels").is_dir():
            yield folder / "images", folder / "labels", split


def _classes(root: Path) -> tuple[str, ...]:
    document = next((root / name for name in DOCUMENTS if (root / name).is_file()), None)
    if document is None:
        return read_class_list(next(root / name for name in LISTS if (root / name).is_file()))
    names = _load(document).get("names")
    if isinstance(names, Mapping):
        if sorted(names) != list(range(len(names))):
            raise AnnotationError.because(f"{document}: names are not numbered 0 to {len(names) - 1}.", "Number them.")
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not names or not all(isinstance(name, str | int) for name in names):
        raise AnnotationError.because(f"{document} has no list of names.", "names: [first, second, ...]")
    classes = tuple(str(name).strip() for name in names)
    refuse_duplicates(classes, f"{document} names a class twice")
    return classes


def _load(document: Path) -> dict[str, Any]:
    import yaml

    try:
        loaded = yaml.safe_load(document.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise AnnotationError.because(f"{document} is not valid YAML: {error}.", "Write it again.") from error
    if not isinstance(loaded, dict):
        raise AnnotationError.because(f"{document} holds no settings.", "names: [first, second, ...]")
    return loaded


def _sample(
    root: Path, image: Path, label: Path, split: str | None, classes: tuple[str, ...], faults: list[str]
) -> Sample:
    if not label.is_file():
        return Sample(image, None, None, split)
    where = label.relative_to(root).as_posix()
    try:
        lines = label.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        faults.append(f"{where}: it is no text ({error})")
        return Sample(image, None, None, split)
    if not any(line.strip() for line in lines):
        return Sample(image, None, None, split)
    try:
        width, height = _size(image)
    except (OSError, ValueError, SyntaxError):
        return Sample(image, None, None, split)  # check_images says what is wrong with it
    boxes = []
    for number, line in enumerate(lines, start=1):
        try:
            if line.strip():
                boxes.append(_box(line, width, height, len(classes)))
        except ValueError as error:
            faults.append(f"{where}, line {number}: {error}")
    return Sample(image, width, height, split, boxes=tuple(boxes))


def _size(image: Path) -> tuple[int, int]:
    """As shown, EXIF rotation included; the header alone is read."""
    from PIL import Image

    with Image.open(image) as opened:
        turned = opened.getexif().get(0x0112, 1) >= 5
        width, height = opened.size
    return (height, width) if turned else (width, height)


def _box(line: str, width: int, height: int, classes: int) -> Box:
    words = line.split()
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        raise ValueError(f"{line.strip()[:40]!r} is not numbers alone") from None
    if len(numbers) < 5:
        raise ValueError(f"{len(numbers)} numbers where a class and a box are five")
    if not numbers[0].is_integer() or not 0 <= numbers[0] < classes:
        raise ValueError(f"class {words[0]} is none of 0 to {classes - 1}")
    shares = numbers[1:]
    if not all(-ROUNDING <= share <= 1 + ROUNDING for share in shares):
        raise ValueError("a number is no share of the image, 0 to 1")
    if len(shares) == 4:
        left, top = shares[0] - shares[2] / 2, shares[1] - shares[3] / 2
        right, bottom = left + shares[2], top + shares[3]
    elif len(shares) % 2 == 0:
        left, top, right, bottom = min(shares[::2]), min(shares[1::2]), max(shares[::2]), max(shares[1::2])
    else:
        raise ValueError(f"{len(numbers)} numbers are neither a box nor a polygon")
    cut = [min(max(share, 0.0), 1.0) for share in (left, top, right, bottom)]
    if max(abs(was - now) for was, now in zip((left, top, right, bottom), cut, strict=True)) > ROUNDING:
        raise ValueError("the box reaches out of the image")
    box = Box(cut[0] * width, cut[1] * height, (cut[2] - cut[0]) * width, (cut[3] - cut[1]) * height, int(numbers[0]))
    fault = box_fault(box, width, height)
    if fault:
        raise ValueError(f"the box {fault}")
    return box
