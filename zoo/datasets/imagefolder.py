"""Classification as folders: root/<class>/* or root/{train,val,test}/<class>/*. Knows nothing about annotations."""

import re
from collections import Counter
from pathlib import Path

from zoo.datasets.common import (
    SPLIT_NAMES,
    files_below,
    folders,
    is_image,
    list_images,
    notes_about,
    published,
    read_class_list,
)
from zoo.datasets.record import Dataset, Sample
from zoo.errors import AnnotationError, listed

NAME = "imagefolder"
TASKS = ("classification",)
LOOKED_FOR = "one folder of images per class, <class>/* or {train,val,test}/<class>/*"
RESERVED = frozenset(
    {"annotations", "images", "imagesets", "jpegimages", "labels", "masks", "segmentationclass", "segmentationobject"}
)
"""Folder names that belong to the other formats, never to a class."""

# fmt: off
NO_CLASS = frozenset({
    *SPLIT_NAMES, "data", "files", "image", "images", "img", "imgs", "jpeg", "jpegs", "jpg", "photos", "pictures",
    "png", "raw", "set",
})
# fmt: on
"""Words of which the names of folders consist that hold all images, whatever they show."""


def looks_like(root: Path) -> bool:
    """Whether there are class folders with images, directly or below split folders."""
    if _splits(root):
        below = (path for split in _splits(root) for path in folders(split))
        return any(_has_images(path) for path in below if path.name.lower() not in RESERVED)
    return any(_has_images(path) for path in folders(root) if path.name.lower() not in RESERVED)


def tells_classes(root: Path) -> bool:
    """Whether two folders of images at least are called as classes may be, not `train`, `images` or `test_jpg`."""
    tops = _splits(root) or [root]
    names = {path.name for top in tops for path in folders(top) if path.name.lower() not in RESERVED}
    telling = [name for name in names if not _tells_nothing(name)]
    return sum(any(_has_images(top / name) for top in tops if (top / name).is_dir()) for name in telling) > 1


def read(root: Path, task: str | None = None) -> Dataset:
    """All images with the index of their folder; classes are in the order of `classes.txt`, else by name."""
    splits = _splits(root)
    tops: list[tuple[str | None, Path]] = [(SPLIT_NAMES[path.name.lower()], path) for path in splits] or [(None, root)]
    stray = [path.name for path in folders(root) if splits and path not in splits and _has_images(path)]
    if stray:
        raise AnnotationError.because(
            f"{root} has split folders ({listed(path.name for path in splits)}) beside folders with images:"
            f" {listed(stray)}.",
            "Put every class folder below the split it belongs to.",
        )
    found = [(split, path) for split, top in tops for path in folders(top)]
    classes = _classes(root, sorted({path.name for _, path in found}))
    index = {name: number for number, name in enumerate(classes)}
    samples: list[Sample] = []
    empty: list[str] = []
    others = 0
    for split, path in found:
        listing = list_images(path)
        others += listing.others
        samples += [Sample(image, None, None, split, label=index[path.name]) for image in listing.images]
        if not listing.images:
            empty.append(path.relative_to(root).as_posix())
    if empty:
        raise AnnotationError.because(
            f"{len(empty)} class folder(s) below {root} hold no image: {listed(empty)}.",
            "Remove the folder or put images in it.",
        )
    if all(map(_tells_nothing, classes)):
        raise AnnotationError.because(
            f"The folders {listed(classes)} of {root} are called as parts of a data set are, not as classes.",
            f"Looked for {LOOKED_FOR}; what labels the images is missing, or is in no known format.",
        )
    _refuse_unlearnable(root, classes, samples)
    samples.sort(key=lambda sample: sample.image.relative_to(root).as_posix())
    return Dataset(NAME, TASKS, root, classes, published(samples), notes=notes_about(others))


def _tells_nothing(name: str) -> bool:
    words = re.findall(r"[a-z]+", name.lower())
    return bool(words) and set(words) <= NO_CLASS


def _splits(root: Path) -> list[Path]:
    """Split folders; a folder called `test` that holds images itself is a class."""
    named = [path for path in folders(root) if path.name.lower() in SPLIT_NAMES]
    return [path for path in named if folders(path)]


def _has_images(folder: Path) -> bool:
    return any(is_image(path) for path in files_below(folder))


def _classes(root: Path, names: list[str]) -> tuple[str, ...]:
    stated_in = root / "classes.txt"
    if not stated_in.is_file():
        return tuple(names)
    stated = read_class_list(stated_in)
    if set(stated) != set(names):
        raise AnnotationError.because(
            f"{stated_in} and the folders disagree:"
            f" without a folder: {listed(sorted(set(stated) - set(names))) or 'none'};"
            f" not in the file: {listed(sorted(set(names) - set(stated))) or 'none'}.",
            "Make the list and the folder names the same.",
        )
    return stated


def _refuse_unlearnable(root: Path, classes: tuple[str, ...], samples: list[Sample]) -> None:
    if len(classes) < 2:
        raise AnnotationError.because(
            f"{root} has one class only, {classes[0]!r}; telling classes apart needs two.",
            f"Looked for {LOOKED_FOR}: is the data set one folder further down?",
        )
    learnable = Counter(sample.label for sample in samples if sample.split in (None, "train"))
    unseen = [name for number, name in enumerate(classes) if not learnable[number]]
    if unseen:
        raise AnnotationError.because(
            f"{len(unseen)} class(es) below {root} have no image to train on: {listed(unseen)}.",
            "Add training images, or remove these classes from the held-out part.",
        )
