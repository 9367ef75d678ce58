"""Divides a data set into training, validation and test parts. Knows nothing about formats and opens no file.

It prevents the same picture in two parts, not two shots of the same scene.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from zoo.datasets.record import Dataset, Sample
from zoo.errors import SplitError, listed

HELD_OUT = ("test", "val")
"""In order of precedence: a picture in both stays in the first."""


@dataclass(frozen=True)
class Group:
    """Samples with the same picture; they go to one part together."""

    key: str
    members: tuple[Sample, ...]

    @property
    def label(self) -> int | None:
        """The label to stratify by."""
        return self.members[0].label

    @property
    def labels(self) -> set[int]:
        """Every class that occurs in the group."""
        boxes = {box.label for member in self.members for box in member.boxes}
        return boxes | {member.label for member in self.members if member.label is not None}


def split(
    dataset: Dataset,
    seed: int = 0,
    val: float = 0.15,
    test: float = 0.2,
    hashes: Mapping[Path, str] | None = None,
) -> Dataset:
    """Every sample in "train", "val" or "test"; parts that exist already are kept as they are.

    `test` is the share of all undivided images, `val` the share of what then remains, both at least one image (per
    class for classification) unless 0. `hashes` (image -> content) keeps equal pictures together; those in train that
    a held-out part has too are taken out and listed in `leaks`. The result depends on the seed and on the paths
    relative to the root, nothing else. SplitError with the numbers if there are too few samples.
    """
    if not (0 <= val < 1 and 0 <= test < 1):
        raise SplitError.because(f"Shares of val {val} and test {test} are not between 0 and 1.", "Use 0.15 and 0.2.")
    held, pool, leaks = _without_leaks(dataset, hashes or {})
    groups = _groups(dataset, pool, hashes or {}, seed)
    shares = {name: share for name, share in (("test", test), ("val", val)) if share and name not in held}
    _refuse_too_few(dataset, groups, list(shares))
    part_of: dict[Path, str] = {sample.image: name for name, samples in held.items() for sample in samples}
    remaining = groups
    for name, share in shares.items():
        taken = _take(remaining, share, leave=len(shares) if name == "test" else 1)
        if not taken:
            raise SplitError.because(
                f"No image of {dataset.root} can go to {name}: each holds a class that train would lose.",
                "Add images of the rare classes.",
            )
        part_of |= {member.image: name for group in taken for member in group.members}
        keys = {group.key for group in taken}
        remaining = [group for group in remaining if group.key not in keys]
    part_of |= {member.image: "train" for group in remaining for member in group.members}
    samples = tuple(
        replace(sample, split=part_of[sample.image]) for sample in dataset.samples if sample.image in part_of
    )
    divided = replace(dataset, samples=samples, leaks=dataset.leaks + leaks, notes=dataset.notes + _notes(groups))
    _refuse_unseen_classes(divided)
    return divided


def _without_leaks(
    dataset: Dataset, hashes: Mapping[Path, str]
) -> tuple[dict[str, list[Sample]], list[Sample], tuple[tuple[str, str], ...]]:
    """The held-out parts there are, the samples to divide, and the pairs (taken out, its twin)."""
    held: dict[str, list[Sample]] = {}
    twin: dict[str, Path] = {}
    leaks: list[tuple[str, str]] = []
    pool: list[Sample] = []

    def leaked(sample: Sample) -> bool:
        digest = hashes.get(sample.image)
        if digest is None or digest not in twin:
            return False
        leaks.append((dataset.relative(sample.image), dataset.relative(twin[digest])))
        return True

    ordered = sorted(dataset.samples, key=lambda sample: dataset.relative(sample.image))
    for name in HELD_OUT:
        kept = [sample for sample in ordered if sample.split == name and not leaked(sample)]
        if kept:
            held[name] = kept
        for sample in kept:
            if sample.image in hashes:
                twin.setdefault(hashes[sample.image], sample.image)
    pool = [sample for sample in ordered if sample.split not in HELD_OUT and not leaked(sample)]
    return held, pool, tuple(sorted(leaks))


def _groups(dataset: Dataset, pool: Sequence[Sample], hashes: Mapping[Path, str], seed: int) -> list[Group]:
    """Groups of equal pictures in an order drawn by the seed, the same on every machine."""
    members: dict[str, list[Sample]] = defaultdict(list)
    for sample in pool:
        members[hashes.get(sample.image, f"path {dataset.relative(sample.image)}")].append(sample)
    groups = [Group(dataset.relative(equal[0].image), tuple(equal)) for equal in members.values()]
    return sorted(groups, key=lambda group: (hashlib.sha256(f"{seed}:{group.key}".encode()).digest(), group.key))


def _take(groups: list[Group], share: float, leave: int) -> list[Group]:
    """About `share` of each label's groups (of all groups where there are no labels), at least `leave` left over.

    Objects and masks give a group no label of its own; there, groups whose classes would vanish are passed over.
    """
    # images with objects and images without are divided apart: a part full of empty scenes would score nothing
    strata: dict[tuple[int | None, bool], list[Group]] = defaultdict(list)
    for group in groups:
        strata[group.label, bool(group.labels)].append(group)
    taken: list[Group] = []
    for (label, _), stratum in strata.items():
        wanted = min(max(1, int(len(stratum) * share + 0.5)), len(stratum) - leave)
        left: dict[int, int] = defaultdict(int)
        for group in stratum:
            for name in group.labels:
                left[name] += 1
        for group in stratum:
            if wanted <= 0:
                break
            if label is None and any(left[name] <= leave for name in group.labels):
                continue
            for name in group.labels:
                left[name] -= 1
            taken.append(group)
            wanted -= 1
    return taken


def _refuse_too_few(dataset: Dataset, groups: list[Group], parts: list[str]) -> None:
    needed = 1 + len(parts)
    asked = " and ".join(["train", *parts])
    hint = "Add images, or provide the held-out part yourself."
    if len(groups) < needed:
        raise SplitError.because(
            f"{len(groups)} different image(s) in {dataset.root} cannot be divided into {asked}.", hint
        )
    if not any(group.label is not None for group in groups):
        return
    counts = dict.fromkeys(range(len(dataset.classes)), 0)
    for group in groups:
        if group.label is not None:
            counts[group.label] += 1
    few = [f"{dataset.classes[number]} {count}" for number, count in counts.items() if count < needed]
    if few:
        raise SplitError.because(
            f"Dividing into {asked} needs {needed} different images of each class; there are of {listed(few)}.", hint
        )


def _refuse_unseen_classes(dataset: Dataset) -> None:
    """Every class that is annotated anywhere must be in train, and every part that exists must not be empty."""
    seen: dict[str, set[int]] = defaultdict(set)
    for sample in dataset.samples:
        own = {box.label for box in sample.boxes} | ({sample.label} if sample.label is not None else set())
        seen[str(sample.split)] |= own
    unseen = sorted(set().union(*seen.values()) - seen["train"])
    if unseen:
        counts = [f"{dataset.classes[number]} ({_where(seen, number)})" for number in unseen]
        raise SplitError.because(
            f"{len(unseen)} class(es) do not occur in train: {listed(counts)}.", "Add images of them to train."
        )
    bare = sorted(name for name, labels in seen.items() if not labels)
    if bare and any(seen.values()):
        raise SplitError.because(
            f"No object of {listed(dataset.classes)} occurs in {' and '.join(bare)}.",
            "Add images that show them, or leave the division to edge: put all images into one folder.",
        )


def _where(seen: Mapping[str, set[int]], label: int) -> str:
    return "only in " + " and ".join(sorted(name for name, labels in seen.items() if label in labels))


def _notes(groups: list[Group]) -> tuple[str, ...]:
    torn = sum(len({member.label for member in group.members}) > 1 for group in groups)
    return (f"{torn} picture(s) occur with two different labels",) if torn else ()
