"""Several data sets as one, without taking what one of them does not label for background. Opens no file.

A class that a source does not label may be in its images unseen. The merged set knows which classes these are for each
sample (`Dataset.unlabelled`); whoever trains or scores leaves them out there. Where a source labels every instance of a
class is not looked at: one that labels some cars calls the others background, alone or merged.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from zoo.datasets.record import BACKGROUND, Dataset, Sample, Source
from zoo.errors import MergeError, listed


def merge(parts: Mapping[str, Dataset]) -> Dataset:
    """One data set of several by name; classes of the same name become one, and so does everything called background.

    The parts are cut down to their classes and divided already. Of an image for classification the one label excludes
    all others, so there nothing is unlabelled.

    Raises:
        MergeError: no task that all of them serve, other keypoints, or one lies in another's folder.
    """
    datasets = list(parts.values())
    tasks = tuple(task for task in datasets[0].tasks if all(task in dataset.tasks for dataset in datasets))
    if not tasks:
        serving = (f"{name} for {listed(dataset.tasks)}" for name, dataset in parts.items())
        raise MergeError.because(f"The data sets serve no task together: {listed(serving)}.", "Leave one out.")
    _refuse_other_keypoints(parts)
    _refuse_nested(parts)
    classes = tuple(dict.fromkeys(_key(name) for dataset in datasets for name in dataset.classes))
    numbers = [tuple(classes.index(_key(name)) for name in dataset.classes) for dataset in datasets]
    exclusive = "classification" in tasks
    return Dataset(
        format=" + ".join(dict.fromkeys(dataset.format for dataset in datasets)),
        tasks=tasks,
        root=Path(os.path.commonpath([dataset.root for dataset in datasets])),
        classes=classes,
        samples=tuple(
            _moved(sample, source, new)
            for source, (dataset, new) in enumerate(zip(datasets, numbers, strict=True))
            for sample in dataset.samples
        ),
        keypoint_names=datasets[0].keypoint_names,
        skeleton=datasets[0].skeleton,
        ignore_index=next((d.ignore_index for d in datasets if d.ignore_index is not None), None),
        notes=tuple(f"{name}: {note}" for name, dataset in parts.items() for note in dataset.notes),
        leaks=tuple(
            (f"{name}/{one}", f"{name}/{twin}") for name, dataset in parts.items() for one, twin in dataset.leaks
        ),
        sources=tuple(
            Source(
                name,
                unlabelled=() if exclusive else tuple(n for n in range(len(classes)) if n not in new),
                remap=_remap(dataset, new),
            )
            for (name, dataset), new in zip(parts.items(), numbers, strict=True)
        ),
    )


def _key(name: str) -> str:
    return BACKGROUND if name.casefold() == BACKGROUND else name


def _moved(sample: Sample, source: int, new: Sequence[int]) -> Sample:
    return replace(
        sample,
        source=source,
        label=None if sample.label is None else new[sample.label],
        boxes=tuple(replace(box, label=new[box.label]) for box in sample.boxes),
    )


def _remap(dataset: Dataset, new: Sequence[int]) -> tuple[int, ...]:
    """Value of a mask file -> class of the merged set."""
    if "segmentation" not in dataset.tasks:
        return ()
    values = dataset.remap or range(len(dataset.classes))
    return tuple(new[number] if number < len(new) else number for number in values)  # beyond: pixels to ignore


def _refuse_other_keypoints(parts: Mapping[str, Dataset]) -> None:
    if len({dataset.keypoint_names for dataset in parts.values()}) > 1:
        counts = (f"{name} has {len(dataset.keypoint_names)}" for name, dataset in parts.items())
        raise MergeError.because(
            f"The data sets mark other keypoints: {listed(counts)}.",
            "Only sets with the same points in the same order can be used together.",
        )


def _refuse_nested(parts: Mapping[str, Dataset]) -> None:
    for name, dataset in parts.items():
        for other, holder in parts.items():
            if name != other and dataset.root.is_relative_to(holder.root):
                raise MergeError.because(
                    f"{name} ({dataset.root}) lies in the folder of {other} ({holder.root}).", "Give one of them."
                )
