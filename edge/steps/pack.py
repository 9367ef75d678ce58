"""Everything about a finished job -> the package folder, whole under its final name, manifest written last."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edge.errors import VerificationFailed
from edge.predictor.draw import draw
from edge.predictor.files import artefact_sha256
from edge.predictor.images import read
from edge.predictor.predictor import Predictor
from edge.predictor.spec import MANIFEST
from edge.records import Packed, Picture, Story
from edge.report.card import model_card
from edge.report.html import render
from edge.workdir import publish, sha256_file, to_json, write_atomic
from zoo.datasets.record import Dataset, Sample

PICTURES = 9


def run(story: Story, dataset: Dataset, staged: Path, final: Path, folder: Path) -> Packed:
    """Copy the staged files, add card, report and verification, then the manifest, then the final name."""
    if story.verified.artefact_sha256 != artefact_sha256(staged):
        raise VerificationFailed(
            f"the model's files in {staged} are not those that were timed", "Start again in a new folder: --out DIR."
        )
    story = replace(story, pictures=_pictures(staged, dataset))
    aside = folder / "package"
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(staged, aside)
    write_atomic(aside / "README.md", model_card(story).encode())
    write_atomic(aside / "report.html", render(story).encode())
    write_atomic(aside / "verification.json", to_json(story.verified).encode())
    files = sorted(path for path in aside.rglob("*") if path.is_file())
    manifest = {
        "format": 1,
        "overall": story.verified.overall,
        "request": story.request.text,
        "files": {path.relative_to(aside).as_posix(): sha256_file(path) for path in files},
    }
    write_atomic(aside / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False).encode())
    size = sum(path.stat().st_size for path in aside.rglob("*") if path.is_file())
    publish(aside, final)
    return Packed(str(final), story.verified.overall, len(files) + 1, size)


def _pictures(staged: Path, dataset: Dataset) -> tuple[Picture, ...]:
    """Test images with their predictions, evenly spaced over the test part, not chosen by how well they went."""
    import cv2

    predictor = Predictor.open(staged)
    part = [s for s in dataset.part("test") if s.boxes or not dataset.keypoint_names]
    shown = _spread(part)
    found = []
    for sample in shown:
        image = read(sample.image)
        box = sample.boxes[0] if dataset.keypoint_names else None
        answer = predictor(image, (box.x, box.y, box.w, box.h) if box else None)
        drawn = cv2.imencode(".jpg", draw(image, answer, predictor.spec))[1].tobytes()
        right, caption = None, sample.image.name
        if sample.label is not None and answer.label is not None:
            right = sample.label == answer.label
            caption = f"{dataset.classes[answer.label]}, labelled {dataset.classes[sample.label]}"
        found.append(Picture(drawn, caption, right))
    return tuple(found)


def _spread(part: Sequence[Sample]) -> list[Sample]:
    """By a hash of the name, so that an ordering by class does not decide."""
    ordered = sorted(part, key=lambda s: hashlib.sha256(s.image.name.encode()).hexdigest())
    return ordered[:PICTURES]
