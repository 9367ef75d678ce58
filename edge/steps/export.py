"""Trained weights -> a staged package: exported model, description, samples with the trained model's answers."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

from deploy_targets.mmdeploy import export_onnx
from deploy_targets.registry import backend
from edge.predictor.spec import EXPECTED, REQUEST, SPEC_FILE, TRUTH, PackageSpec
from edge.records import Choice, Exported, Request, Trained
from edge.trainers import trainer
from edge.trainers.launch import export_config
from edge.trainers.reference import Arrays, answers
from edge.workdir import sha256_file, write_atomic
from edge.workdir import to_json as to_text
from zoo.datasets.record import Dataset, Sample, to_json

SAMPLES = 8
STAGED = "package"


def run(
    request: Request,
    choice: Choice,
    trained: Trained,
    dataset: Dataset,
    spec: PackageSpec,
    root: Path,
    folder: Path,
) -> Exported:
    """Export the trained weights and stage everything that verification needs.

    Raises:
        ConversionFailed: MMDeploy or the engine's converter failed.
    """
    started = time.monotonic()
    card = choice.chosen.card
    toolbox = trainer(card.task)
    staged = folder / STAGED
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    scratch = folder / "conversion"
    recipe = toolbox.recipe(card, dataset, scratch, toolbox.default(len(dataset.part("train"))))
    checkpoint = root / trained.checkpoint
    size = (card.width, card.height)
    onnx = export_onnx(export_config(recipe), checkpoint, card.task, card.toolbox, size, recipe.outputs, scratch)
    converted = backend(request.engine).convert(onnx, scratch)
    shutil.copyfile(converted, staged / spec.model_file)
    write_atomic(staged / SPEC_FILE, spec.model_dump_json(indent=1).encode())
    write_atomic(staged / "labels.txt", ("\n".join(spec.classes) + "\n").encode())
    write_atomic(staged / TRUTH, json.dumps(_truth(dataset), ensure_ascii=False).encode())
    write_atomic(staged / REQUEST, _promise(request, choice).encode())
    asked = [(sample, _box(dataset, sample)) for sample in _samples(dataset)]
    found = answers(card.toolbox, recipe.model, checkpoint, recipe.test_pipeline, [(s.image, box) for s, box in asked])
    _write_samples(staged, asked, found)
    return Exported(
        folder=str(staged.relative_to(root)),
        model_sha256=sha256_file(staged / spec.model_file),
        model_bytes=(staged / spec.model_file).stat().st_size,
        reference_samples=len(asked),
        seconds=round(time.monotonic() - started, 2),
    )


def _promise(request: Request, choice: Choice) -> str:
    """The request and the counted sizes, for whoever verifies the package later."""
    chosen = choice.chosen
    document = {
        "request": json.loads(to_text(request)),
        "parameters": chosen.parameters,
        "flops": chosen.flops,
        "card": json.loads(to_text(chosen.card)),
    }
    return json.dumps(document, indent=1, ensure_ascii=False)


def _samples(dataset: Dataset) -> list[Sample]:
    """Validation images, evenly spaced, so that the test part stays unseen until it is scored."""
    part = [s for s in dataset.part("val") if s.boxes or not dataset.keypoint_names]
    step = max(1, len(part) // SAMPLES)
    return part[::step][:SAMPLES]


def _box(dataset: Dataset, sample: Sample) -> tuple[float, float, float, float] | None:
    if not dataset.keypoint_names:
        return None
    box = sample.boxes[0]
    return (box.x, box.y, box.w, box.h)


def _truth(dataset: Dataset) -> dict[str, Any]:
    """The test part, and of the training part what the trivial baseline needs, without images."""
    document = to_json(dataset)
    document["samples"] = [entry for entry in document["samples"] if entry["split"] in ("train", "test")]
    return document


def _write_samples(
    staged: Path, asked: list[tuple[Sample, tuple[float, float, float, float] | None]], found: list[Arrays]
) -> None:
    """samples/NN.ext with expected.json; masks are PNG files beside."""
    import cv2

    folder = staged / "samples"
    folder.mkdir()
    entries = []
    for number, ((sample, box), arrays) in enumerate(zip(asked, found, strict=True)):
        name = f"{number:02d}{sample.image.suffix.lower()}"
        shutil.copyfile(sample.image, folder / name)
        entry: dict[str, Any] = {"image": f"samples/{name}", "box": box}
        for key, values in arrays.items():
            if key == "mask":
                mask = f"samples/{number:02d}.expected.png"
                write_atomic(staged / mask, cv2.imencode(".png", values)[1].tobytes())
                entry[key] = mask
            else:
                entry[key] = values.tolist()
        entries.append(entry)
    write_atomic(staged / EXPECTED, json.dumps(entries).encode())
