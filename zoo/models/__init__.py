"""Model cards read from the metafiles that the toolboxes ship, and the short list of those known to work here.

A card quotes what the metafile says; it is never evidence about speed on this machine.
"""

from __future__ import annotations

import functools
import importlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.openmmlab import zoo_folder
from zoo.tasks import TASKS


@dataclass(frozen=True)
class ModelCard:
    """One entry of a toolbox's metafile, at one input size.

    `quoted_quality` is the figure of the paper's benchmark named in `quality_source`, in percent: good for ordering
    models of one task, nothing else.
    """

    name: str
    task: str
    toolbox: str
    config: str  # relative to the toolbox's zoo folder
    width: int
    height: int
    quoted_quality: float
    quality_source: str
    licence: str

    @property
    def title(self) -> str:
        """The architecture and its input, without the words about its original training: `rtmdet_tiny 320x320`."""
        return f"{re.split(r'_[0-9]+xb[0-9]+', self.name)[0]} {self.width}x{self.height}"


def config_path(card: ModelCard) -> Path:
    return zoo_folder(card.toolbox) / card.config


def shortlisted(task: str) -> list[ModelCard]:
    """All cards of a task that are known to train from scratch, export and agree after export, best quoted first."""
    entries = _shortlist()[task]
    cards = [card for entry in entries for card in _cards(task, entry)]
    return sorted(cards, key=lambda card: (-card.quoted_quality, -card.width * card.height, card.name))


@functools.cache
def _shortlist() -> dict[str, list[dict[str, Any]]]:
    entries: dict[str, list[dict[str, Any]]] = _load(Path(__file__).with_name("shortlist.yml"))
    return entries


@functools.cache
def metafile_entries(toolbox: str) -> dict[str, dict[str, Any]]:
    """Every model of a toolbox's metafiles by name."""
    folder = zoo_folder(toolbox)
    found: dict[str, dict[str, Any]] = {}
    for metafile in _load(folder / "model-index.yml")["Import"]:
        for entry in _load(folder / metafile).get("Models") or []:
            found.setdefault(entry["Name"], entry)
    return found


def _cards(task: str, entry: dict[str, Any]) -> list[ModelCard]:
    toolbox = TASKS[task].toolbox
    model = metafile_entries(toolbox)[entry["name"]]
    results = model["Results"]
    result = (results if isinstance(results, list) else [results])[0]
    return [
        ModelCard(
            name=entry["name"],
            task=task,
            toolbox=toolbox,
            config=model["Config"],
            width=width,
            height=height,
            quoted_quality=float(result["Metrics"][entry["metric"]]) * entry.get("scale", 1),
            quality_source=f"{result['Dataset']} {entry['metric']}",
            licence="Apache-2.0",
        )
        for width, height in entry["sizes"]
    ]


def _load(path: Path) -> Any:
    # C loader where libyaml is there: the 2,141 entries of the zoo parse in a second instead of ten.
    yaml = importlib.import_module("yaml")
    return yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
