"""Trained weights -> a staged package: exported model, description, samples with the trained model's answers.

Where the choice names lower precisions, each is made from the trained weights and held against the full one: kept if it
is faster and loses no more of the metric than is allowed. Validation images decide; the test part stays unseen.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deploy_targets.base import Array
from deploy_targets.errors import ConversionFailed, EngineMissing
from edge.artefacts.blueprint import Blueprint, blueprint
from edge.artefacts.convert import CALIBRATION, Exports, convert
from edge.artefacts.expected import write_expected, write_recorded
from edge.artefacts.pictures import Picture, spread, tensors, typical
from edge.artefacts.variant import Variant
from edge.errors import VerificationFailed
from edge.predictor.files import artefact_sha256, size_bytes
from edge.predictor.predictor import Predictor
from edge.predictor.scoring import score
from edge.predictor.spec import REQUEST, TRUTH
from edge.profiling.heat import Against, against
from edge.records import Choice, Exported, Measured, PrecisionTrial, Request, Trained
from edge.workdir import to_json as to_text
from edge.workdir import write_atomic
from zoo.datasets.record import Dataset, to_json

SAMPLES = 8
STAGED = "package"

MOST_TRIALS = 3
"""Lower precisions made of the trained network, the fastest as measured before training first."""

WORTH = 1.02
"""A lower precision is kept from this speed-up of the median on."""


@dataclass(frozen=True)
class _Maker:
    """The trained network, ready to be converted into any variant."""

    plan: Blueprint
    dataset: Dataset
    folder: Path
    exports: Exports

    def make(self, variant: Variant) -> Path:
        """A folder that opens as a predictor. Raises ConversionFailed, EngineMissing."""
        made = self.folder / variant.slug
        convert(self.plan, self.exports, variant, made, self._calibration)
        return made

    def _calibration(self) -> list[Array]:
        return tensors(spread(self.dataset, "train", CALIBRATION), self.plan.spec.preprocess)

    def metric(self, made: Path) -> float:
        """Of the validation images, in the exported runtime."""
        return score(Predictor.open(made), self.dataset, part="val").metric


def run(
    request: Request,
    choice: Choice,
    trained: Trained,
    dataset: Dataset,
    root: Path,
    folder: Path,
    *,
    threads: int,
    most_drop: float,
    say: Callable[[str], None],
) -> Exported:
    """Export the trained weights and stage everything that verification needs.

    Args:
        most_drop: what a lower precision may lose of the metric, of 1.

    Raises:
        ConversionFailed: MMDeploy or the engine's converter failed.
        VerificationFailed: only a lower precision is fast enough, and none keeps the metric.
    """
    started = time.monotonic()
    chosen = choice.chosen
    plan = blueprint(chosen.card, dataset, threads)
    checkpoint = root / trained.checkpoint
    shutil.rmtree(folder, ignore_errors=True)
    maker = _Maker(plan, dataset, folder, Exports(plan, checkpoint, folder / "exports"))
    say(f"exporting for {chosen.engine}")
    full = maker.make(Variant(chosen.engine, "fp32"))
    trials = _trials(maker, full, choice, most_drop, say)
    kept = next((trial for trial in trials if trial.kept), None)
    if kept is None and not chosen.lossless:
        raise _no_precision_holds(chosen, trials)
    shipped = Variant(kept.engine, kept.precision) if kept else Variant(chosen.engine, "fp32")
    staged = folder / STAGED
    shutil.copytree(folder / shipped.slug, staged)
    _describe(_promise(request, chosen, kept, most_drop), plan, checkpoint, dataset, staged)
    if kept:
        write_recorded(Predictor.open(staged), staged)
    return Exported(
        folder=str(staged.relative_to(root)),
        engine=shipped.engine,
        precision=shipped.precision,
        artefact_sha256=artefact_sha256(staged),
        model_bytes=size_bytes(staged),
        reference_samples=len(_samples(dataset)),
        seconds=round(time.monotonic() - started, 2),
        trials=tuple(trials),
    )


def _trials(
    maker: _Maker, full: Path, choice: Choice, most_drop: float, say: Callable[[str], None]
) -> list[PrecisionTrial]:
    """The lower precisions in turn, fastest first, until one is kept."""
    wanted = [*([] if choice.chosen.lossless else [choice.chosen]), *choice.lower][:MOST_TRIALS]
    if not wanted:
        return []
    full_metric = maker.metric(full)
    trials: list[PrecisionTrial] = []
    for item in wanted:
        say(f"proving {item.engine} {item.precision} on the trained network")
        trials.append(_trial(maker, full, full_metric, Variant(item.engine, item.precision), most_drop))
        if trials[-1].kept:
            break
    return trials


def _trial(maker: _Maker, full: Path, full_metric: float, variant: Variant, most_drop: float) -> PrecisionTrial:
    try:
        made = maker.make(variant)
    except (ConversionFailed, EngineMissing) as error:
        return PrecisionTrial(variant.engine, variant.precision, None, None, full_metric, False, str(error))
    metric = maker.metric(made)
    drop = full_metric - metric
    compared = _compared(maker, made, full)
    speedup = compared.speedup
    if speedup is None:
        reason = compared.fault
    elif speedup < WORTH:
        reason = f"{speedup:.2f} times as fast, at least {WORTH} wanted"
    elif drop > most_drop:
        reason = f"loses {drop:.4f} of the metric, at most {most_drop:g} allowed"
    else:
        reason = f"{speedup:.2f} times as fast, loses {max(drop, 0):.4f} of the metric, at most {most_drop:g} allowed"
        return PrecisionTrial(variant.engine, variant.precision, speedup, metric, full_metric, True, reason)
    return PrecisionTrial(variant.engine, variant.precision, speedup, metric, full_metric, False, reason)


def _compared(maker: _Maker, made: Path, full: Path) -> Against:
    return against(made, full, typical(maker.dataset), threads=maker.plan.spec.threads)


def _no_precision_holds(chosen: Measured, trials: list[PrecisionTrial]) -> VerificationFailed:
    return VerificationFailed(
        "only a lower precision of the chosen network is fast enough, and none keeps what it learned: "
        + "; ".join(f"{trial.title}: {trial.reason}" for trial in trials),
        "Ask for less speed, or allow a larger loss: EDGE_PRECISION_DROP, see docs/SETTINGS.md.",
    )


def _describe(promise: dict[str, Any], plan: Blueprint, checkpoint: Path, dataset: Dataset, staged: Path) -> None:
    """All that goes with a model: labels, truth, promise, samples with the trained model's own answers."""
    write_atomic(staged / "labels.txt", ("\n".join(plan.spec.classes) + "\n").encode())
    write_atomic(staged / TRUTH, json.dumps(_truth(dataset), ensure_ascii=False).encode())
    write_atomic(staged / REQUEST, json.dumps(promise, indent=1, ensure_ascii=False).encode())
    write_expected(plan, checkpoint, _samples(dataset), staged)


def _promise(request: Request, chosen: Measured, kept: PrecisionTrial | None, most_drop: float) -> dict[str, Any]:
    """The request, the counted sizes, and what a lower precision cost, for whoever verifies the package later."""
    return {
        "request": json.loads(to_text(request)),
        "parameters": chosen.parameters,
        "flops": chosen.flops,
        "card": json.loads(to_text(chosen.card)),
        "lowered": {**asdict(kept), "most_drop": most_drop} if kept else None,
    }


def _samples(dataset: Dataset) -> list[Picture]:
    """Validation images, evenly spaced, so that the test part stays unseen until it is scored."""
    return spread(dataset, "val", SAMPLES)


def _truth(dataset: Dataset) -> dict[str, Any]:
    """The test part, and of the training part what the trivial baseline needs, without images."""
    document = to_json(dataset)
    document["samples"] = [entry for entry in document["samples"] if entry["split"] in ("train", "test")]
    return document
