"""Predictions as plain data, and how output tensors become them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.predictor.images import Frame
from edge.predictor.spec import Postprocess

Outputs = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """What a model says of one image, in image pixels; only the fields of its task are filled.

    scores: (classes,). boxes: (n, 4) x1 y1 x2 y2, box_scores (n,), labels (n,). mask: (H, W) class numbers.
    keypoints: (k, 2), keypoint_scores (k,).
    """

    label: int | None = None
    scores: NDArray[Any] | None = None
    boxes: NDArray[Any] | None = None
    box_scores: NDArray[Any] | None = None
    labels: NDArray[Any] | None = None
    mask: NDArray[Any] | None = None
    keypoints: NDArray[Any] | None = None
    keypoint_scores: NDArray[Any] | None = None

    def confident(self, threshold: float) -> Answer:
        """Without the boxes that score below the threshold."""
        if self.boxes is None or self.box_scores is None or self.labels is None:
            return self
        keep = self.box_scores >= threshold
        return Answer(boxes=self.boxes[keep], box_scores=self.box_scores[keep], labels=self.labels[keep])


def postprocess(outputs: Outputs, how: Postprocess, frame: Frame) -> Answer:
    """Output tensors -> Answer in image pixels. Boxes are all kept; the caller applies its threshold."""
    return _READERS[how.kind](outputs, how, frame)


def _scores(outputs: Outputs, _how: Postprocess, _frame: Frame) -> Answer:
    scores = outputs["output"][0]
    return Answer(label=int(np.argmax(scores)), scores=scores)


def _boxes(outputs: Outputs, _how: Postprocess, frame: Frame) -> Answer:
    dets, labels = outputs["dets"][0], outputs["labels"][0]
    keep = dets[:, 4] > 0  # MMDeploy fills up with zero rows
    dets, labels = dets[keep], labels[keep]
    corners = frame.to_image(dets[:, :4].reshape(-1, 2)).reshape(-1, 4)
    corners[:, 0::2] = corners[:, 0::2].clip(0, frame.width)
    corners[:, 1::2] = corners[:, 1::2].clip(0, frame.height)
    return Answer(boxes=corners, box_scores=dets[:, 4], labels=labels.astype(np.int64))


def _mask(outputs: Outputs, _how: Postprocess, frame: Frame) -> Answer:
    raw = np.asarray(outputs["output"])
    small = raw.reshape(raw.shape[-2:]).astype(np.uint8)
    mask = cv2.resize(small, (frame.width, frame.height), interpolation=cv2.INTER_NEAREST)
    return Answer(mask=mask)


def _simcc(outputs: Outputs, how: Postprocess, frame: Frame) -> Answer:
    x, y = outputs["simcc_x"][0], outputs["simcc_y"][0]
    points = np.stack([x.argmax(axis=1), y.argmax(axis=1)], axis=1) / how.simcc_ratio
    # a keypoint is as sure as its less sure axis (mmpose's get_simcc_maximum)
    scores = np.minimum(x.max(axis=1), y.max(axis=1))
    return Answer(keypoints=frame.to_image(points), keypoint_scores=scores)


def _heatmap(outputs: Outputs, how: Postprocess, frame: Frame) -> Answer:
    maps = outputs["output"][0]
    count, _, width = maps.shape
    flat = maps.reshape(count, -1)
    best = flat.argmax(axis=1)
    rows, columns = best // width, best % width
    points = np.stack([columns, rows], axis=1).astype(np.float64)
    points += _towards_the_higher_neighbour(maps, rows, columns)
    points *= how.heatmap_stride
    return Answer(keypoints=frame.to_image(points), keypoint_scores=flat.max(axis=1))


def _towards_the_higher_neighbour(maps: NDArray[Any], rows: NDArray[Any], columns: NDArray[Any]) -> NDArray[Any]:
    """A quarter pixel per axis, none at the border: the standard refinement (Newell et al., ECCV 2016, 3.1)."""
    count, height, width = maps.shape
    moves = np.zeros((count, 2))
    for k, (y, x) in enumerate(zip(rows, columns, strict=True)):
        # the same, slightly uneven, borders as mmpose's refine_keypoints
        if 1 < x < width - 1 and 0 < y < height:
            moves[k, 0] = np.sign(maps[k, y, x + 1] - maps[k, y, x - 1]) * 0.25
        if 1 < y < height - 1 and 0 < x < width:
            moves[k, 1] = np.sign(maps[k, y + 1, x] - maps[k, y - 1, x]) * 0.25
    return moves


_READERS = {"scores": _scores, "boxes": _boxes, "mask": _mask, "simcc": _simcc, "heatmap": _heatmap}
