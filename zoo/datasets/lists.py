"""Classification as public sets lay it out: lists of images with their classes, as the cards say under `lists`.

`files` is the list of a part, with {split}; `line` is what a line looks like, with the groups `name` and `class`;
`image` is where the image of that name lies. Knows no set by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from zoo.datasets.card import cards, classes_of, split_called
from zoo.datasets.common import is_there, list_images, notes_about, published, read_lines, refuse_duplicates
from zoo.datasets.record import Dataset, Sample
from zoo.errors import AnnotationError, listed

NAME = "lists"
TASKS = ("classification",)
LOOKED_FOR = "lists of images with their classes, as a public data set has them (docs/PUBLIC_DATASETS.md)"


@dataclass(frozen=True)
class Layout:
    """How one public set lies on disk; `classes` are the card's, in its order."""

    card: str
    files: str
    parts: tuple[str, ...]
    line: str
    image: str
    classes: tuple[str, ...]


def looks_like(root: Path) -> bool:
    """Whether a list is there, and the first image that it names."""
    return any(True for _ in _here(root))


def read(root: Path, task: str | None = None) -> Dataset:
    """Every image of the lists. All faults of all lists are collected before AnnotationError is raised."""
    layout = next(_here(root))
    classes = {name: number for number, name in enumerate(layout.classes)}
    faults: list[str] = []
    samples: list[Sample] = []
    for part, path in _lists(root, layout):
        gone: list[str] = []
        for number, found in _lines(path, layout):
            where = f"{path.relative_to(root).as_posix()}, line {number}"
            if found is None:
                faults.append(f"{where} names no image and class")
            elif found["class"] not in classes:
                faults.append(f"{where}: {found['class']!r} is no class of {layout.card}")
            else:
                image = root / layout.image.format(name=found["name"])
                samples.append(Sample(image, None, None, split_called(part), label=classes[found["class"]]))
                if not is_there(image):
                    gone.append(found["name"])
        if gone:
            faults.append(f"{path.relative_to(root).as_posix()}: {len(gone)} image(s) are not there: {listed(gone)}")
    if faults:
        raise AnnotationError.because(
            f"The lists of {root} cannot be used: {listed(faults)}.", "Unpack the set again; nothing was skipped."
        )
    refuse_duplicates(
        [sample.image.relative_to(root) for sample in samples], f"The lists of {root} name an image twice"
    )
    used = sorted({sample.label for sample in samples if sample.label is not None})
    bare = len(list_images(root / layout.image.partition("{")[0].rpartition("/")[0]).images) - len(samples)
    return Dataset(
        NAME,
        TASKS,
        root,
        tuple(layout.classes[number] for number in used),
        published(sorted((_renumbered(sample, used) for sample in samples), key=lambda sample: sample.image)),
        notes=notes_about(
            0, f"laid out as {layout.card}", f"{bare} image(s) are in no list and were ignored" if bare > 0 else ""
        ),
    )


def _here(root: Path) -> Iterator[Layout]:
    for name, card in cards().items():
        if "lists" not in card:
            continue
        stated = card["lists"]
        layout = Layout(
            name, stated["files"], tuple(stated["parts"]), stated["line"], stated["image"], classes_of(card)
        )
        for _, path in _lists(root, layout):
            _, found = next(_lines(path, layout), (0, None))
            if found and is_there(root / layout.image.format(name=found["name"])):
                yield layout
                break


def _lists(root: Path, layout: Layout) -> Iterator[tuple[str, Path]]:
    for part in layout.parts:
        path = root / layout.files.format(split=part)
        if is_there(path):
            yield part, path


def _lines(path: Path, layout: Layout) -> Iterator[tuple[int, Mapping[str, str] | None]]:
    """The number of each line that says something, with what it says."""
    for number, line in enumerate(read_lines(path), start=1):
        if line and not line.startswith("#"):
            found = re.fullmatch(layout.line, line)
            yield number, found.groupdict() if found else None


def _renumbered(sample: Sample, used: list[int]) -> Sample:
    assert sample.label is not None
    return Sample(sample.image, None, None, sample.split, label=used.index(sample.label))
