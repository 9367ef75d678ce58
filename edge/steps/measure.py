"""Cards -> measured candidates: counted, exported untrained, timed on this machine against each other.

An untrained network does the same arithmetic as a trained one; what depends on the weights (the number of boxes that
reach NMS) is why the winner is measured again after training.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy_targets.errors import ConversionFailed
from deploy_targets.mmdeploy import export_onnx
from edge.predictor.images import Box, read
from edge.predictor.spec import SPEC_FILE, PackageSpec, Postprocess, Preprocess
from edge.predictor.timing import TIMING_FACTORY
from edge.records import Limits, Measured, Measurements, Request, Timing
from edge.trainers import trainer
from edge.trainers.launch import export_config
from edge.trainers.pace import LEAST_UPDATES, pace
from edge.trainers.reference import count
from edge.workdir import sha256_file, write_atomic
from profiler.hardware import fingerprint
from profiler.session import Candidate, Profile, measure
from zoo.datasets.record import Dataset
from zoo.models import ModelCard

SCOPE = "pipeline"
MODEL_FILE = "model.onnx"


@dataclass(frozen=True)
class Training:
    """What training will have: about that many seconds, at most that many threads."""

    seconds: float
    threads: int
    seed: int


def run(
    request: Request,
    cards: Sequence[ModelCard],
    dataset: Dataset,
    folder: Path,
    *,
    threads: int,
    training: Training,
    say: Callable[[str], None],
) -> Measurements:
    """Count all, export and time those within the counted limits, and try how fast the best of them train."""
    counted: list[Measured] = []
    for card in cards:
        say(f"counting and exporting {card.title}")
        counted.append(_prepare(request, card, dataset, folder, threads))
    ready = [item for item in counted if item.verdict == "READY"]
    profiles = _time(ready, request.limits, dataset, folder, threads, say) if ready else []
    done = [measured(item, profile, folder) for item, profile in zip(ready, profiles, strict=True)]
    timed = {item.card: item for item in _with_pace(done, dataset, folder, training, say)}
    return Measurements(
        hardware=fingerprint().to_json(),
        engine=request.engine,
        threads=threads,
        scope=SCOPE,
        candidates=tuple(timed.get(item.card, item) for item in counted),
        not_measured=tuple(f"{i.card.title}: {i.explanation}" for i in counted if i.verdict != "READY"),
    )


def _with_pace(
    timed: Sequence[Measured], dataset: Dataset, folder: Path, training: Training, say: Callable[[str], None]
) -> list[Measured]:
    """Try the training of those that hold, best expected first, until one can be trained in the time there is."""
    found = {item.card: item for item in timed}
    for item in sorted((i for i in timed if i.holds), key=lambda i: i.preference):
        say(f"trying how fast {item.card.title} trains")
        tried = pace(
            item.card,
            dataset,
            folder / slug(item.card) / "pace",
            seed=training.seed,
            threads=training.threads,
            useful_s=training.seconds / LEAST_UPDATES,
        )
        updates = int(training.seconds / max(tried.seconds_per_iteration, 1e-3))
        found[item.card] = dataclasses.replace(
            item, update_s=tried.seconds_per_iteration, train_threads=tried.threads, updates=updates
        )
        if updates >= LEAST_UPDATES:
            break
    return list(found.values())


def candidate(name: str, folder: Path, dataset: Dataset, threads: int) -> Candidate:
    """A package-like folder as the profiler wants it, shown the training image nearest to the median size."""
    image, box = typical(dataset)
    arguments = {"folder": str(folder), "image": str(image), "box": list(box) if box else None, "threads": threads}
    return Candidate(name, TIMING_FACTORY, arguments)


def typical(dataset: Dataset) -> tuple[Path, Box | None]:
    """The training image whose area is the median, and its first box for keypoint data."""
    samples = sorted(
        (s for s in dataset.part("train") if s.boxes or not dataset.keypoint_names),
        key=lambda s: ((s.width or 0) * (s.height or 0), str(s.image)),
    )
    sample = samples[len(samples) // 2]
    box = sample.boxes[0] if dataset.keypoint_names else None
    return sample.image, (box.x, box.y, box.w, box.h) if box else None


def measured(item: Measured, profile: Profile, folder: Path) -> Measured:
    """Add a profile to a counted candidate; the raw profile is kept beside its model."""
    raw = json.dumps(profile.to_json()).encode()
    write_atomic(folder / slug(item.card) / "profile.json", raw)
    timings = []
    for scope, samples in profile.samples_ms.items():
        if samples:
            figures = profile.summary(scope)
            timings.append(Timing(scope, figures.n, figures.median, figures.p90, figures.p99))
    if profile.error is not None:
        verdict, words = "ERROR", profile.error
    elif profile.verdict is None:
        verdict, words = "UNCHECKED", "no speed was asked for"
    else:
        found = profile.verdict
        verdict = str(found.outcome)
        words = f"{found.queries - found.over} of {found.queries} queries within {found.limit_ms:.2f} ms" + (
            "; dropped early" if profile.dropped else ""
        )
    return dataclasses.replace(
        item,
        timings=tuple(timings),
        verdict=verdict,
        explanation=words,
        stable=profile.stable,
        warnings=profile.warnings,
        peak_rss_mb=profile.peak_rss_mb,
    )


def slug(card: ModelCard) -> str:
    return re.sub(r"[^a-z0-9]+", "-", card.title.lower())


def _prepare(request: Request, card: ModelCard, dataset: Dataset, folder: Path, threads: int) -> Measured:
    """Count; if the counts hold, export. Done work is found again by the description, which is written last."""
    toolbox = trainer(request.task)
    here = folder / slug(card)
    model = toolbox.model(card, dataset)
    counts = count(card.toolbox, model, card.width, card.height)
    item = Measured(card, counts.parameters, counts.flops, 0, "", (), "READY", "", True)
    over = over_limits(item, request.limits)
    if over:
        return dataclasses.replace(item, verdict="OVER LIMIT", explanation="; ".join(over))
    if not (here / SPEC_FILE).is_file():
        hyper = toolbox.default(len(dataset.part("train")))
        recipe = toolbox.recipe(card, dataset, here, hyper)
        size = (card.width, card.height)
        try:
            export_onnx(export_config(recipe), None, request.task, card.toolbox, size, recipe.outputs, here)
        except ConversionFailed as error:
            return dataclasses.replace(item, verdict="ERROR", explanation=str(error))
        described = spec(request, card, dataset, threads)
        write_atomic(here / SPEC_FILE, described.model_dump_json(indent=1).encode())
    file = here / MODEL_FILE
    return dataclasses.replace(item, onnx_bytes=file.stat().st_size, onnx_sha256=sha256_file(file))


def spec(request: Request, card: ModelCard, dataset: Dataset, threads: int) -> PackageSpec:
    """The description of a model for this request."""
    toolbox = trainer(request.task)
    model = toolbox.model(card, dataset)
    return PackageSpec(
        task=request.task,  # type: ignore[arg-type]  # pydantic checks the word
        engine=request.engine,
        model_file=MODEL_FILE,
        classes=dataset.classes,
        keypoint_names=dataset.keypoint_names,
        skeleton=dataset.skeleton,
        preprocess=Preprocess(**toolbox.preprocess(model, card)),
        postprocess=Postprocess(**toolbox.postprocess(model)),
        threads=threads,
    )


def over_limits(item: Measured, limits: Limits) -> list[str]:
    """The counted limits that a candidate breaks, in words."""
    over = []
    if limits.max_parameters is not None and item.parameters > limits.max_parameters:
        over.append(f"{item.parameters / 1e6:.2f} M parameters, at most {limits.max_parameters / 1e6:g} M wanted")
    if limits.max_flops is not None and item.flops > limits.max_flops:
        over.append(f"{item.flops / 1e9:.3f} GFLOPs, at most {limits.max_flops / 1e9:g} wanted")
    return over


def _time(
    ready: Sequence[Measured],
    limits: Limits,
    dataset: Dataset,
    folder: Path,
    threads: int,
    say: Callable[[str], None],
) -> list[Profile]:
    read(typical(dataset)[0])  # a clear error here, not in every child
    limit_ms = None if limits.min_fps is None else 1000.0 / limits.min_fps
    say(f"timing {len(ready)} candidates against each other")
    return measure(
        [candidate(item.card.title, folder / slug(item.card), dataset, threads) for item in ready],
        scope=SCOPE,
        limit_ms=limit_ms,
        threads=threads,
        max_seconds=20.0,
        warmup_cap_s=5.0,
    )
