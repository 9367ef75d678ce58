"""Boxes and keypoints as COCO JSON beside images. Knows nothing about polygons: their boxes are kept, they are not."""

import functools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from zoo.datasets.card import by_task, cards, classes_of
from zoo.datasets.coco_parts import Vocabulary, is_complete, locate, read_boxes, read_vocabulary
from zoo.datasets.common import (
    SPLIT_NAMES,
    files_below,
    folders,
    is_image,
    notes_about,
    published,
    read_json,
    refuse_duplicates,
    split_in,
    split_of,
)
from zoo.datasets.described import Images
from zoo.datasets.mending import Mending
from zoo.datasets.record import Dataset, Sample
from zoo.errors import AnnotationError, listed

NAME = "coco"
TASKS = ("detection", "keypoint")
LOOKED_FOR = "COCO JSON with images, annotations and categories, as annotations/*.json, <split>/*.json or *.json"
KEYS = ("images", "annotations", "categories")

DIVISION = re.compile(r"(?:split|fold)[-_]?(\d+)")
"""The number of a division in the name of a document."""

LARGE_BYTES = 1 << 20
"""From here on parsing a document twice is felt."""


class Elsewhere:
    """The images below the root, for names that do not say in which folder: COCO's own lie in train2017/."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def called(self, name: str, split: str | None) -> Path | None:
        """The only image of that name; of several the only one below a folder of that split."""
        found = self._images.meant(name)
        if len(found) > 1:
            found = [path for path in found if split_of(self._root, path) == split]
        return found[0] if len(found) == 1 else None

    @functools.cached_property
    def _images(self) -> Images:
        return Images(self._root)


@dataclass(frozen=True)
class AnnotationFile:
    """One JSON document of the data set and the split its name or folder says."""

    path: Path
    split: str | None
    document: dict[str, Any]

    @property
    def has_keypoints(self) -> bool:
        """Whether a category defines keypoints."""
        return any(category.get("keypoints") for category in self.document["categories"])


def looks_like(root: Path) -> bool:
    """Whether there is at least one COCO document where they usually lie."""
    return any(_is_ours(path) for path, _ in _files(root))


def read(root: Path, task: str | None = None) -> Dataset:
    """All images of all documents; images without annotation stay as negatives.

    Where instances and keypoints of the same images lie side by side, as in COCO itself, `task` chooses. All faults
    of all documents are collected before AnnotationError is raised.
    """
    found = _chosen(list(_documents(root)), task)
    files = _divided(found)
    if not files:
        raise AnnotationError.because(
            f"{listed(path for path, _ in _files(root))}: no COCO document.", f"Looked for {LOOKED_FOR}."
        )
    vocabulary = read_vocabulary([(file.path, file.document["categories"]) for file in files])
    faults: list[str] = []
    samples: list[Sample] = []
    mending = Mending() if _is_public(files, vocabulary) else None
    images = Elsewhere(root)
    for file in files:
        samples += _samples(root, file, vocabulary, images, faults, mending)
    twice = sorted(str(path) for path, count in Counter(sample.image for sample in samples).items() if count > 1)
    if twice:
        faults.append(f"{len(twice)} image(s) are described by two entries: {listed(twice)}")
    if faults:
        raise AnnotationError.because(
            f"The annotations of {root} cannot be used: {'; '.join(faults)}.", "Correct the JSON; nothing was skipped."
        )
    if not samples:
        raise AnnotationError.because(f"The COCO documents in {root} describe no image.", f"Looked for {LOOKED_FOR}.")
    samples.sort(key=lambda sample: sample.image.as_posix())
    return Dataset(
        NAME,
        _tasks(samples, vocabulary),
        root,
        vocabulary.classes,
        published(samples),
        keypoint_names=vocabulary.keypoint_names,
        skeleton=vocabulary.skeleton,
        notes=(
            *_notes(root, samples, vocabulary),
            *(mending.notes if mending else ()),
            *(f"{file.path.name} divides the same images otherwise" for file in found if file not in files),
        ),
    )


def _files(root: Path) -> Iterator[tuple[Path, Path]]:
    """JSON files where documents usually lie, with the folder that each lies in."""
    splits = [path for path in folders(root) if path.name.lower() in SPLIT_NAMES]
    for folder in (root / "annotations", *splits, root):
        for path in sorted(path for path in folder.glob("*.json") if path.is_file()) if folder.is_dir() else ():
            yield path, folder


def _documents(root: Path) -> Iterator[AnnotationFile]:
    for path, folder in _files(root):
        document = _load(path)
        if document is not None:
            yield AnnotationFile(path, _split_of(path, folder), document)


def _is_ours(path: Path) -> bool:
    """Whether it is a COCO document; a large one is not parsed for that, it only has to have the words."""
    if path.stat().st_size < LARGE_BYTES:
        return _load(path) is not None
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as text:
        if all(text.find(f'"{key}"'.encode()) >= 0 for key in KEYS):
            return True
    return _load(path) is not None


def _load(path: Path) -> dict[str, Any] | None:
    """The document, or None for JSON that is something else (captions have no categories)."""
    try:
        document = read_json(path, _without_polygons)
    except ValueError as error:
        raise AnnotationError.because(f"{path}: {error}.", "Write the file again.") from error
    if not isinstance(document, dict) or not all(isinstance(document.get(key), list) for key in KEYS):
        return None
    shapeless = [key for key in KEYS if not all(isinstance(entry, dict) for entry in document[key])]
    if shapeless:
        raise AnnotationError.because(
            f"{path}: {listed(shapeless)} must be lists of objects.", "See cocodataset.org/#format-data."
        )
    return document


def _without_polygons(entry: dict[str, Any]) -> dict[str, Any]:
    """The polygons of COCO itself take most of its memory, and nothing here reads them."""
    entry.pop("segmentation", None)
    return entry


def _split_of(path: Path, folder: Path) -> str | None:
    """The split in the file's own words (`instances_train2017` says train), else its folder's."""
    return split_in(path.stem) or SPLIT_NAMES.get(folder.name.lower())


def _chosen(files: list[AnnotationFile], task: str | None) -> list[AnnotationFile]:
    """One kind of document, where both kinds describe the same split."""
    kinds: dict[str | None, set[bool]] = {}
    for file in files:
        kinds.setdefault(file.split, set()).add(file.has_keypoints)
    if task is None or not any(len(kind) == 2 for kind in kinds.values()):
        return files
    return [file for file in files if file.has_keypoints == (task == "keypoint")]


def _divided(files: list[AnnotationFile]) -> list[AnnotationFile]:
    """Without a document of two parts together (`trainval`) where each has its own, and of several divisions of the
    same images (`split1`, `split2`, as AP-10K has them) the first alone."""
    splits = {file.split for file in files}
    parts = [file for file in files if "trainval" not in file.path.stem or not {"train", "val"} <= splits]
    numbers = {int(found[1]) for file in parts if (found := DIVISION.search(file.path.stem))}
    others = sorted(numbers)[1:]
    again = [file for file in parts if (found := DIVISION.search(file.path.stem)) and int(found[1]) in others]
    of_first = {name for file in parts if file not in again for name in _names(file)}
    # folds that share no image are parts of one whole
    return [file for file in parts if file not in again or of_first.isdisjoint(_names(file))]


def _names(file: AnnotationFile) -> set[str]:
    return {str(image.get("file_name")) for image in file.document["images"]}


def _is_public(files: Sequence[AnnotationFile], vocabulary: Vocabulary) -> bool:
    """Whether documents and classes are called as those of a public set in this format."""
    own, called = set(vocabulary.classes), [file.path.name for file in files]
    fitting = (card for card in cards().values() if own <= set(classes_of(card)))
    paths = (
        path
        for card in fitting
        for task, paths in by_task(card, "layout").items()
        if by_task(card, "format")[task] == NAME
        for path in paths
    )
    return any(fnmatch(name, Path(path).name) for path in paths for name in called)


def _samples(
    root: Path,
    file: AnnotationFile,
    vocabulary: Vocabulary,
    elsewhere: Elsewhere,
    faults: list[str],
    mending: Mending | None,
) -> list[Sample]:
    where = file.path.relative_to(root).as_posix()
    images = file.document["images"]
    incomplete = [f"entry {number}" for number, image in enumerate(images) if not is_complete(image)]
    if incomplete:
        faults.append(
            f"{where}: {len(incomplete)} image(s) lack an id, a file_name or a width and height in whole pixels:"
            f" {listed(incomplete)}"
        )
        return []
    refuse_duplicates([image["id"] for image in images], f"{where} uses an image id twice")
    sizes = {image["id"]: (image.get("width"), image.get("height")) for image in images}
    keypoints = len(vocabulary.keypoint_names)
    boxes = read_boxes(where, file.document, vocabulary.labels(file.path), sizes, keypoints, faults, mending)
    missing: list[str] = []
    samples: list[Sample] = []
    for image in images:
        name = str(image["file_name"])
        path = locate(root, file.path.parent, file.split, name) or elsewhere.called(name, file.split)
        if path is None:
            missing.append(name)
            continue
        width, height = sizes[image["id"]]
        samples.append(Sample(path, width, height, file.split, boxes=tuple(boxes.get(image["id"], ()))))
    if missing:
        faults.append(f"{where}: {len(missing)} image(s) are not there: {listed(missing)}")
    return samples


def _tasks(samples: list[Sample], vocabulary: Vocabulary) -> tuple[str, ...]:
    posed = any(box.keypoints for sample in samples for box in sample.boxes)
    return TASKS if posed and vocabulary.keypoint_names else TASKS[:1]


def _notes(root: Path, samples: list[Sample], vocabulary: Vocabulary) -> tuple[str, ...]:
    described = {sample.image for sample in samples}
    unknown = sum(is_image(path) and path not in described for path in files_below(root))
    negatives = sum(not sample.boxes for sample in samples)
    used = {box.label for sample in samples for box in sample.boxes}
    unused = [name for number, name in enumerate(vocabulary.classes) if number not in used]
    return notes_about(
        0,
        f"{unknown} image(s) are not mentioned in the annotations and were ignored" if unknown else "",
        f"{negatives} image(s) have no annotation and are kept as negatives" if negatives else "",
        f"{len(unused)} class(es) have no annotation: {listed(unused)}" if unused else "",
        vocabulary.note,
    )
