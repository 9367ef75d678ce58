"""The rows that the report, the model card and the terminal share. Knows no layout: every cell is a plain string.

A cell that has no number says so in words.
"""

from __future__ import annotations

import json
import math
import re
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.records import Endured, Gathered, Measured, Request, Story, Timing, Verified
from edge.report import forms, words
from edge.report.names import same
from zoo.datasets.overview import RARE
from zoo.tasks import TASKS

if TYPE_CHECKING:
    from llm_gguf.library.catalogue import Entry

MOST_CLASSES = 40
"""Of which the report says how many images show each."""
UNKNOWN_SIZE = "unknown until pulled"


@dataclass(frozen=True)
class Reading:
    """One field of the request: what it was read as, and the words it was read from."""

    field: str
    value: str
    words: tuple[str, ...]
    agreed: bool = True
    """Whether language model and rules read the same."""


@dataclass(frozen=True)
class ModelRow:
    """One language model that can be pulled."""

    name: str
    parameters: str
    size: str
    memory: str
    licence: str
    state: str
    good_for: str


@dataclass(frozen=True)
class TimingRow:
    what: str
    scope: str
    samples: str
    median: str
    p90: str
    p99: str
    fps: str


# field title -> names under which the reader of requests may keep the words of that field
_FIELDS: dict[str, tuple[str, ...]] = {
    "Task": ("task",),
    "Objects": ("objects", "object"),
    "Speed": ("speed", "min_fps", "fps"),
    "Parameters": ("parameters", "max_parameters"),
    "Computation": ("flops", "max_flops"),
    "Engine": ("engine", "inference_engine"),
    "Device": ("device", "gpu"),
    "Model": ("specific_model",),
    "Quality": ("metrics", "targets", "metric"),
}


def metric_title(request: Request, metric_name: str) -> str:
    """The words for a metric, given by its key or by its title; the bare name if the task does not know it."""
    task = TASKS.get(request.task)
    return task.metric_title if task is not None and task.metric_name == metric_name else metric_name


def is_accuracy(story: Story) -> bool:
    """Whether the test metric is a share of images answered right."""
    task = TASKS["classification"]
    return story.request.task == task.name and story.verified.metric_name in (task.metric_name, task.metric_title)


def field_title(key: str) -> str:
    """ "model.speed" -> "Speed", "data.scenario" -> "scenario"."""
    known = next((title for title, names in _FIELDS.items() if _parts(key) & {*names}), None)
    return known or _spaced(key.rsplit(".", 1)[-1])


def model_rows(models: Iterable[Entry], there: Mapping[str, tuple[int, bool]]) -> list[ModelRow]:
    """The models, and how far each is pulled: bytes and whether they are all, by name."""
    rows = []
    for model in models:
        so_far, whole = there[model.name]
        state = "pulled" if whole else f"{words.size(so_far)} so far" if so_far else "not pulled"
        rows.append(
            ModelRow(
                model.name,
                words.amount(model.parameters).replace("G", "B"),  # as language models are named
                words.size(model.size_bytes) if model.size_bytes else UNKNOWN_SIZE,
                words.size(model.memory_bytes()) if model.size_bytes else UNKNOWN_SIZE,
                model.licence,
                state,
                model.good_for,
            )
        )
    return rows


def understood_rows(request: Request) -> list[Reading]:
    """Every field that was read; words that belong to no known field follow under their own name."""
    limits = request.limits
    engine = words.ENGINES.get(request.engine, request.engine) if request.engine else ""
    values = {
        "Task": words.TASK_WORDS.get(request.task, request.task).lower(),
        "Objects": ", ".join(request.objects) or "not stated",
        "Speed": _at_least_fps(limits.min_fps),
        "Parameters": f"at most {words.asked_amount(limits.max_parameters)}"
        if limits.max_parameters
        else "no limit stated",
        "Computation": f"at most {words.asked_amount(limits.max_flops)}MACs per image"
        if limits.max_flops
        else "no limit stated",
        "Engine": engine if engine else "not stated; the fastest as measured is taken",
        "Device": words.DEVICES.get(request.device, request.device),
        "Model": request.specific_model or "not stated; chosen by measurement",
        "Quality": "; ".join(
            f"{target.name} of at least {words.asked_share(target.value)}" for target in request.targets
        )
        or "no target stated",
    }
    doubted = {field_title(d.field) for d in request.disagreements}
    rows, used = [], set()
    for title, value in values.items():
        keys = [key for key in request.spans if _parts(key) & {*_FIELDS[title], *_target_names(request, title)}]
        used.update(keys)
        told = tuple(dict.fromkeys(request.spans[key] for key in keys))
        rows.append(Reading(title, value, told, title not in doubted))
    rest = [key for key in request.spans if key not in used]
    return rows + [Reading(field_title(key), _configured(request.config, key), (request.spans[key],)) for key in rest]


def shipped_timing(story: Story) -> Timing | None:
    """The speed of the packed file in the scope that binds the request; None if it was not timed again."""
    return next((t for t in story.verified.timings if t.scope == story.measurements.scope), None)


def timing_rows(story: Story) -> list[TimingRow]:
    """All scopes: the chosen form before training, the packed one if it is another, then the packed file."""
    told = [
        (f"{words.form(item.engine, item.precision)}, before training", timing)
        for item in _forms_told(story)
        for timing in item.timings
    ]
    told += [(f"the packed file, {forms.packed_name(story)}", timing) for timing in story.verified.timings]
    return [
        TimingRow(
            what,
            t.scope,
            words.count(t.samples),
            words.milliseconds(t.median_ms),
            words.milliseconds(t.p90_ms),
            words.milliseconds(t.p99_ms),
            words.rate(t.fps),
        )
        for what, t in told
    ]


def endurance(endured: Endured | None) -> str:
    """The finished model run for a while, in a sentence or two."""
    if endured is None:
        return "How the finished model holds out over a longer time: not measured."
    pace = "back to back" if endured.fps is None else f"at {words.asked_rate(endured.fps)}"
    start = f"Run for {words.whole_duration(endured.seconds)} {pace}"
    if not endured.queries:
        return f"{start}: no image was answered."
    if endured.fps is None:
        seen = f"{words.plural(endured.queries, 'image')}"
    else:
        late = words.late_share(endured.missed, endured.queries)
        seen = f"{words.count(endured.missed)} of {words.plural(endured.queries, 'image')} late ({late})"
    course = words.TRENDS.get(endured.trend, endured.trend)
    sentence = f"{start}: {seen}, worst {words.milliseconds(endured.worst_ms)}, {course}."
    if endured.drift is None or endured.drift_interval is None:
        return sentence
    low, high = map(words.change, endured.drift_interval)
    return f"{sentence} The median changed by {words.change(endured.drift)} a minute (95 % interval {low} to {high})."


def same_files(story: Story) -> tuple[bool, str]:
    """Whether the files that were timed are those in the package, and the sentence that says so."""
    timed, packed = story.verified.artefact_sha256, story.exported.artefact_sha256
    if not timed:
        return False, "Whether the files that were timed are those in the package: not recorded."
    if timed != packed:
        return False, f"The files that were timed (sha256 {timed}) are not those that were packed (sha256 {packed})."
    return True, f"The files that were timed are the files in the package: sha256 {packed}."


def hardware_rows(hardware: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The machine in words; unknown entries under their own name, missing ones as "unavailable"."""
    known = {
        "Processor": _told(hardware.get("cpu_model")),
        "Cores": f"{_told(hardware.get('physical_cores'))} physical, {_told(hardware.get('logical_cores'))} logical",
        "Instruction sets": ", ".join(hardware.get("isa") or ()) or words.UNAVAILABLE,
        "Memory": words.size(hardware.get("memory_bytes")),
        "Accelerators": ", ".join(_accelerator(entry) for entry in hardware.get("accelerators") or ()) or "none",
        "Frequency governor": _told(hardware.get("governor")),
        "System": f"{_told(hardware.get('system'))}, kernel {_told(hardware.get('kernel'))}, "
        f"{_told(hardware.get('machine'))}",
    }
    shown = {"cpu_model", "physical_cores", "logical_cores", "isa", "memory_bytes", "accelerators", "governor"}
    shown |= {"system", "kernel", "machine", "key"}
    rest = [
        (words.sentence_start(_spaced(name)), _told(value)) for name, value in hardware.items() if name not in shown
    ]
    return [*known.items(), *rest, *([("Fingerprint", hardware["key"])] if "key" in hardware else [])]


def machine_rows(story: Story) -> list[tuple[str, str]]:
    """The machine, and what one image cost it in energy."""
    item = forms.packed(story)
    known = item is not None and item.energy_j is not None
    suffix = f" ({forms.packed_name(story)}, before training)" if known else ""
    energy = words.energy(item.energy_j if item is not None else None)
    return [*hardware_rows(story.measurements.hardware), ("Energy per image", energy + suffix)]


def processor(hardware: Mapping[str, Any]) -> str:
    """The part whose speed was measured, as a short name."""
    accelerators = [_accelerator(entry) for entry in hardware.get("accelerators") or ()]
    return ", ".join([_told(hardware.get("cpu_model")), *accelerators])


def detail_rows(details: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Nested entries one per row; long lists of numbers are counted, since verification.json has them whole."""
    rows = []
    for name, value in details.items():
        title = f"{above}{_spaced(str(name))}" if above else words.sentence_start(_spaced(str(name)))
        if isinstance(value, Mapping):
            rows += detail_rows(value, f"{title}: ")
        elif isinstance(value, list | tuple):
            told = "; ".join(map(_told, value)) or "none"
            rows.append((title, told if len(told) < 400 else f"{len(value):,} values, listed in verification.json"))
        else:
            rows.append((title, _told(value)))
    return rows


def count_rows(gathered: Gathered) -> list[tuple[str, str]]:
    rows = [(words.SPLITS.get(split, split), words.count(number)) for split, number in gathered.counts.items()]
    return [*rows, ("together", words.count(sum(gathered.counts.values())))]


def source_rows(gathered: Gathered) -> list[tuple[str, str]]:
    """Each data set with what it gave; which classes it labels where it does not label all."""
    rows = []
    for source in gathered.sources:
        facts = [words.plural(source.images, "image")]
        if set(source.classes) != set(gathered.classes):
            facts.append(f"labels {', '.join(source.classes)}")
        facts.append(f"licence: {source.licence}" if source.licence else "no licence stated")
        rows.append((source.name, "; ".join(facts)))
    return rows


def shown_rows(gathered: Gathered) -> list[tuple[str, str]]:
    """How many training images show each class, the rarest first; those that few show are called rare."""
    middle = statistics.median(gathered.shown.values())
    ordered = sorted(gathered.shown.items(), key=lambda item: item[1])
    rows = [(name, words.count(count) + (", rare" if count < RARE * middle else "")) for name, count in ordered]
    more = len(rows) - MOST_CLASSES
    return [
        *rows[:MOST_CLASSES],
        *([(f"{more:,} more classes", f"up to {words.count(ordered[-1][1])}")] if more > 0 else []),
    ]


def renamed_rows(gathered: Gathered) -> list[tuple[str, str]]:
    """Objects of the request that the data calls otherwise, or has several classes of."""
    return [(wanted, ", ".join(found)) for wanted, found in gathered.matches.items() if (wanted,) != found]


def parity_rows(verified: Verified) -> list[tuple[str, str]]:
    return [(words.sentence_start(_spaced(name)), f"{value:.3g}") for name, value in verified.parity.items()]


def not_checked(story: Story) -> list[str]:
    """Everything this result says nothing about: unchecked constraints, wishes, and doubts of the measurement."""
    lines = [f"{check.name}: wanted {check.wanted}; {check.seen}" for check in _unchecked(story.verified)]
    lines += [f"asked for, but nothing that can be checked: {wish}" for wish in _only_wished(story)]
    for item in _forms_told(story):
        name = words.form(item.engine, item.precision)
        if not item.stable:
            lines.append(f"the latency of the chosen model ({name}) did not become steady while it was measured")
        lines += [f"noted while measuring the chosen model ({name}): {warning}" for warning in item.warnings]
    warnings = story.verified.details.get("warnings")
    lines += [f"noted while measuring the packed file: {w}" for w in warnings] if isinstance(warnings, list) else []
    if story.verified.metric is None:
        lines.append("quality on the test images: not measured")
    if story.verified.baseline is None:
        lines.append("what a trivial guess would score: not measured")
    if shipped_timing(story) is None:
        lines.append("the speed of the packed file: not measured again after training")
    return lines


def headline(story: Story) -> str:
    """One sentence: what the overall word means here."""
    checks = story.verified.checks
    missed = [check for check in checks if check.result == "missed"]
    open_ = [check.name for check in checks if check.result == "unchecked"] + _only_wished(story)
    met = len(checks) - len(missed) - len(_unchecked(story.verified))
    parts = [f"{words.listing([c.name for c in missed])} missed"] if missed else []
    parts += [f"{words.listing(open_, 3)} could not be checked"] if open_ else []
    if not parts:
        return f"All {words.plural(met, 'check')} are met." if met != 1 else "The one check is met."
    start = {"failed": "This package is not what was asked for", "works": "The package works"}
    opening = start.get(story.verified.overall, "What could be checked is met")
    return f"{opening}: {words.plural(met, 'check')} met; {'; '.join(parts)}."


def accuracy_interval(story: Story) -> tuple[float, float] | None:
    """95 % interval of a test accuracy (Wilson 1927, score interval); None for metrics that are no share of images."""
    images, value = story.gathered.counts.get("test", 0), story.verified.metric
    if not is_accuracy(story) or value is None or images < 1:
        return None
    z = 1.96
    centre = (value + z * z / (2 * images)) / (1 + z * z / images)
    half = z / (1 + z * z / images) * math.sqrt(value * (1 - value) / images + z * z / (4 * images * images))
    return max(0.0, centre - half), min(1.0, centre + half)


def _forms_told(story: Story) -> list[Measured]:
    """The chosen form, and the packed one if it is another."""
    chosen, packed = story.choice.chosen, forms.packed(story)
    return [chosen] if packed is None or same(packed, chosen) else [chosen, packed]


def _unchecked(verified: Verified) -> list[Any]:
    return [check for check in verified.checks if check.result == "unchecked"]


def _only_wished(story: Story) -> list[str]:
    """Wishes nobody can check that have no line of their own among the checks."""
    named = {check.name for check in story.verified.checks}
    return [wish for wish in story.request.unchecked if wish not in named]


def _at_least_fps(fps: float | None) -> str:
    if fps is None:
        return "no limit stated"
    return f"at least {words.asked_rate(fps)} (at most {words.milliseconds(1000 / fps)} per image)"


def _parts(key: str) -> set[str]:
    """ "model.metrics[0].value" -> {"model", "metrics", "value"}, the enclosing section left out."""
    return set(re.sub(r"\[[^\]]*\]", "", key).split(".")) - {"data", "model", "deploy", "value", "unit", "name"}


def _target_names(request: Request, title: str) -> set[str]:
    return {target.name for target in request.targets} if title == "Quality" else set()


def _configured(config: Mapping[str, Any], key: str) -> str:
    """The value at a dotted path, also below one of the sections; else the reader is sent to the words."""
    for start in (config, *(part for part in config.values() if isinstance(part, Mapping))):
        value: Any = start
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is not None:
            return _told(value)
    return "see the words"


def _accelerator(entry: Any) -> str:
    if not isinstance(entry, Mapping):
        return str(entry)
    return f"{_told(entry.get('name'))} ({words.size(entry.get('memory_bytes'))}, driver {_told(entry.get('driver'))})"


def _told(value: Any) -> str:
    if value is None or value == "":
        return words.UNAVAILABLE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _spaced(name: str) -> str:
    return name.replace("_", " ")
