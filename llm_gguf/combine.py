"""Puts the two readings together by one stated rule per field; every difference is listed, none is settled silently.

- speed, flops, parameters: a value that both read; of a number that both point at, the unit which the rules read; else
  the language model's where it is sure (of the value, or that the number which the rules read is no wish); else what
  the rules read explicitly.
- metrics: per number; the rules' name wins where a name stands beside the number, else as above.
- engine, device: only what is written (an engine's name may be misspelt); the model chooses between several, and may
  be sure that none of them is wished.
- task: the model's, unless it is not sure and the text names exactly one other task outright ("instance
  segmentation").
- class, model and data set names: the model's (they are spans of the text), but an item that the list
  of classes clearly holds is added, and a class far from that list is dropped; where the model reads none, the
  likeliest is taken as a guess.
Knows neither llama.cpp nor the grammar.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from llm_gguf import lists, numbers
from llm_gguf.answer import Draft, Span
from llm_gguf.config import RequestConfig
from llm_gguf.reader import Finding, Reading, misspelt

_SIZES = {
    "fps": 1.0, "ms": 1e-3, "s": 1.0, "MFLOPs": 1e6, "GFLOPs": 1e9, "TFLOPs": 1e12, "K": 1e3, "M": 1e6, "B": 1e9,
    "share": 1.0,
}  # fmt: skip


QUANTITIES: Final = ("speed", "flops", "parameters")
SURE: Final = 0.9
"""Probability from which the language model is believed where it reads something else than the rules."""
SURE_OF_NOTHING: Final = 0.97
"""Probability from which it is believed that what the rules read is no wish."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A field that the two readers read differently, and whose reading went into the configuration."""

    field: str
    model_reading: str
    reader_reading: str
    taken: Literal["model", "reader"]


@dataclass(slots=True)
class Combined:
    """The configuration in the making, with its spans and disagreements."""

    spans: dict[str, Span] = field(default_factory=dict)
    disagreements: list[Disagreement] = field(default_factory=list)


def _base(finding: Finding) -> float:
    """The quantity in one unit, so that 33.3 ms and 30 fps compare."""
    size = finding.value * _SIZES[finding.unit]
    return 1 / size if finding.unit in ("ms", "s") and size else size


def same(a: Finding, b: Finding) -> bool:
    """Equal up to rounding."""
    first, second = _base(a), _base(b)
    return abs(first - second) <= 2e-3 * max(abs(first), abs(second))


def _shown(finding: Finding | None) -> str:
    if finding is None:
        return "none"
    name = finding.field.removeprefix("metric.")
    head = f"{name} " if finding.field.startswith("metric.") else ""
    return f"{head}{finding.value:g}" + ("" if finding.unit == "share" else f" {finding.unit}")


def believed(text: str, draft: Draft) -> RequestConfig:
    """The configuration of the language model alone: every label and pointer is believed."""
    objects = list({span.text.casefold(): span.text for span in reversed(draft.objects)}.values())[::-1]
    quantities = {kind: draft.quantities.get(kind) for kind in QUANTITIES}
    metrics = _distinct(draft.metrics)
    return _configured(text, draft, str(draft.task), objects, quantities, metrics, gpu=draft.gpu, engine=draft.engine)


def _configured(
    text: str,
    draft: Draft,
    task: str,
    objects: Sequence[str],
    quantities: Mapping[str, Finding | None],
    metrics: Sequence[Finding],
    *,
    gpu: str,
    engine: str,
) -> RequestConfig:
    limits = {kind: {"value": f.value, "unit": f.unit} for kind, f in quantities.items() if f is not None}
    return RequestConfig.model_validate(
        {
            "data": {
                "scenario": f"{task} of {', '.join(objects)}" if objects else "none",
                "object": objects,
                "modality": _modality(text),
                "specific_dataset": draft.dataset.text if draft.dataset else "none",
            },
            "model": {
                "task": task,
                "specific_model": draft.model.text if draft.model else "none",
                **limits,
                "metrics": [{"name": m.field.removeprefix("metric."), "value": m.value} for m in metrics],
            },
            "deploy": {"gpu": gpu, "inference_engine": engine},
        }
    )


class Combiner:
    """Combines one draft with one reading of the same text."""

    def __init__(self, text: str, draft: Draft, reading: Reading) -> None:
        self.text, self.draft, self.reading = text, draft, reading
        self.numbers = numbers.find(text)
        self.out = Combined()

    def config(self) -> RequestConfig:
        draft, out = self.draft, self.out
        task = self._task()
        objects = self._objects()
        quantities = {kind: self._quantity(kind) for kind in QUANTITIES}
        metrics = self._metrics()
        for index, metric in enumerate(metrics):
            self._note(f"model.metrics.{index}", metric.start, metric.end)
        for path, span in (("model.specific_model", draft.model), ("data.specific_dataset", draft.dataset)):
            if span is not None:
                out.spans[path] = span
        return _configured(
            self.text,
            draft,
            task,
            objects,
            quantities,
            metrics,
            gpu=self._closed("deploy.gpu", "device", draft.gpu),
            engine=self._closed("deploy.inference_engine", "engine", draft.engine),
        )

    def _note(self, path: str, start: int, end: int) -> None:
        self.out.spans[path] = Span(start, end, self.text[start:end])

    def _differ(self, path: str, model: str, rules: str, taken: Literal["model", "reader"]) -> None:
        self.out.disagreements.append(Disagreement(path, model, rules, taken))

    def _task(self) -> str:
        task = str(self.draft.task)
        named = [f for f in self.reading.findings if f.field.startswith("task.")]
        if task in [f.unit for f in named] or not named:
            for finding in named:
                if finding.unit == task:
                    self._note("model.task", finding.start, finding.end)
            return task
        if self.draft.task_certainty >= SURE:
            self._differ("model.task", task, " and ".join(f.unit for f in named), "model")
            return task
        # "instance segmentation" also holds the word of a plainer task: the first of the list is the most special.
        winner = named[0]
        taken: Literal["model", "reader"] = "reader" if len(named) == 1 else "model"
        self._differ("model.task", task, winner.unit, taken)
        if taken == "reader":
            self._note("model.task", winner.start, winner.end)
            return winner.unit
        return task

    def _objects(self) -> list[str]:
        names: list[str] = []
        guess = self.draft.guess
        read = self.draft.objects
        if not read and guess is not None and self.draft.dataset is None:
            self._differ("data.object", f"none, if anything {guess.text}", "none", "model")
            read = [guess]
        strays = lists.strays(self.text, [(span.start, span.end) for span in read])
        spans = [span for span in read if (span.start, span.end) not in strays]
        for start, end in strays:
            self._differ("data.object", self.text[start:end], "none", "reader")
        for start, end in lists.holes(self.text, [(span.start, span.end) for span in spans]):
            spans.append(Span(start, end, self.text[start:end]))
            self._differ("data.object", "none", self.text[start:end], "reader")
        for span in sorted(spans, key=lambda span: span.start):
            if span.text.casefold() not in [n.casefold() for n in names]:
                self.out.spans[f"data.object.{len(names)}"] = span
                names.append(span.text)
        return names

    def _quantity(self, kind: str) -> Finding | None:
        path = f"model.{kind}"
        model = self.draft.quantities.get(kind)
        explicit = [f for f in self.reading.of(kind) if f.explicit]
        agreed = [f for f in self.reading.of(kind) if model is not None and same(f, model)]
        same_number = [f for f in explicit if model is not None and f.start == model.start]
        wished = [f for f in explicit if not self._denied(f)]
        chosen = next(iter(agreed or same_number), None)
        if chosen is None:
            chosen = model if self._believed(model) else next(iter(wished), None)
        rules = next((f for f in explicit if chosen is None or not same(f, chosen)), None)
        if not agreed and (model is not None or explicit):
            taken: Literal["model", "reader"] = "model" if chosen is model else "reader"
            self._differ(path, _shown(model), _shown(explicit[0] if explicit else None), taken)
        elif agreed and rules is not None:
            self._differ(path, _shown(chosen), _shown(rules), "model")
        if chosen is not None:
            self._note(path, chosen.start, chosen.end)
        return chosen

    def _sure(self, place: int, least: float = SURE) -> bool:
        return self.draft.certainty.get(place, 0.0) >= least

    def _believed(self, model: Finding | None) -> bool:
        """Whether a number that the rules did not read this way is the model's to decide."""
        return model is not None and self._sure(model.start)

    def _denied(self, rules: Finding) -> bool:
        """Whether the model is sure that what the rules read is no wish of this kind."""
        start = self._number_start(rules)
        told = {f.start for f in (*self.draft.quantities.values(), *self.draft.metrics)}
        return start not in told and self._sure(start, SURE_OF_NOTHING)

    def _number_start(self, finding: Finding) -> int:
        """Where the number of a finding begins; a metric's finding may begin with its name."""
        return next((n.start for n in self.numbers if finding.start <= n.start < finding.end), finding.start)

    def _metrics(self) -> list[Finding]:
        found = [f for f in self.reading.findings if f.field.startswith("metric.")]
        chosen = []
        for finding in found:
            if any(finding.start <= m.start < finding.end for m in self.draft.metrics):
                chosen.append(finding)
                continue
            denied = self._denied(finding)
            chosen += [] if denied else [finding]
            self._differ("model.metrics", "none", _shown(finding), "model" if denied else "reader")
        for model in self.draft.metrics:
            near = [f for f in found if f.start <= model.start < f.end]
            if not near:
                believed = self._believed(model)
                self._differ("model.metrics", _shown(model), "none", "model" if believed else "reader")
                chosen += [model] if believed else []
            elif (near[0].field, near[0].value) != (model.field, model.value):
                self._differ("model.metrics", _shown(model), _shown(near[0]), "reader")
        return sorted(_distinct(chosen), key=lambda f: f.start)

    def _closed(self, path: str, kind: str, model: str) -> str:
        """Engine or device: one of those that are written, if any."""
        written = {f.unit: f for f in self.reading.findings if f.field.startswith(f"{kind}.")}
        if not written:
            span = self.draft.engine_span
            if kind == "engine" and span is not None and model != "none" and misspelt(span.text, model):
                self._differ(path, model, "none", "model")
                self.out.spans[path] = span
                return model
            if model != "none":
                self._differ(path, model, "none", "reader")
            return "none"
        if model == "none" and self._rejected(kind, list(written.values())):
            self._differ(path, "none", " and ".join(written), "model")
            return "none"
        chosen = model if model in written else next(iter(written))
        if chosen != model or len(written) > 1:
            self._differ(path, model, " and ".join(written), "model" if chosen == model else "reader")
        self._note(path, written[chosen].start, written[chosen].end)
        return chosen

    def _rejected(self, kind: str, written: Sequence[Finding]) -> bool:
        """Whether the model is sure that none of these is wished."""
        if kind == "device":
            return self.draft.device_certainty >= SURE_OF_NOTHING
        return all(self._sure(finding.start, SURE_OF_NOTHING) for finding in written)


def _distinct(findings: Sequence[Finding]) -> list[Finding]:
    kept: list[Finding] = []
    for finding in findings:
        if all((finding.field, finding.value) != (k.field, k.value) for k in kept):
            kept.append(finding)
    return kept


def _modality(text: str) -> str:
    lowered = text.casefold()
    for word, modality in (("thermal", "thermal"), ("infrared", "infrared"), ("depth map", "depth")):
        if word in lowered:
            return modality
    return "rgb"
