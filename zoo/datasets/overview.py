"""What a checked data set holds, in numbers: parts, classes, pictures equal or alike. Opens no file."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.datasets.lookalikes import Look, lookalikes
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


ORDER = {None: 0, "train": 0, "val": 1, "test": 2}
"""A picture is held against those of the parts before its own; what is undivided will be trained on."""


@dataclass(frozen=True)
class Alike:
    """A held-out image, and one of another part that shows the same scene; a `correlation` of 1 is no difference."""

    image: str
    other: str
    correlation: float


@dataclass(frozen=True)
class Overview:
    """`parts` counts images by split; `unlabelled` are images without any object, None where nothing says so
    (segmentation). `twins` are pictures that lie in two parts, as groups of paths below the root, `alike` those that
    are not equal but show the same scene, each held-out image once."""

    parts: dict[str, int]
    classes: tuple[ClassCount, ...]
    unlabelled: int | None
    sizes: tuple[tuple[int, int], tuple[int, int], tuple[int, int]] | None
    duplicates: int
    twins: tuple[tuple[str, ...], ...]
    alike: tuple[Alike, ...]


def overview(dataset: Dataset, hashes: Mapping[Path, str], looks: Mapping[Path, Look]) -> Overview:
    """Of a data set whose images were checked; `hashes` gives the content of each, `looks` how it looks.

    Classes of masks are not counted: that takes opening all of them.
    """
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
        parts=part_counts(dataset),
        classes=class_counts(dataset.classes, dataset.samples) if boxed else (),
        unlabelled=sum(not sample.shown for sample in dataset.samples) if boxed else None,
        sizes=_sizes(dataset),
        duplicates=sum(len(equal) - 1 for equal in groups.values()),
        twins=tuple(twins),
        alike=_alike(dataset, looks, {name for group in twins for name in group}),
    )


def _alike(dataset: Dataset, looks: Mapping[Path, Look], equal: set[str]) -> tuple[Alike, ...]:
    """Without the pictures that lie in two parts as they are."""
    seen = [sample for sample in dataset.samples if sample.image in looks]
    if len({ORDER[sample.split] for sample in seen}) < 2:
        return ()
    pairs = lookalikes([looks[sample.image] for sample in seen], [ORDER[sample.split] for sample in seen])
    named = (
        Alike(dataset.relative(seen[pair.one].image), dataset.relative(seen[pair.other].image), pair.correlation)
        for pair in pairs
    )
    return tuple(alike for alike in named if alike.image not in equal)


def part_counts(dataset: Dataset) -> dict[str, int]:
    """How many images each part has."""
    return dict(Counter(sample.split or UNDIVIDED for sample in dataset.samples))


def class_counts(classes: Sequence[str], samples: Iterable[Sample]) -> tuple[ClassCount, ...]:
    """How often each class is shown, in the order of the classes."""
    images: Counter[int] = Counter()
    objects: Counter[int] = Counter()
    for sample in samples:
        objects.update(sample.shown)
        images.update(set(sample.shown))
    counts = sorted(images[number] for number in range(len(classes)))
    middle = counts[len(counts) // 2] if counts else 0
    return tuple(
        ClassCount(name, images[number], objects[number], images[number] < RARE * middle)
        for number, name in enumerate(classes)
    )


def _sizes(dataset: Dataset) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]] | None:
    """The smallest, the middle and the largest image, by area."""
    known = sorted(
        ((s.width, s.height) for s in dataset.samples if s.width and s.height), key=lambda size: size[0] * size[1]
    )
    return (known[0], known[len(known) // 2], known[-1]) if known else None
