"""Poses as MPII's annotations are passed on in JSON: a list of people, each with its joints, its middle and its size.

The set has no boxes. A person's box is the square of its stated size around its stated middle: 200 pixels by the scale,
the middle moved down by 15, as everybody who trains on this set takes it (Newell et al., "Stacked Hourglass Networks",
ECCV 2016, and its code). So the boxes serve poses, and no detector.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.datasets.card import cards, split_called
from zoo.datasets.common import is_there, notes_about, published, read_json, shown_size
from zoo.datasets.record import Box, Dataset, Keypoint, Sample
from zoo.errors import AnnotationError, listed

NAME = "mpii"
TASKS = ("keypoint",)
LOOKED_FOR = "MPII's annotations as JSON, annotations/mpii_train.json, beside images/"
PARTS = ("train", "val")
"""The joints of the test images are not published."""
CLASS = "person"
SIZE_PX = 200.0
LOWER_PX = 15.0


def looks_like(root: Path) -> bool:
    """Whether one of the files is there."""
    return any(True for _ in _files(root))


def read(root: Path, task: str | None = None) -> Dataset:
    """Every image that somebody is annotated in. All faults are collected before AnnotationError is raised."""
    card = cards()["mpii"]
    names = tuple(card["keypoints"])
    faults: list[str] = []
    people: dict[Path, list[Box]] = {}
    sizes: dict[Path, tuple[int, int]] = {}
    splits: dict[Path, str | None] = {}
    for part, path in _files(root):
        where = path.relative_to(root).as_posix()
        try:
            entries = read_json(path)
        except ValueError as error:
            faults.append(f"{where}: {error}")
            continue
        for number, entry in enumerate(entries if isinstance(entries, list) else []):
            try:
                image = root / "images" / str(entry["image"])
                sizes[image] = sizes.get(image) or shown_size(image)
                people.setdefault(image, []).append(_person(entry, sizes[image], len(names)))
                splits[image] = split_called(part)
            except (KeyError, TypeError, ValueError, OSError) as error:
                faults.append(f"{where}, entry {number}: {error!r}")
    if faults or not people:
        raise AnnotationError.because(
            f"The annotations of {root} cannot be used: {listed(faults) or 'they describe nobody'}.",
            f"Looked for {LOOKED_FOR}.",
        )
    samples = [Sample(image, *sizes[image], splits[image], boxes=tuple(people[image])) for image in sorted(people)]
    return Dataset(
        NAME,
        TASKS,
        root,
        (CLASS,),
        published(samples),
        keypoint_names=names,
        skeleton=tuple((names.index(a), names.index(b)) for a, b in card["skeleton"]),
        notes=notes_about(0, "the boxes are squares around the people: they serve poses, and no detector"),
    )


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    for part in PARTS:
        path = root / "annotations" / f"mpii_{part}.json"
        if is_there(path):
            yield part, path


def _person(entry: dict[str, Any], size: tuple[int, int], joints: int) -> Box:
    """The box within the image, and the joints. MATLAB counts pixels from 1.

    Raises:
        ValueError: with what is wrong.
    """
    if len(entry["joints"]) != joints or len(entry["joints_vis"]) != joints:
        raise ValueError(f"{len(entry['joints'])} joints, not {joints}")
    points: list[Keypoint] = [
        (float(x) - 1, float(y) - 1, 2) if visible else (0.0, 0.0, 0)
        for (x, y), visible in zip(entry["joints"], entry["joints_vis"], strict=True)
    ]
    x, y, scale = float(entry["center"][0]) - 1, float(entry["center"][1]) - 1, float(entry["scale"])
    half, y = SIZE_PX * scale / 2, y + LOWER_PX * scale
    left, top = max(x - half, 0.0), max(y - half, 0.0)
    right, bottom = min(x + half, float(size[0])), min(y + half, float(size[1]))
    if right <= left or bottom <= top:
        raise ValueError(f"a person at {x:g}, {y:g} is outside of the image")
    return Box(left, top, right - left, bottom - top, 0, keypoints=tuple(points))
