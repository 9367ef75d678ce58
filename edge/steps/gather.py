"""Request + data sets -> one checked, matched, divided data set, written as dataset.json into the step's folder."""

from __future__ import annotations

import hashlib
import itertools
import json
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from edge.errors import DataError
from edge.records import DataSource, Gathered, Request
from edge.registry import Registered, Registry, senses
from edge.settings import Given
from edge.workdir import files_fingerprint, write_atomic
from zoo.datasets import read_dataset
from zoo.datasets.check import Checked, check_images
from zoo.datasets.merge import merge
from zoo.datasets.overview import class_counts
from zoo.datasets.record import Dataset, to_json
from zoo.datasets.split import split
from zoo.demo import CLASSES as DIGITS
from zoo.demo import write_digits
from zoo.errors import LabelError, listed
from zoo.labels import Hit, Vocabulary, find, idle, joined, match, restrict

DATASET = "dataset.json"
SHOWN = 10  # bad files named in an error before the rest is only counted
MOST_TOGETHER = 4  # data sets that are looked for to serve a request together, where none was named
DEMO = "handwritten digits of scikit-learn"


def run(
    request: Request,
    given: Sequence[Given],
    registry: Registry,
    folder: Path,
    *,
    skip_bad: bool,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Gathered:
    """Read, check, match, divide and merge the data: what was given, else what the registry has for the request.

    Raises:
        DataError: no data for this request, or images that cannot be read without `skip_bad`.
        ZooError: the format, annotations or classes do not serve the request, or do not go together.
    """
    here = registry.here()
    sources = tuple(given) or _known(request, here) or (_demo(request, registry, folder),)
    checked = {one.name: check_images(read_dataset(one.root, request.task), progress) for one in sources}
    for one in checked.values():
        _refuse_bad(one, skip_bad)
    matches = match(
        request.objects,
        {
            name: Vocabulary(one.dataset.classes, senses(here.get(name)), exclusive=request.task == "classification")
            for name, one in checked.items()
        },
    )
    wanted = joined(matches)
    parts = {name: _part(request, one, wanted[name], seed=seed) for name, one in checked.items()}
    hashes = {path: sha1 for one in checked.values() for path, sha1 in one.hashes.items()}
    # dividing once more finds pictures that two of the sets have, in parts that must not share one
    dataset = split(merge(parts), seed=seed, hashes=hashes) if len(parts) > 1 else next(iter(parts.values()))
    if request.task == "keypoint" and len(dataset.classes) > 1:
        raise DataError(
            f"a keypoint model serves one kind of object, the request matches {', '.join(dataset.classes)}",
            "Ask for one of them.",
        )
    document = json.dumps(to_json(dataset), ensure_ascii=False).encode()
    write_atomic(folder / DATASET, document)
    counts = Counter(sample.split for sample in dataset.samples)
    return Gathered(
        format=dataset.format,
        classes=dataset.classes,
        matches=_all_matches(matches),
        meanings=_meanings(matches),
        counts={name: counts[name] for name in ("train", "val", "test")},
        median_width=int(statistics.median(sample.width or 0 for sample in dataset.samples)),
        median_height=int(statistics.median(sample.height or 0 for sample in dataset.samples)),
        skipped=tuple(f"{one.dataset.relative(bad.path)}: {bad.reason}" for one in checked.values() for bad in one.bad),
        leaks_removed=tuple(f"{removed} (same picture as {twin})" for removed, twin in dataset.leaks),
        sources=tuple(_source(one, parts[one.name], here.get(one.name)) for one in sources),
        dataset_sha256=hashlib.sha256(document).hexdigest(),
        shown={
            one.name: one.images
            for one in class_counts(dataset.classes, dataset.part("train"))
            if request.task != "segmentation"
        },
    )


def _part(request: Request, checked: Checked, wanted: Mapping[str, Sequence[str]], *, seed: int) -> Dataset:
    """One data set, cut down to what is wanted of it and divided."""
    matched = restrict(checked.dataset, wanted)
    _refuse_names(matched)
    usable = _with_poses(matched) if request.task == "keypoint" else matched
    return split(usable, seed=seed, hashes=checked.hashes)


def _source(given: Given, part: Dataset, known: Registered | None) -> DataSource:
    return DataSource(
        name=given.name,
        root=str(given.root),
        format=part.format,
        licence=known.licence if known else "",
        classes=part.classes,
        images=len(part.samples),
        files_sha256=files_fingerprint(given.root),
    )


def _all_matches(matches: Mapping[str, Mapping[str, Sequence[Hit]]]) -> dict[str, tuple[str, ...]]:
    """Object -> every class that means it in any of the data sets."""
    found: dict[str, dict[str, None]] = {}
    for of in matches.values():
        for name, hits in of.items():
            found.setdefault(name, {}).update(dict.fromkeys(hit.label for hit in hits))
    return {name: tuple(labels) for name, labels in found.items()}


def _meanings(matches: Mapping[str, Mapping[str, Sequence[Hit]]]) -> tuple[str, ...]:
    """Why classes that are spelt otherwise are meant, and what the data sets do not have."""
    objects = list(dict.fromkeys(name for of in matches.values() for name in of))
    spelt = (hit.why for of in matches.values() for hits in of.values() for hit in hits if hit.relation != "spelling")
    return (
        *dict.fromkeys(spelt),
        *(f"{name!r} adds no class: all it means is meant by another object too" for name in idle(matches)),
        *(
            f"{source} does not label {listed(repr(name) for name in objects if name not in of)}: where its images"
            " show them, that is neither learnt nor scored as background"
            for source, of in matches.items()
            if set(objects) - set(of)
        ),
    )


def _with_poses(dataset: Dataset) -> Dataset:
    """Only boxes that a pose can be learnt from and scored on: with a labelled point, and no crowds.

    Raises:
        DataError: none is left.
    """
    samples = []
    for sample in dataset.samples:
        boxes = tuple(b for b in sample.boxes if not b.crowd and any(visible for *_, visible in b.keypoints))
        if boxes:
            samples.append(replace(sample, boxes=boxes))
    if not samples:
        raise DataError("no box in the data has a labelled keypoint", "Give COCO annotations with keypoints.")
    return replace(dataset, samples=tuple(samples))


def _refuse_names(dataset: Dataset) -> None:
    """The toolboxes' lists have a line of text per image."""
    names = [str(sample.image) for sample in dataset.samples]
    odd = [name for name in names if "\n" in name or any("\ud800" <= sign <= "\udfff" for sign in name)]
    if odd:
        raise DataError(
            f"{len(odd)} image names hold a line break or are no UTF-8, the first is {odd[0]!a}", "Rename them."
        )


def _known(request: Request, here: Mapping[str, Registered]) -> tuple[Given, ...]:
    """The fewest data sets of the registry that have all objects together; none if they do not.

    Raises:
        DataError: several choices are equally small: which data a model is made of is not for edge to guess.
    """
    candidates = {name: one for name, one in here.items() if request.task in one.tasks}
    has = {name: set(_taken(request, one)) for name, one in candidates.items()}
    objects = set(request.objects)
    for together in range(1, MOST_TOGETHER + 1):
        fitting = [
            names
            for names in itertools.combinations(candidates, together)
            if set().union(*(has[name] for name in names)) >= objects
        ]
        if len(fitting) > 1:
            choices = [" and ".join(f"{name} ({_images(candidates[name])})" for name in names) for names in fitting]
            raise DataError(
                f"several data sets have {listed(request.objects)}: {listed(choices)}",
                "Say which: --data NAME, more than once to use them together.",
            )
        if fitting:
            return tuple(Given(name, Path(candidates[name].root)) for name in fitting[0])
    return ()


def _taken(request: Request, known: Registered) -> list[str]:
    """The objects of the request that a data set surely has."""
    vocabulary = Vocabulary(known.classes, senses(known), exclusive=request.task == "classification")
    return [name for name, found in find(request.objects, vocabulary).items() if found.taken]


def _images(known: Registered) -> str:
    return f"{sum(known.images.values()):,} images" if known.images else "public"


def _demo(request: Request, registry: Registry, folder: Path) -> Given:
    """The one data set that comes along, if the request is about it."""
    try:
        match(request.objects, {DEMO: Vocabulary(DIGITS, exclusive=True)})
    except LabelError as error:
        raise DataError(
            f"no data was given, and no data set that is here has {listed(request.objects)}",
            "Give a folder of labelled images: --data DIR.",
            *_elsewhere(request, registry),
        ) from error
    if request.task != "classification":
        raise DataError(f"no data was given, and edge brings none for {request.task}", "Give a folder: --data DIR.")
    root = folder / "digits"
    if not root.is_dir():
        write_digits(root)
    return Given(DEMO, root)


def _elsewhere(request: Request, registry: Registry) -> list[str]:
    """Public data sets that have all objects and are not on this machine."""
    hints = []
    for name, (card, there) in registry.public().items():
        vocabulary = replace(card.vocabulary, exclusive=request.task == "classification")
        lacking = there.missing.get(request.task, ())
        if lacking and all(one.taken for one in find(request.objects, vocabulary).values()):
            hints.append(
                f"{card.title} has them ({card.licence}), but in {there.root} is not {listed(lacking)}."
                if there.there
                else f"{card.title} has them ({card.licence}): from {card.home} into {registry.place / name}."
            )
    return hints


def _refuse_bad(checked: Checked, skip_bad: bool) -> None:
    if not checked.bad or skip_bad:
        return
    named = "; ".join(f"{bad.path.name}: {bad.reason}" for bad in checked.bad[:SHOWN])
    more = f"; and {len(checked.bad) - SHOWN} more" if len(checked.bad) > SHOWN else ""
    raise DataError(
        f"{len(checked.bad)} images cannot be used: {named}{more}",
        "Repair or remove them, or leave them out with --skip-bad.",
    )
