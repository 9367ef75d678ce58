"""Model cards read from the metafiles that the toolboxes ship, and from a list of ours in the same form: the short list
of those known to train and agree here, the longer list of those whose speed can be measured, and any other entry by its
name.

A card quotes what the metafile says; it is never evidence about speed on this machine.
"""

from __future__ import annotations

import difflib
import fnmatch
import functools
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import ZooError, listed
from zoo.models.naming import stem
from zoo.models.published import published
from zoo.models.timm_entries import FILE, entries
from zoo.openmmlab import zoo_folder
from zoo.tasks import TASKS
from zoo.tasks import task as task_named

# Input of a model that is on no list, and of each model on the longer list unless its architecture wants another:
# one size per task, so that figures of different models compare.
DEFAULT_SIZE: dict[str, tuple[int, int]] = {
    "classification": (224, 224),
    "detection": (320, 320),
    "segmentation": (384, 384),
    "keypoint": (192, 256),
}

# Figures that order the models of a task, the most usual first; all of them are better when higher.
_QUOTED: dict[str, tuple[str, ...]] = {
    "classification": ("Top 1 Accuracy",),
    "detection": ("box AP",),
    "segmentation": ("mIoU", "mDice"),
    "keypoint": ("AP", "Whole AP", "PCK@0.2", "Mean", "PCK", "AUC"),
}


@dataclass(frozen=True)
class ModelCard:
    """One entry of a toolbox's metafile, at one input size.

    `quoted_quality` is the figure of the paper's benchmark named in `quality_source`, in percent: good for ordering
    models of one task, nothing else. `published_ms` is the time per image that the metafile publishes and
    `published_on` the hardware and software it is about, which are never this machine's, `published_at` the input.
    """

    name: str
    task: str
    toolbox: str
    config: str  # what describes the network: a config in the toolbox's zoo folder, or a list of ours beside this file
    width: int
    height: int
    quoted_quality: float
    quality_source: str
    licence: str
    family: str = ""  # the metafile's "In Collection"
    published_ms: float | None = None
    published_on: str = ""
    published_at: str = ""

    @property
    def stem(self) -> str:
        """The architecture alone: `rtmdet_tiny`."""
        return stem(self.name)

    @property
    def title(self) -> str:
        """The architecture and its input, without the words about its original training: `rtmdet_tiny 320x320`."""
        return f"{self.stem} {self.width}x{self.height}"


def config_path(card: ModelCard) -> Path:
    return config_file(card.toolbox, card.config)


def config_file(toolbox: str, config: str) -> Path:
    """Where the description of a network lies, there or not: the toolbox's folder, or this one for a list of ours."""
    return (Path(__file__).parent if config == FILE else zoo_folder(toolbox)) / config


def description(card: ModelCard) -> Mapping[str, Any] | None:
    """The network as a list of ours describes it, in the words of a config's `model`; None where a config does."""
    return metafile_entries(card.toolbox)[card.name]["Model"] if card.config == FILE else None


def shortlisted(task: str) -> list[ModelCard]:
    """All cards of a task that are known to train from scratch, export and agree after export, best quoted first."""
    return _listed_in("shortlist.yml", task)


def profiled(task: str) -> list[ModelCard]:
    """One card per model of a task known to build, export and run, best quoted first. Not all can be trained."""
    return _listed_in("profiled.yml", task)


def find(names: Sequence[str] = (), family: str | None = None, task: str | None = None) -> list[ModelCard]:
    """Cards by name and by family, each once; with neither, all that `profiled` lists.

    Args:
        names: each a name or title, or the beginning of one, that fits one model of the lists, or the whole name of
            any other entry of the metafiles, which then gets its task's default size. Capitals do not matter.
        family: a pattern such as `mobilenet*` for the collection or the name of the models that `profiled` lists.
        task: look only there.

    Raises:
        UnknownTask: there is no such task.
        ZooError: a name or the pattern fits nothing, a name fits several models, or its entry cannot be used.
    """
    tasks = [task_named(task).name] if task else list(TASKS)
    known = [card for name in tasks for card in profiled(name)]
    cards = [_named(name, known, tasks) for name in names]
    if family is not None:
        cards += _of_family(family, known)
    return list(dict.fromkeys(cards)) if names or family is not None else known


@functools.cache
def metafile_entries(toolbox: str) -> dict[str, dict[str, Any]]:
    """Every model of a toolbox's metafiles by name, then those of our list that this toolbox builds."""
    folder = zoo_folder(toolbox)
    found: dict[str, dict[str, Any]] = {}
    for metafile in _load(folder / "model-index.yml")["Import"]:
        for entry in _load(folder / metafile).get("Models") or []:
            found.setdefault(entry["Name"], entry)
    ours = _list(FILE)
    for entry in entries(ours) if ours["toolbox"] == toolbox else ():
        found.setdefault(entry["Name"], entry)
    return found


def _listed_in(file: str, task: str) -> list[ModelCard]:
    cards = [card for entry in _list(file)[task] for card in _cards(task, entry)]
    return sorted(cards, key=lambda card: (-card.quoted_quality, -card.width * card.height, card.name))


@functools.cache
def _list(file: str) -> dict[str, Any]:
    document: dict[str, Any] = _load(Path(__file__).with_name(file))
    return document


def _cards(task: str, entry: dict[str, Any]) -> list[ModelCard]:
    model = metafile_entries(TASKS[task].toolbox)[entry["name"]]
    result = _results(model)[0]
    quality = float(result["Metrics"][entry["metric"]]) * entry.get("scale", 1)
    source = f"{result['Dataset']} {entry['metric']}"
    return [_card(task, model, (width, height), quality, source) for width, height in entry["sizes"]]


def _card(task: str, model: Mapping[str, Any], size: tuple[int, int], quality: float, source: str) -> ModelCard:
    speed = published(model)
    return ModelCard(
        name=model["Name"],
        task=task,
        toolbox=TASKS[task].toolbox,
        config=model["Config"],
        width=size[0],
        height=size[1],
        quoted_quality=quality,
        quality_source=source,
        licence="Apache-2.0",
        family=model["In Collection"],
        published_ms=speed.ms if speed else None,
        published_on=speed.on if speed else "",
        published_at=speed.resolution if speed else "",
    )


def _results(model: Mapping[str, Any]) -> list[dict[str, Any]]:
    results = model.get("Results") or []
    return results if isinstance(results, list) else [results]


def _named(name: str, known: Sequence[ModelCard], tasks: Sequence[str]) -> ModelCard:
    """The exact word before the looser one, so that `resnet18` is not every name that starts with it."""
    wanted = name.strip().casefold()
    sized = [*known, *(card for task in tasks for card in shortlisted(task))]
    for fits in (
        [card for card in known if wanted in (card.name.casefold(), card.stem.casefold())],
        [card for card in sized if card.title.casefold() == wanted],
        _unlisted(wanted, tasks),
        [card for card in known if wanted and card.title.casefold().startswith(wanted)],
        [card for card in known if wanted and card.name.casefold().startswith(wanted)],
    ):
        if len({card.name for card in fits}) > 1:
            raise ZooError.because(
                f"{name!r} is the beginning of {len(fits)} models: {listed(card.stem for card in fits)}.",
                "Write more of the name, or give a family pattern to take them all.",
            )
        if fits:
            return fits[0]
    raise _unknown(name, known, tasks)


def _unlisted(wanted: str, tasks: Sequence[str]) -> list[ModelCard]:
    """The card of the one entry of all metafiles with that name."""
    for task in tasks:
        for name, model in metafile_entries(TASKS[task].toolbox).items():
            if name.casefold() == wanted:
                return [_unlisted_card(task, model)]
    return []


def _unlisted_card(task: str, model: Mapping[str, Any]) -> ModelCard:
    toolbox = TASKS[task].toolbox
    if not config_file(toolbox, model["Config"]).is_file():
        raise ZooError.because(
            f"The installed {toolbox} lists {model['Name']}, but ships no config for it ({model['Config']}).",
            "Name another model of that family.",
        )
    for result in _results(model):
        metrics = result.get("Metrics") or {}
        for metric in _QUOTED[task]:
            if metrics.get(metric) is not None:
                figure = float(metrics[metric])
                # Metafiles quote fractions or percent as they like; nobody publishes a model of less than one percent.
                quality = figure * 100 if figure <= 1 else figure
                return _card(task, model, DEFAULT_SIZE[task], quality, f"{result['Dataset']} {metric}")
    raise ZooError.because(
        f"{model['Name']} publishes no {' or '.join(_QUOTED[task])}: nothing says that it is a model for {task}.",
        "Such entries are mostly pretraining, tracking or other tasks; name another one.",
    )


def _of_family(pattern: str, known: Sequence[ModelCard]) -> list[ModelCard]:
    wanted = pattern.casefold()
    fits = [
        card
        for card in known
        if fnmatch.fnmatchcase(card.family.casefold(), wanted) or fnmatch.fnmatchcase(card.name.casefold(), wanted)
    ]
    if not fits:
        families = sorted({card.family for card in known}, key=str.casefold)
        raise ZooError.because(
            f"No family or name of the {len(known)} listed models fits {pattern!r}.",
            f"The families are {listed(families, shown=len(families))}.",
            "Patterns are like file names: mobilenet* or *r18*. Other models are asked for by their whole name.",
        )
    return fits


def _unknown(name: str, known: Sequence[ModelCard], tasks: Sequence[str]) -> ZooError:
    words = {word.casefold(): word for card in known for word in (card.name, card.stem)}
    words |= {word.casefold(): word for task in tasks for word in metafile_entries(TASKS[task].toolbox)}
    near = [words[word] for word in difflib.get_close_matches(name.strip().casefold(), words, n=5)]
    hints = [f"The nearest names are {listed(near)}."] if near else ["No name is near it."]
    return ZooError.because(f"There is no model {name!r} for {' or '.join(tasks)}.", *hints)


def _load(path: Path) -> Any:
    # C loader where libyaml is there: the 2,141 entries of the zoo parse in a second instead of ten.
    yaml = importlib.import_module("yaml")
    return yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
