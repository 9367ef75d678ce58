"""A data set cut down to some of its classes, several of them joined to one where that is wanted. Knows no language."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from zoo.datasets.record import BACKGROUND, Dataset, Sample
from zoo.errors import LabelError, listed


def restrict(dataset: Dataset, wanted: Mapping[str, Sequence[str]]) -> Dataset:
    """The data set with just these classes, in the order it has them; `wanted` gives for each the old ones in it.

    Classification drops the images of other classes; detection and keypoints drop the other boxes and keep the images
    as negatives; segmentation keeps the mask files and sets `remap`, which turns other classes into the background: the
    data set's own class of that name, kept even if not asked for, or a new class 0. LabelError if a class is not
    there, belongs to two, or if fewer than two are left for classification.
    """
    new_name = _names(dataset, wanted)
    if "segmentation" in dataset.tasks:
        return _restrict_masks(dataset, new_name)
    kept = _kept(dataset, new_name)
    if "classification" in dataset.tasks and len(kept) < 2:
        raise LabelError.because(
            f"Only {kept[0]!r} would be left to tell apart.", "Ask for at least two classes, or for a detector."
        )
    new = {number: kept.index(new_name[old]) for number, old in enumerate(dataset.classes) if old in new_name}
    samples = tuple(
        _restrict_sample(sample, new) for sample in dataset.samples if sample.label is None or sample.label in new
    )
    return replace(dataset, classes=kept, samples=samples)


def _names(dataset: Dataset, wanted: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Old class -> the class it becomes."""
    asked = [old for olds in wanted.values() for old in olds]
    foreign = [name for name in asked if name not in dataset.classes]
    if foreign or not asked:
        raise LabelError.because(
            f"{listed(foreign) or 'No name at all'}: not among the classes of {dataset.root}.",
            f"The classes are: {listed(dataset.classes, shown=len(dataset.classes))}.",
        )
    twice = [name for name in dict.fromkeys(asked) if asked.count(name) > 1]
    if twice:
        raise LabelError.because(f"{listed(twice)}: asked for under two names.", "Ask for each class once.")
    return {old: name for name, olds in wanted.items() for old in olds}


def _kept(dataset: Dataset, new_name: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(new_name[old] for old in dataset.classes if old in new_name))


def _restrict_sample(sample: Sample, new: dict[int, int]) -> Sample:
    boxes = tuple(replace(box, label=new[box.label]) for box in sample.boxes if box.label in new)
    return replace(sample, label=None if sample.label is None else new[sample.label], boxes=boxes)


def _restrict_masks(dataset: Dataset, new_name: Mapping[str, str]) -> Dataset:
    own = None if dataset.background is None else dataset.classes[dataset.background]
    names = {own: own, **new_name} if own is not None else dict(new_name)
    kept = _kept(dataset, names)
    if kept == dataset.classes:
        return dataset
    if own is None:
        kept = (BACKGROUND, *kept)
    rest = kept.index(names[own] if own is not None else BACKGROUND)
    here = tuple(kept.index(names[old]) if old in names else rest for old in dataset.classes)
    # file value -> its class, if the set has said so before -> the class now; pixels to ignore are beyond the classes
    remap = tuple(here[n] if n < len(here) else n for n in dataset.remap) if dataset.remap else here
    return replace(dataset, classes=kept, remap=remap)
