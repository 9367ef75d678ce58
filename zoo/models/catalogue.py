"""Every entry of the toolboxes' metafiles, and of our list, as one kind of record, and what is wrong with them.

Builds no network.

Everything here is what the toolboxes publish: good for finding a model, no evidence about it.
"""

from __future__ import annotations

import functools
import re
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from zoo.models import config_file, metafile_entries
from zoo.models.naming import stem
from zoo.models.timm_entries import FILE as OURS

TOOLBOXES = ("mmpretrain", "mmdet", "mmseg", "mmpose")

# Words of the metafiles -> tasks as edge calls them, in this order; what edge has no word for keeps its own.
TASKS_CALLED = {
    "Image Classification": "classification",
    "Multi-Label Classification": "multilabel-classification",
    "Object Detection": "detection",
    "Instance Segmentation": "instance-segmentation",
    "Semantic Segmentation": "segmentation",
    "Body 2D Keypoint": "keypoint",
    "Face 2D Keypoint": "keypoint",
    "Hand 2D Keypoint": "keypoint",
    "Animal 2D Keypoint": "keypoint",
    "Fashion 2D Keypoint": "keypoint",
    "Wholebody 2D Keypoint": "keypoint",
}

APART = 5.0
"""How far an entry's ratio of FLOPs to parameters may lie from its family's median before one of the two is doubted:
depth, width and input size of one architecture change it by less."""

USUAL_SIDE = 224
"""Of the inputs that mmpretrain counts for, where the name says nothing else."""

FEWEST = 4
"""Entries of a family that such a median is taken from."""


@dataclass(frozen=True)
class Result:
    """Published figures on one data set, as the metafile has them: some in percent, some as fractions."""

    task: str
    dataset: str
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Entry:
    """One entry. `parameters` and `flops` are published, None where they are not; mmpretrain alone publishes them.

    `weights` is the address of the checkpoint, empty where none is published.
    """

    name: str
    toolbox: str
    family: str
    tasks: tuple[str, ...]
    config: str
    weights: str
    parameters: int | None
    flops: int | None
    results: tuple[Result, ...]

    @property
    def stem(self) -> str:
        """The architecture alone."""
        return stem(self.name)


@functools.cache
def catalogue() -> tuple[Entry, ...]:
    """All entries of all toolboxes, in their order."""
    return tuple(_entry(toolbox, document) for toolbox in TOOLBOXES for document in metafile_entries(toolbox).values())


def faults(entries: Iterable[Entry]) -> dict[str, list[str]]:
    """What is wrong with entries, by name; those without a fault are not there."""
    given = list(entries)
    found: defaultdict[str, list[str]] = defaultdict(list)
    for entry in given:
        if not config_file(entry.toolbox, entry.config).is_file():
            found[entry.name].append(f"its config {entry.config} is not in the installed {entry.toolbox}")
        if not entry.weights and entry.config != OURS:  # no checkpoint of timm's is used
            found[entry.name].append("no checkpoint is published")
        if not entry.results:
            found[entry.name].append("no figure is published, so nothing says what it is for")
    for name, fault in _contradictions(given).items():
        found[name].append(fault)
    return dict(found)


def _contradictions(entries: Iterable[Entry]) -> dict[str, str]:
    """Published sizes that cannot both be true, by their ratio beside the family's."""
    by_family: defaultdict[tuple[str, str], list[tuple[Entry, float]]] = defaultdict(list)
    for entry in entries:
        if entry.parameters and entry.flops:
            by_family[entry.toolbox, entry.family].append((entry, entry.flops / entry.parameters / _enlarged(entry)))
    found = {}
    for (_, family), members in by_family.items():
        usual = statistics.median(ratio for _, ratio in members)
        for entry, ratio in members if len(members) >= FEWEST else []:
            if not usual / APART <= ratio <= usual * APART:
                found[entry.name] = (
                    f"{entry.parameters / 1e6:.4g}M parameters and {entry.flops / 1e9:.4g}G FLOPs do not go together:"  # type: ignore[operator]
                    f" {ratio:.0f} FLOPs a parameter, where the median of {family} is {usual:.0f}"
                )
    return found


def _enlarged(entry: Entry) -> float:
    """How many times the usual area its input has: "..._in1k-512px"."""
    side = re.search(r"[-_](\d{3})px", entry.name)
    return (int(side[1]) / USUAL_SIDE) ** 2 if side else 1.0


def _entry(toolbox: str, document: Mapping[str, Any]) -> Entry:
    metadata = document.get("Metadata") or {}
    results = document.get("Results") or []
    told = tuple(_result(result) for result in (results if isinstance(results, list) else [results]))
    return Entry(
        name=document["Name"],
        toolbox=toolbox,
        family=document["In Collection"],
        tasks=tuple(dict.fromkeys(result.task for result in told)),
        config=document["Config"],
        weights=document.get("Weights") or "",
        parameters=metadata.get("Parameters"),
        flops=metadata.get("FLOPs"),
        results=told,
    )


def _result(document: Mapping[str, Any]) -> Result:
    metrics = {name: float(value) for name, value in (document.get("Metrics") or {}).items() if _is_number(value)}
    task = str(document.get("Task"))
    return Result(TASKS_CALLED.get(task, task), str(document.get("Dataset")), metrics)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
