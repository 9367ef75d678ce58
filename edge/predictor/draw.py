"""Predictions drawn onto the image."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from edge.predictor.answers import Answer
from edge.predictor.images import Image
from edge.predictor.spec import PackageSpec

# Okabe and Ito's palette (2008), told apart by colour-blind readers as well; BGR.
PALETTE = (
    (0, 159, 230),
    (233, 180, 86),
    (115, 158, 0),
    (66, 228, 240),
    (178, 114, 0),
    (0, 94, 213),
    (167, 121, 204),
)
SMALLEST_SIDE = 320  # smaller pictures are enlarged, so that labels can be read
LARGEST_SIDE = 2048  # but not beyond this: one pixel by a thousand would become a hundred million


def draw(image: Image, answer: Answer, spec: PackageSpec, threshold: float | None = None) -> Image:
    """A picture (H, W, 3) BGR with the prediction on it; the input is left as it is."""
    wanted = -(-SMALLEST_SIDE // min(image.shape[:2]))
    zoom = max(1, min(wanted, LARGEST_SIDE // max(image.shape[:2])))
    size = (image.shape[1] * zoom, image.shape[0] * zoom)
    canvas = cv2.resize(image, size, interpolation=cv2.INTER_NEAREST if zoom > 1 else cv2.INTER_LINEAR)
    if answer.scores is not None and answer.label is not None:
        _text(canvas, f"{spec.classes[answer.label]} {answer.scores[answer.label]:.2f}", (4, 20), PALETTE[0])
    elif answer.boxes is not None:
        _draw_boxes(
            canvas, answer.confident(spec.postprocess.score_threshold if threshold is None else threshold), spec, zoom
        )
    elif answer.mask is not None:
        canvas = _overlay(canvas, answer.mask, spec)
    elif answer.keypoints is not None:
        _draw_points(canvas, answer, spec, zoom)
    drawn: Image = canvas
    return drawn


def _draw_boxes(canvas: Any, answer: Answer, spec: PackageSpec, zoom: int) -> None:
    assert answer.boxes is not None and answer.box_scores is not None and answer.labels is not None
    for box, score, label in zip(answer.boxes * zoom, answer.box_scores, answer.labels, strict=True):
        color = PALETTE[int(label) % len(PALETTE)]
        x1, y1, x2, y2 = (round(float(v)) for v in box)
        cv2.rectangle(canvas, (x1, y1), (x2, y2), color, 2)
        _text(canvas, f"{spec.classes[int(label)]} {score:.2f}", (x1 + 2, max(12, y1 - 4)), color)


def _overlay(canvas: Any, mask: Any, spec: PackageSpec) -> Any:
    colors = np.zeros((256, 3), np.uint8)
    for number, name in enumerate(spec.classes):
        if name.casefold() != "background":
            colors[number] = PALETTE[number % len(PALETTE)]
    large = cv2.resize(mask, (canvas.shape[1], canvas.shape[0]), interpolation=cv2.INTER_NEAREST)
    tint = colors[large]
    mixed = cv2.addWeighted(canvas, 0.55, tint, 0.45, 0)
    return np.where(tint.any(axis=2, keepdims=True), mixed, canvas)


def _draw_points(canvas: Any, answer: Answer, spec: PackageSpec, zoom: int) -> None:
    assert answer.keypoints is not None
    points = [(round(float(x)), round(float(y))) for x, y in answer.keypoints * zoom]
    for a, b in spec.skeleton:
        cv2.line(canvas, points[a], points[b], (200, 200, 200), 1, cv2.LINE_AA)
    for number, point in enumerate(points):
        cv2.circle(canvas, point, 4, PALETTE[number % len(PALETTE)], -1, cv2.LINE_AA)


def _text(canvas: Any, text: str, origin: tuple[int, int], color: tuple[int, int, int]) -> None:
    # OpenCV's stroke fonts hold ASCII only
    shown = text.encode("ascii", "replace").decode()
    cv2.putText(canvas, shown, origin, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(canvas, shown, origin, cv2.FONT_HERSHEY_SIMPLEX, 0.5, color, 1, cv2.LINE_AA)
