"""What a checked data set holds, in numbers: parts, classes, equal pictures. Opens no file."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zoo.datasets.record import Dataset, Sample

UNDIVIDED = "undivided"
RARE = 0.1
"""Of the median class's images: a class with fewer is called rare."""


@dataclass(frozen=True)
class ClassCount:
    """`images` that show the class, and its `objects`, which are the same where an image has one label."""

    name: str
    images: int
    objects: int
    rare: bool


@dataclass(frozen=True)
class Overview:
    """`parts` counts images by split; `unlabelled` are images without any object, None where nothing says so
    (segmentation). `twins` are pictures that lie in two parts, as groups of paths below the root."""

    parts: dict[str, int]
    classes: tuple[ClassCount, ...]
    unlabelled: int | None
    sizes: tuple[tuple[int, int], tuple[int, int], tuple[int, int]] | None
    duplicates: int
    twins: tuple[tuple[str, ...], ...]


def overview(dataset: Dataset, hashes: Mapping[Path, str]) -> Overview:
    """Of a data set whose images were checked; `hashes` gives the content of each.

    Classes of masks are not counted: that takes opening all of them.
    """
    parts = Counter(sample.split or UNDIVIDED for sample in dataset.samples)
    boxed = dataset.tasks != ("segmentation",)
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in dataset.samples:
        if sample.image in hashes:
            groups[hashes[sample.image]].append(sample)
    twins = sorted(
        tuple(dataset.relative(sample.image) for sample in equal)
        for equal in groups.values()
        if len({sample.split for sample in equal}) > 1
    )
    return Overview(
        parts=dict(parts),
        classes=_classes(dataset) if boxed else (),
        unlabelled=sum(s.label is None and not s.boxes for s in dataset.samples) if boxed else None,
        sizes=_sizes(dataset),
        duplicates=sum(len(equal) - 1 for equal in groups.values()),
        twins=tuple(twins),
    )


def _classes(dataset: Dataset) -> tuple[ClassCount, ...]:
    images: Counter[int] = Counter()
    objects: Counter[int] = Counter()
    for sample in dataset.samples:
        labels = [box.label for box in sample.boxes] + ([sample.label] if sample.label is not None else [])
        objects.update(labels)
        images.update(set(labels))
    counts = sorted(images[number] for number in range(len(dataset.classes)))
    middle = counts[len(counts) // 2] if counts else 0
    return tuple(
        ClassCount(name, images[number], objects[number], images[number] < RARE * middle)
        for number, name in enumerate(dataset.classes)
    )


def _sizes(dataset: Dataset) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]] | None:
    """The smallest, the middle and the largest image, by area."""
    known = sorted(
        ((s.width, s.height) for s in dataset.samples if s.width and s.height), key=lambda size: size[0] * size[1]
    )
    return (known[0], known[len(known) // 2], known[-1]) if known else None
