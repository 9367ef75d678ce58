"""What all data set readers share: image names, split names, class lists. Knows no format and opens no image."""

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

from zoo.datasets.record import Box, Sample
from zoo.errors import AnnotationError, listed

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""Compared in lower case; all of them are read by both OpenCV and Pillow."""

ANNOTATION_SUFFIXES = frozenset({".csv", ".json", ".names", ".tsv", ".txt", ".xml", ".yaml", ".yml"})

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
    return _is_hidden_name(path.name)


def is_image(path: Path) -> bool:
    """Whether the name is that of an image; the content is looked at by `check_images`."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not is_hidden(path)


def folders(root: Path) -> list[Path]:
    """The visible sub-folders, by name, without links to a folder that holds them."""
    return sorted(path for path in root.iterdir() if path.is_dir() and not is_hidden(path) and not leads_back(path))


def leads_back(path: Path) -> bool:
    """Whether this is a link to a folder it lies in: following it would go round for ever."""
    if not path.is_symlink():
        return False
    target = os.path.realpath(path)
    return any(Path(os.path.realpath(parent)).is_relative_to(target) for parent in path.parents)


def list_images(folder: Path) -> Listing:
    """All files below `folder`, images sorted by path; hidden files and folders count as neither."""
    images: list[Path] = []
    others = 0
    for path in files_below(folder):
        if is_image(path):
            images.append(path)
        else:
            others += 1
    return Listing(tuple(sorted(images, key=lambda path: path.parts)), others)


def files_below(folder: Path) -> Iterator[Path]:
    """All files below `folder` in no order, without hidden ones and those in hidden folders.

    A link that leads nowhere, one that leads back and an empty folder with the ending of a file are files here: whoever
    opens them says what is wrong, where leaving them out would lose something in silence. AnnotationError for a folder
    that cannot be read.
    """
    for top, below, names in os.walk(folder, onerror=_unreadable, followlinks=True):
        here = Path(top)
        seen = [here / name for name in below if not _is_hidden_name(name)]
        odd = [path for path in seen if leads_back(path) or _is_empty_file(path)]
        below[:] = [path.name for path in seen if path not in odd]
        yield from (here / name for name in names if not _is_hidden_name(name))
        yield from odd


def _is_empty_file(folder: Path) -> bool:
    """Whether a folder lies where a file is meant: it has the ending of one, and nothing in it."""
    return folder.suffix.lower() in IMAGE_SUFFIXES | ANNOTATION_SUFFIXES and not any(folder.iterdir())


def _unreadable(error: OSError) -> None:
    raise AnnotationError.because(f"{error.filename} cannot be read: {error.strerror}.", "See who may read it.")


def _is_hidden_name(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


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


def split_in(name: str) -> str | None:
    """The split that a name has as a word (`instances_train2017` says train); None where it has two."""
    named = {SPLIT_NAMES[word] for word in re.findall(r"[a-z]+", name.lower()) if word in SPLIT_NAMES}
    return named.pop() if len(named) == 1 else None


def head(path: Path, most: int) -> bytes:
    """How a file begins; nothing of one that cannot be read, which is for whoever reads it to say."""
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError:
        return b""


def is_there(path: Path) -> bool:
    """Whether there is such a file; no for a name that no file can have, such as one of 5000 letters."""
    try:
        return path.is_file()
    except OSError:
        return False


def read_json(path: Path, hook: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """What a JSON file holds; `hook` is given each object when it is read, and what it returns takes its place.

    Raises:
        ValueError: with what is wrong with it.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"), object_hook=hook)
    except (OSError, ValueError, RecursionError) as error:  # a number of 5000 digits is a ValueError too
        raise ValueError(f"it is not valid JSON ({error})") from error


def shown_size(image: Path) -> tuple[int, int]:
    """Width and height as shown, EXIF rotation included; the header alone is read."""
    from PIL import Image

    with Image.open(image) as opened:
        # asking a PNG for it decodes the whole picture, and of a TIFF Pillow has turned the size already
        turned = "exif" in opened.info and opened.format != "TIFF" and opened.getexif().get(0x0112, 1) >= 5
        width, height = opened.size
    return (height, width) if turned else (width, height)


def read_lines(path: Path) -> list[str]:
    """Lines of a text file without the blanks around them. Raises AnnotationError for what is no text."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise AnnotationError.because(f"{path} is not UTF-8 text: {error}.", "Save it as UTF-8.") from error
    if "\0" in text:
        raise AnnotationError.because(f"{path} is not UTF-8 text: it has null bytes.", "Save it as UTF-8.")
    return [line.strip() for line in text.splitlines()]


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
    if len(set(names)) == len(names):
        return
    twice = sorted(str(name) for name, count in Counter(names).items() if count > 1)
    if twice:
        raise AnnotationError.because(f"{fact}: {listed(twice)}.", "Keep one of each.")


def box_fault(box: Box, width: int | None, height: int | None) -> str | None:
    """Why the box cannot be used, or None; the image's size is checked only where it is known (pixels)."""
    if not (isfinite(box.x) and isfinite(box.y) and isfinite(box.w) and isfinite(box.h)):
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
