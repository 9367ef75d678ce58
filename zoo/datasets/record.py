"""The one record every data set format is read into, and its JSON form. Knows no file format and opens no image."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

BACKGROUND = "background"
"""What the class is called, in any capitals, that stands for everything without a class of its own."""

Keypoint = tuple[float, float, int]
"""x, y in pixels and the COCO visibility: 0 not labelled, 1 hidden, 2 visible."""


@dataclass(frozen=True, slots=True)
class Box:
    """One object: left, top, width, height in pixels; `label` is an index into the data set's classes."""

    x: float
    y: float
    w: float
    h: float
    label: int
    crowd: bool = False
    keypoints: tuple[Keypoint, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """One image and what is known about it; `split` is "train", "val", "test" or None (not divided yet).

    `label` is the class of an image that has exactly one, `labels` are those of one that may have several or none.
    """

    image: Path
    width: int | None
    height: int | None
    split: str | None
    label: int | None = None
    boxes: tuple[Box, ...] = ()
    mask: Path | None = None
    source: int = 0
    """Of a merged data set: the number of the one it comes from."""
    labels: tuple[int, ...] | None = None

    @property
    def shown(self) -> tuple[int, ...]:
        """The class of the whole image, or its classes, and of every object in it; empty where nothing is said."""
        whole = () if self.label is None else (self.label,)
        return whole + (self.labels or ()) + tuple(box.label for box in self.boxes)


@dataclass(frozen=True)
class Source:
    """One of the data sets that were merged. `unlabelled` are the classes of the merged set that it does not label:
    where one of them is to be seen in its images, nothing says so. `remap` is that of its mask files."""

    name: str
    unlabelled: tuple[int, ...]
    remap: tuple[int, ...] = ()


@dataclass(frozen=True)
class Dataset:
    """Everything read from one folder.

    `skeleton` counts keypoints from 0. `remap`, if not empty, gives for each value of the mask files the class index
    it now stands for (values beyond it, such as `ignore_index`, stay). `notes` are facts worth telling, `leaks`
    the images taken out because a held-out part has the same picture, as (removed, its twin), relative to `root`.
    `sources` is empty unless several data sets were merged; then each has its own `remap`.
    """

    format: str
    tasks: tuple[str, ...]
    root: Path
    classes: tuple[str, ...]
    samples: tuple[Sample, ...]
    keypoint_names: tuple[str, ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()
    ignore_index: int | None = None
    remap: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    leaks: tuple[tuple[str, str], ...] = ()
    sources: tuple[Source, ...] = ()

    def part(self, split: str | None) -> tuple[Sample, ...]:
        """The samples of one split, in order."""
        return tuple(sample for sample in self.samples if sample.split == split)

    @property
    def background(self) -> int | None:
        """The number of the class that stands for everything else, if there is one."""
        return next((number for number, name in enumerate(self.classes) if name.casefold() == BACKGROUND), None)

    def unlabelled(self, sample: Sample) -> tuple[int, ...]:
        """The classes that may be in the sample's image without anything saying so."""
        return self.sources[sample.source].unlabelled if self.sources else ()

    def remap_of(self, sample: Sample) -> tuple[int, ...]:
        """What the values of the sample's mask file stand for; empty where they are the class numbers."""
        return self.sources[sample.source].remap if self.sources else self.remap

    def relative(self, path: Path) -> str:
        """`path` below the root with forward slashes; as it is when it lies elsewhere."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.as_posix()


def to_json(dataset: Dataset) -> dict[str, Any]:
    """A document for `json.dumps`; paths below the root are relative to it, empty fields are left out."""
    return {
        "format": dataset.format,
        "tasks": list(dataset.tasks),
        "root": str(dataset.root),
        "classes": list(dataset.classes),
        "keypoint_names": list(dataset.keypoint_names),
        "skeleton": [list(edge) for edge in dataset.skeleton],
        "ignore_index": dataset.ignore_index,
        "remap": list(dataset.remap),
        "notes": list(dataset.notes),
        "leaks": [list(pair) for pair in dataset.leaks],
        "sources": [
            {"name": source.name, "unlabelled": list(source.unlabelled), "remap": list(source.remap)}
            for source in dataset.sources
        ],
        "samples": [_sample_to_json(dataset, sample) for sample in dataset.samples],
    }


def from_json(document: dict[str, Any]) -> Dataset:
    """The data set `to_json` was given, equal in every field."""
    root = Path(document["root"])
    return Dataset(
        format=document["format"],
        tasks=tuple(document["tasks"]),
        root=root,
        classes=tuple(document["classes"]),
        samples=tuple(_sample_from_json(root, entry) for entry in document["samples"]),
        keypoint_names=tuple(document["keypoint_names"]),
        skeleton=tuple((edge[0], edge[1]) for edge in document["skeleton"]),
        ignore_index=document["ignore_index"],
        remap=tuple(document["remap"]),
        notes=tuple(document["notes"]),
        leaks=tuple((pair[0], pair[1]) for pair in document["leaks"]),
        sources=tuple(
            Source(source["name"], tuple(source["unlabelled"]), tuple(source["remap"]))
            for source in document.get("sources", ())  # absent from packages made before data sets were merged
        ),
    )


def _sample_to_json(dataset: Dataset, sample: Sample) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "image": dataset.relative(sample.image),
        "width": sample.width,
        "height": sample.height,
        "split": sample.split,
    }
    if sample.label is not None:
        entry["label"] = sample.label
    if sample.boxes:
        entry["boxes"] = [_box_to_json(box) for box in sample.boxes]
    if sample.mask is not None:
        entry["mask"] = dataset.relative(sample.mask)
    if sample.source:
        entry["source"] = sample.source
    if sample.labels is not None:
        entry["labels"] = list(sample.labels)
    return entry


def _box_to_json(box: Box) -> dict[str, Any]:
    entry: dict[str, Any] = {"xywh": [box.x, box.y, box.w, box.h], "label": box.label}
    if box.crowd:
        entry["crowd"] = True
    if box.keypoints:
        entry["keypoints"] = [list(point) for point in box.keypoints]
    return entry


def _sample_from_json(root: Path, entry: dict[str, Any]) -> Sample:
    mask, labels = entry.get("mask"), entry.get("labels")
    return Sample(
        image=root / entry["image"],
        width=entry["width"],
        height=entry["height"],
        split=entry["split"],
        label=entry.get("label"),
        boxes=tuple(_box_from_json(box) for box in entry.get("boxes", ())),
        mask=None if mask is None else root / mask,
        source=entry.get("source", 0),
        labels=None if labels is None else tuple(labels),
    )


def _box_from_json(entry: dict[str, Any]) -> Box:
    x, y, w, h = entry["xywh"]
    points = tuple((p[0], p[1], p[2]) for p in entry.get("keypoints", ()))
    return Box(x, y, w, h, entry["label"], crowd=entry.get("crowd", False), keypoints=points)
