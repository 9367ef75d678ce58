"""Boxes as YOLO text files: a line per object, class and box as shares of the image. Of polygons the boxes are kept."""

from __future__ import annotations

import os
from collections import Counter
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
    read_lines,
    refuse_duplicates,
    shown_size,
    split_of,
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
    named = any(path.is_file() for path in (*(root / name for name in DOCUMENTS), *_lists(root)))
    return named and any(labels.is_dir() for _, labels, _ in _pairs(root))


def read(root: Path, task: str | None = None) -> Dataset:
    """Every image below images/; one without a text file is a negative, as YOLO has it.

    All faults of all files are collected before AnnotationError is raised.
    """
    document = _document(root)
    classes, splits = _classes(root, document), _splits(root, document)
    keypoints = "kpt_shape" in document
    faults: list[str] = []
    samples: list[Sample] = []
    for images, labels, split in _pairs(root):
        if not labels.is_dir():
            faults.append(f"{images.relative_to(root).as_posix()}: there is no {labels.relative_to(root).as_posix()}")
            continue
        listing = list_images(images)
        known = Counter(path.relative_to(images).with_suffix("") for path in listing.images)
        twice = sorted(str(name) for name, count in known.items() if count > 1)
        if twice:
            faults.append(f"{len(twice)} name(s) with two endings share a text file: {listed(twice)}")
        stray = [p for p in sorted(labels.rglob("*.txt")) if p.relative_to(labels).with_suffix("") not in known]
        strangers = [path.relative_to(root).as_posix() for path in stray if path.name not in LISTS]
        if strangers:
            faults.append(f"{len(strangers)} text file(s) have no image: {listed(strangers)}")
        for image in listing.images:
            name = image.relative_to(images).with_suffix(".txt")
            part = _listed(image, splits) or split or split_of(images, image)
            samples.append(_sample(root, image, labels / name, part, classes, keypoints, faults))
    if faults:
        raise AnnotationError.because(
            f"The annotations of {root} cannot be used: {listed(faults)}.", "Correct the files; nothing was skipped."
        )
    if not any(sample.boxes for sample in samples):
        raise AnnotationError.because(f"No text file of {root} describes an object.", f"Looked for {LOOKED_FOR}.")
    samples.sort(key=lambda sample: sample.image.relative_to(root).as_posix())
    negatives = sum(not sample.boxes for sample in samples)
    outside = len(list_images(root).images) - len(samples)
    used = {box.label for sample in samples for box in sample.boxes}
    unused = [name for number, name in enumerate(classes) if number not in used]
    notes = notes_about(
        0,
        f"{outside} image(s) lie outside of images/ and were ignored" if outside else "",
        f"{negatives} image(s) have no object and are kept as negatives" if negatives else "",
        f"{len(unused)} class(es) have no annotation: {listed(unused)}" if unused else "",
        "keypoints are not read from this format, their boxes are" if keypoints else "",
    )
    return Dataset(NAME, TASKS, root, classes, published(samples), notes=notes)


def _pairs(root: Path) -> Iterator[tuple[Path, Path, str | None]]:
    """(images, labels, split): images/ with labels/ beside it, in the root or in a folder per split."""
    if (root / "images").is_dir() and (root / "labels").is_dir():
        yield root / "images", root / "labels", None
        return
    for folder in folders(root):
        split = SPLIT_NAMES.get(folder.name.lower())
        if split and (folder / "images").is_dir():
            yield folder / "images", folder / "labels", split


def _document(root: Path) -> dict[str, Any]:
    """data.yaml, all its scalars as text: `no` is a class, and so is 010."""
    path = next((root / name for name in DOCUMENTS if (root / name).is_file()), None)
    if path is None:
        return {}
    import yaml

    try:
        loaded = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=yaml.BaseLoader)
    except (yaml.YAMLError, OSError, ValueError, RecursionError) as error:
        raise AnnotationError.because(f"{path} is not valid YAML: {error}.", "Write it again.") from error
    if not isinstance(loaded, dict):
        raise AnnotationError.because(f"{path} holds no settings.", "names: [first, second, ...]")
    return loaded


def _classes(root: Path, document: Mapping[str, Any]) -> tuple[str, ...]:
    if not document:
        return read_class_list(next(path for path in _lists(root) if path.is_file()))
    names = document.get("names")
    if isinstance(names, Mapping):
        if not all(str(key).isdigit() for key in names) or sorted(map(int, names)) != list(range(len(names))):
            last = len(names) - 1
            raise AnnotationError.because(f"The names in {root} are not numbered 0 to {last}.", "Number them so.")
        names = [names[key] for key in sorted(names, key=int)]
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name.strip() for name in names):
        raise AnnotationError.because(f"data.yaml of {root} has no list of names.", "names: [first, second, ...]")
    classes = tuple(name.strip() for name in names)
    refuse_duplicates(classes, f"data.yaml of {root} names a class twice")
    return classes


def _lists(root: Path) -> list[Path]:
    return [folder / name for folder in (root, root / "labels") for name in LISTS]


def _splits(root: Path, document: Mapping[str, Any]) -> dict[Path, str]:
    """What data.yaml says of folders and images: train, val and test are folders, or lists of images.

    Addresses of another disk are not found here; the folders' own names count then.
    """
    found: dict[Path, str] = {}
    for key in ("train", "val", "test"):
        given = document.get(key)
        for text in given if isinstance(given, list) else [given]:
            if not isinstance(text, str) or not text:
                continue
            # Roboflow writes ../train/images for what lies beside the document
            place = next((p for p in (root / text, root / text.removeprefix("../")) if _exists(p)), None)
            if place is not None and place.suffix == ".txt" and place.is_file():
                found.update({_plain(root / line): key for line in read_lines(place) if line})
            elif place is not None:
                found[_plain(place)] = key
    return found


def _listed(image: Path, splits: Mapping[Path, str]) -> str | None:
    if not splits:
        return None
    whole = _plain(image)
    return next((splits[place] for place in (whole, *whole.parents) if place in splits), None)


def _plain(path: Path) -> Path:
    """Without `..`; links are not followed, since what is listed is the link."""
    return Path(os.path.normpath(path))


def _exists(path: Path) -> bool:
    """No for a name that nothing can have."""
    try:
        return path.exists()
    except OSError:
        return False


def _sample(
    root: Path,
    image: Path,
    label: Path,
    split: str | None,
    classes: tuple[str, ...],
    keypoints: bool,
    faults: list[str],
) -> Sample:
    where = label.relative_to(root).as_posix()
    if not label.is_file():
        if label.exists() or label.is_symlink():
            faults.append(f"{where}: it is no file")
        return Sample(image, None, None, split)
    try:
        lines = label.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        faults.append(f"{where}: it is no text ({error})")
        return Sample(image, None, None, split)
    if not any(line.strip() for line in lines):
        return Sample(image, None, None, split)
    from PIL.Image import DecompressionBombError

    try:
        width, height = shown_size(image)
    except (OSError, ValueError, SyntaxError, DecompressionBombError):
        return Sample(image, None, None, split)  # check_images says what is wrong with it
    boxes = []
    for number, line in enumerate(lines, start=1):
        try:
            if line.strip():
                boxes.append(_box(line, width, height, len(classes), keypoints))
        except ValueError as error:
            faults.append(f"{where}, line {number}: {error}")
    return Sample(image, width, height, split, boxes=tuple(boxes))


def _box(line: str, width: int, height: int, classes: int, keypoints: bool) -> Box:
    words = line.split()
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        raise ValueError(f"{line.strip()[:40]!r} is not numbers alone") from None
    if len(numbers) < 5:
        raise ValueError(f"{len(numbers)} numbers where a class and a box are five")
    if not numbers[0].is_integer() or not 0 <= numbers[0] < classes:
        raise ValueError(f"class {words[0]} is none of 0 to {classes - 1}")
    shares = numbers[1:5] if keypoints else numbers[1:]
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
