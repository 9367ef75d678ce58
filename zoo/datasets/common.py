"""What all data set readers share: image names, split names, class lists. Knows no format and opens no image."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path

from zoo.datasets.record import Box, Sample
from zoo.errors import AnnotationError, listed

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""Compared in lower case; all of them are read by both OpenCV and Pillow."""

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
"""Folder or file word in lower case -> split."""

BOX_SLACK_PX = 1.0
"""How far a box may stick out of its image: annotation tools count from 0 or from 1 and round."""


@dataclass(frozen=True)
class Listing:
    """The image files below a folder and how many other files lie beside them."""

    images: tuple[Path, ...]
    others: int


def is_hidden(path: Path) -> bool:
    """Whether an archiver or an editor left this behind (`.DS_Store`, `__MACOSX`)."""
    return path.name.startswith(".") or path.name == "__MACOSX"


def is_image(path: Path) -> bool:
    """Whether the name is that of an image; the content is looked at by `check_images`."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not is_hidden(path)


def folders(root: Path) -> list[Path]:
    """The visible sub-folders, by name."""
    return sorted(path for path in root.iterdir() if path.is_dir() and not is_hidden(path))


def list_images(folder: Path) -> Listing:
    """All files below `folder`, images sorted by path; hidden files and folders count as neither."""
    images: list[Path] = []
    others = 0
    for path in folder.rglob("*"):
        if any(is_hidden(Path(part)) for part in path.relative_to(folder).parts) or not path.is_file():
            continue
        if is_image(path):
            images.append(path)
        else:
            others += 1
    return Listing(tuple(sorted(images)), others)


def published(samples: Iterable[Sample]) -> tuple[Sample, ...]:
    """`val` renamed to `test` unless there is a test part: what was published as held out stays out of training."""
    kept = tuple(samples)
    if any(sample.split == "test" for sample in kept):
        return kept
    return tuple(replace(sample, split="test") if sample.split == "val" else sample for sample in kept)


def split_of(root: Path, path: Path) -> str | None:
    """The split that the first folder says which names one: "train", "val2017"."""
    words = (re.sub(r"[\d_-]", "", part).lower() for part in path.relative_to(root).parts[:-1])
    return next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), None)


def head(path: Path, most: int) -> bytes:
    """How a file begins; nothing of one that cannot be read, which is for whoever reads it to say."""
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError:
        return b""


def read_lines(path: Path) -> list[str]:
    """Lines of a text file without the blanks around them. Raises AnnotationError for what is no text."""
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise AnnotationError.because(f"{path} is not UTF-8 text: {error}.", "Save it as UTF-8.") from error


def read_class_list(path: Path) -> tuple[str, ...]:
    """One class per line, in the order of their indices; blank lines are skipped."""
    lines = read_lines(path)
    classes = tuple(line for line in lines if line)
    if not classes:
        raise AnnotationError.because(f"{path} names no class.", "Write one class name per line.")
    refuse_duplicates(classes, f"{path} names a class twice")
    return classes


def refuse_duplicates(names: Sequence[object], fact: str) -> None:
    """AnnotationError listing every name that occurs more than once."""
    twice = sorted(str(name) for name, count in Counter(names).items() if count > 1)
    if twice:
        raise AnnotationError.because(f"{fact}: {listed(twice)}.", "Keep one of each.")


def box_fault(box: Box, width: int | None, height: int | None) -> str | None:
    """Why the box cannot be used, or None; the image's size is checked only where it is known (pixels)."""
    if not all(isfinite(value) for value in (box.x, box.y, box.w, box.h)):
        return "is not finite"
    if box.w <= 0 or box.h <= 0:
        return f"has size {box.w:g} x {box.h:g}"
    outside = box.x < -BOX_SLACK_PX or box.y < -BOX_SLACK_PX
    outside |= width is not None and box.x + box.w > width + BOX_SLACK_PX
    outside |= height is not None and box.y + box.h > height + BOX_SLACK_PX
    if outside:
        return f"[{box.x:g}, {box.y:g}, {box.w:g}, {box.h:g}] lies outside the image of {width} x {height}"
    return None


def notes_about(others: int, *more: str) -> tuple[str, ...]:
    """The notes of a data set: files that are no images, and whatever else is worth telling."""
    ignored = (f"{others} file(s) beside the images are not images and were ignored",) if others else ()
    return ignored + tuple(note for note in more if note)
