"""Compares an exported model's answers with those of the trained model, with stated tolerances per task."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.errors import VerificationFailed
from edge.predictor.answers import Answer
from edge.predictor.images import Image, read
from edge.predictor.predictor import Predictor
from edge.predictor.spec import EXPECTED, PackageSpec

TOP_BOXES = 20  # of each image, best first; below them scores are noise


@dataclass(frozen=True)
class Parity:
    """`figures` are the measured differences, `holds` whether they are within `tolerance`, None if nothing compared."""

    figures: dict[str, float]
    tolerance: str
    holds: bool | None


def compare(predictor: Predictor, folder: Path, name: str = EXPECTED) -> Parity:
    """Run the package's samples and hold the answers against expected.json, or another file of that form.

    Raises:
        VerificationFailed: expected.json is missing or malformed.
    """
    try:
        entries = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise VerificationFailed(f"{folder / name} cannot be read: {error}", "Make the package again.") from error
    pairs = []
    try:
        for entry in entries:
            box = tuple(entry["box"]) if entry["box"] else None
            pairs.append((predictor(shown(read(folder / entry["image"]), predictor.spec), box), entry))
        return _COMPARERS[predictor.spec.task](pairs, folder)
    except (KeyError, TypeError, ValueError) as error:
        raise VerificationFailed(f"{folder / name} is malformed: {error!r}", "Make the package again.") from error


def shown(image: Image, spec: PackageSpec) -> Image:
    """Masks are compared at the size of the model's input, before anything is enlarged."""
    if spec.task != "segmentation":
        return image
    how = spec.preprocess
    resized: Image = cv2.resize(image, (how.width, how.height), interpolation=cv2.INTER_LINEAR)
    return resized


def _classification(pairs: list[tuple[Answer, dict[str, Any]]], _folder: Path) -> Parity:
    differences = [float(np.abs(answer.scores - np.asarray(e["scores"])).max()) for answer, e in pairs]
    same = [int(answer.label == int(np.argmax(e["scores"]))) for answer, e in pairs]
    relative = [
        float((np.abs(answer.scores - np.asarray(e["scores"])) / np.maximum(np.abs(e["scores"]), 1e-3)).max())
        for answer, e in pairs
    ]
    figures = {
        "largest score difference": float(np.max(differences or [0.0])),
        "largest relative difference of scores above 0.001": float(np.max(relative or [0.0])),
        "same class": float(np.mean(same or [0])),
    }
    holds = figures["largest score difference"] <= 1e-3 if pairs else None
    return Parity(figures, "every score within 0.001", holds)


def _detection(pairs: list[tuple[Answer, dict[str, Any]]], _folder: Path) -> Parity:
    total, matched, worst = 0, 0, 0.0
    for answer, entry in pairs:
        for box, score, label in list(zip(entry["boxes"], entry["box_scores"], entry["labels"], strict=True))[
            :TOP_BOXES
        ]:
            total += 1
            gap = _nearest(answer, box, score, label)
            if gap is not None:
                matched += 1
                worst = max(worst, gap)
    figures = {
        "boxes compared": float(total),
        "share of them found again": matched / total if total else 0.0,
        "largest corner difference in px": worst,
    }
    return Parity(
        figures,
        "98 % of the 20 best boxes of each image found again: same class, corners within 1 px, score within 0.01",
        figures["share of them found again"] >= 0.98 if total else None,
    )


def _nearest(answer: Answer, box: list[float], score: float, label: int) -> float | None:
    """Largest corner difference to the closest box of the same class and score, None if none is within 1 px."""
    assert answer.boxes is not None and answer.box_scores is not None and answer.labels is not None
    fits = (answer.labels == label) & (np.abs(answer.box_scores - score) <= 0.01)
    if not fits.any():
        return None
    gap = float(np.abs(answer.boxes[fits] - np.asarray(box)).max(axis=1).min())
    return gap if gap <= 1.0 else None


def _segmentation(pairs: list[tuple[Answer, dict[str, Any]]], folder: Path) -> Parity:
    shares = []
    for answer, entry in pairs:
        expected = cv2.imread(str(folder / entry["mask"]), cv2.IMREAD_UNCHANGED)
        shares.append(float(np.mean(answer.mask == expected)))
    figures = {"least share of equal pixels": min(shares, default=0.0)}
    return Parity(
        figures,
        "99 % of the pixels of each mask equal, at the size of the input",
        min(shares) >= 0.99 if shares else None,
    )


def _keypoint(pairs: list[tuple[Answer, dict[str, Any]]], _folder: Path) -> Parity:
    gaps = [np.linalg.norm(answer.keypoints - np.asarray(e["keypoints"]), axis=1) for answer, e in pairs]
    together = np.concatenate(gaps) if gaps else np.zeros(0)
    share = float((together <= 1.0).mean()) if gaps else 0.0
    figures = {"points within 1 px": share, "largest difference in px": float(together.max()) if gaps else 0.0}
    return Parity(figures, "98 % of the points within 1 px", share >= 0.98 if gaps else None)


_COMPARERS = {
    "classification": _classification,
    "detection": _detection,
    "segmentation": _segmentation,
    "keypoint": _keypoint,
}
