"""Boxes and keypoints as COCO JSON beside images. Knows nothing about polygons: their boxes are kept, they are not."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.datasets.coco_parts import Vocabulary, is_complete, locate, read_boxes, read_vocabulary
from zoo.datasets.common import SPLIT_NAMES, folders, list_images, notes_about, published, refuse_duplicates
from zoo.datasets.record import Dataset, Sample
from zoo.errors import AnnotationError, listed

NAME = "coco"
TASKS = ("detection", "keypoint")
LOOKED_FOR = "COCO JSON with images, annotations and categories, as annotations/*.json, <split>/*.json or *.json"
KEYS = ("images", "annotations", "categories")


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
    return any(True for _ in _documents(root))


def read(root: Path, task: str | None = None) -> Dataset:
    """All images of all documents; images without annotation stay as negatives.

    Where instances and keypoints of the same images lie side by side, as in COCO itself, `task` chooses. All faults
    of all documents are collected before AnnotationError is raised.
    """
    files = _chosen(list(_documents(root)), task)
    vocabulary = read_vocabulary([(file.path, file.document["categories"]) for file in files])
    faults: list[str] = []
    samples: list[Sample] = []
    for file in files:
        samples += _samples(root, file, vocabulary, faults)
    twice = sorted(str(path) for path, count in Counter(sample.image for sample in samples).items() if count > 1)
    if twice:
        faults.append(f"{len(twice)} image(s) are described by two entries: {listed(twice)}")
    if faults:
        raise AnnotationError.because(
            f"The annotations of {root} cannot be used: {'; '.join(faults)}.", "Correct the JSON; nothing was skipped."
        )
    if not samples:
        raise AnnotationError.because(f"The COCO documents in {root} describe no image.", f"Looked for {LOOKED_FOR}.")
    samples.sort(key=lambda sample: sample.image.relative_to(root).as_posix())
    return Dataset(
        NAME,
        _tasks(samples, vocabulary),
        root,
        vocabulary.classes,
        published(samples),
        keypoint_names=vocabulary.keypoint_names,
        skeleton=vocabulary.skeleton,
        notes=_notes(root, samples, vocabulary),
    )


def _documents(root: Path) -> Iterator[AnnotationFile]:
    splits = [path for path in folders(root) if path.name.lower() in SPLIT_NAMES]
    for folder in (root / "annotations", *splits, root):
        for path in sorted(path for path in folder.glob("*.json") if path.is_file()) if folder.is_dir() else ():
            document = _load(path)
            if document is not None:
                yield AnnotationFile(path, _split_of(path, folder), document)


def _load(path: Path) -> dict[str, Any] | None:
    """The document, or None for JSON that is something else (captions have no categories)."""
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise AnnotationError.because(f"{path} is not valid JSON: {error}.", "Write the file again.") from error
    if not isinstance(document, dict) or not all(isinstance(document.get(key), list) for key in KEYS):
        return None
    shapeless = [key for key in KEYS if not all(isinstance(entry, dict) for entry in document[key])]
    if shapeless:
        raise AnnotationError.because(
            f"{path}: {listed(shapeless)} must be lists of objects.", "See cocodataset.org/#format-data."
        )
    return document


def _split_of(path: Path, folder: Path) -> str | None:
    """The split in the file's own words (`instances_train2017` says train), else its folder's."""
    words = re.findall(r"[a-z]+", path.stem.lower())
    named = {SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES}
    return named.pop() if len(named) == 1 else SPLIT_NAMES.get(folder.name.lower())


def _chosen(files: list[AnnotationFile], task: str | None) -> list[AnnotationFile]:
    """One kind of document, where both kinds describe the same split."""
    kinds: dict[str | None, set[bool]] = {}
    for file in files:
        kinds.setdefault(file.split, set()).add(file.has_keypoints)
    if task is None or not any(len(kind) == 2 for kind in kinds.values()):
        return files
    return [file for file in files if file.has_keypoints == (task == "keypoint")]


def _samples(root: Path, file: AnnotationFile, vocabulary: Vocabulary, faults: list[str]) -> list[Sample]:
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
    boxes = read_boxes(where, file.document, vocabulary.labels(file.path), sizes, keypoints, faults)
    missing: list[str] = []
    samples: list[Sample] = []
    for image in images:
        path = locate(root, file.path.parent, file.split, str(image["file_name"]))
        if path is None:
            missing.append(str(image["file_name"]))
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
    listing = list_images(root)
    unknown = sum(path not in described for path in listing.images)
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
