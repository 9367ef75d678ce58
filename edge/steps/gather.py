"""Request + folder -> a checked, matched, divided dataset, written as dataset.json into the step's folder."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from edge.errors import DataError
from edge.records import Gathered, Request
from edge.workdir import write_atomic
from zoo.datasets import read_dataset
from zoo.datasets.check import Checked, check_images
from zoo.datasets.record import Dataset, to_json
from zoo.datasets.split import split
from zoo.demo import CLASSES as DIGITS
from zoo.demo import write_digits
from zoo.errors import LabelError
from zoo.labels import Vocabulary, idle, joined, match, restrict

DATASET = "dataset.json"
SHOWN = 10  # bad files named in an error before the rest is only counted


def run(
    request: Request,
    data: Path | None,
    folder: Path,
    *,
    skip_bad: bool,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Gathered:
    """Read, check, match and divide the data.

    Raises:
        DataError: no data for this request, or images that cannot be read without `skip_bad`.
        ZooError: the folder's format, annotations or classes do not serve the request.
    """
    source = "given by --data" if data is not None else "handwritten digits of scikit-learn"
    root = data if data is not None else _from_the_zoo(request, folder)
    checked = check_images(read_dataset(root, request.task), progress)
    _refuse_bad(checked, skip_bad)
    classes = checked.dataset.classes
    matches = match(request.objects, Vocabulary(classes, exclusive=request.task == "classification"))
    matched = restrict(checked.dataset, joined(matches))
    if request.task == "keypoint" and len(matched.classes) > 1:
        raise DataError(
            f"a keypoint model serves one kind of object, the request matches {', '.join(matched.classes)}",
            "Ask for one of them.",
        )
    _refuse_names(matched)
    usable = _with_poses(matched) if request.task == "keypoint" else matched
    divided = split(usable, seed=seed, hashes=checked.hashes)
    document = json.dumps(to_json(divided), ensure_ascii=False).encode()
    write_atomic(folder / DATASET, document)
    counts = Counter(sample.split for sample in divided.samples)
    return Gathered(
        format=divided.format,
        source=source,
        classes=divided.classes,
        matches={name: tuple(hit.label for hit in hits) for name, hits in matches.items()},
        meanings=(
            *(hit.why for hits in matches.values() for hit in hits if hit.relation != "spelling"),
            *(f"{name!r} adds no class: all it means is meant by another object too" for name in idle(matches)),
        ),
        counts={name: counts[name] for name in ("train", "val", "test")},
        median_width=int(statistics.median(sample.width or 0 for sample in divided.samples)),
        median_height=int(statistics.median(sample.height or 0 for sample in divided.samples)),
        skipped=tuple(f"{divided.relative(bad.path)}: {bad.reason}" for bad in checked.bad),
        leaks_removed=tuple(f"{removed} (same picture as {twin})" for removed, twin in divided.leaks),
        dataset_sha256=hashlib.sha256(document).hexdigest(),
        files_sha256=files_fingerprint(root),
    )


def files_fingerprint(root: Path) -> str:
    """Of every file's name, size and time of change below a folder: cheap enough to look again at each call."""
    digest = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        seen = path.stat()
        digest.update(f"{path.relative_to(root)}\0{seen.st_size}\0{seen.st_mtime_ns}\n".encode(errors="replace"))
    return digest.hexdigest()


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
    """The toolboxes' lists have a line per image."""
    odd = [str(sample.image) for sample in dataset.samples if "\n" in str(sample.image)]
    if odd:
        raise DataError(f"{len(odd)} image names hold a line break, the first is {odd[0]!r}", "Rename them.")


def _from_the_zoo(request: Request, folder: Path) -> Path:
    """The one dataset that comes along, when the request is about it."""
    try:
        match(request.objects, Vocabulary(DIGITS, exclusive=True))
    except LabelError as error:
        raise DataError(
            "no data was given, and no dataset that comes with edge has these objects: " + ", ".join(request.objects),
            "Give a folder of labelled images: --data DIR.",
        ) from error
    if request.task != "classification":
        raise DataError(f"no data was given, and edge brings none for {request.task}", "Give a folder: --data DIR.")
    root = folder / "digits"
    if not root.is_dir():
        write_digits(root)
    return root


def _refuse_bad(checked: Checked, skip_bad: bool) -> None:
    if not checked.bad or skip_bad:
        return
    named = "; ".join(f"{bad.path.name}: {bad.reason}" for bad in checked.bad[:SHOWN])
    more = f"; and {len(checked.bad) - SHOWN} more" if len(checked.bad) > SHOWN else ""
    raise DataError(
        f"{len(checked.bad)} images cannot be used: {named}{more}",
        "Repair or remove them, or leave them out with --skip-bad.",
    )
