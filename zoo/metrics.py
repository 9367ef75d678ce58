"""Scores and trivial baselines on plain arrays. Knows no model, no file and no data set format.

A baseline tells what a score is worth: it sees the training part's statistics and no image.
"""

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.datasets.record import Box
from zoo.errors import ScoreError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Detections:
    """Found in one image: `boxes` (n, 4) as left, top, right, bottom in pixels, `scores` (n,), `labels` (n,)."""

    boxes: "Floats"
    scores: "Floats"
    labels: "Ints"


@dataclass(frozen=True)
class Precision:
    """COCO's average precision over IoU 0.50:0.95 and at 0.50; `ap50_by_class` has None for classes without truth."""

    ap: float
    ap50: float
    ap50_by_class: tuple[float | None, ...]


def accuracy(pred: "Ints", true: "Ints") -> float:
    """Share of equal entries of two (n,) arrays of class indices, between 0 and 1."""
    _refuse_unequal("predictions", pred.shape, "labels", true.shape)
    return float((pred == true).mean())


def confusion(pred: "Ints", true: "Ints", classes: int, ignore_index: int | None = None) -> "Ints":
    """Counts (classes, classes): row the true class, column the predicted one; any equal shapes (pixels, images).

    Entries whose truth is `ignore_index` are left out; other values outside the classes raise ScoreError.
    """
    import numpy as np

    _refuse_unequal("predictions", pred.shape, "truth", true.shape)
    pred, true = pred.ravel().astype(np.int64), true.ravel().astype(np.int64)
    if ignore_index is not None:
        pred, true = pred[true != ignore_index], true[true != ignore_index]
    beyond = [int(value) for value in np.unique(np.concatenate([pred, true])) if not 0 <= value < classes]
    if beyond:
        raise ScoreError.because(f"Class indices {beyond} with {classes} classes.", "Indices count from 0.")
    return np.bincount(true * classes + pred, minlength=classes * classes).reshape(classes, classes)


def mean_iou(confusion: "Ints") -> float:
    """Mean over classes of TP / (TP + FP + FN) from the summed (classes, classes) counts (PASCAL VOC, Cityscapes).

    Classes that occur neither in truth nor in prediction are left out, as in mmseg.
    """
    import numpy as np

    hits = np.diag(confusion).astype(np.float64)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - hits
    if not union.any():
        raise ScoreError.because("There is no pixel to score.", "Are all pixels ignored?")
    return float((hits[union > 0] / union[union > 0]).mean())


def average_precision(
    predictions: Sequence[Detections],
    truths: Sequence[Sequence[Box]],
    classes: int,
    max_detections: int = 100,
) -> Precision:
    """COCO box AP by pycocotools, image by image; crowd boxes are ignored regions as COCO defines them.

    COCO's limit of 100 detections an image is a parameter here, for pictures with more objects.
    """
    import numpy as np
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    _refuse_unequal("predicted images", (len(predictions),), "annotated images", (len(truths),))
    with redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = _as_coco(truths, classes)
        truth.createIndex()
        found = COCO()
        found.dataset = {**truth.dataset, "annotations": _as_annotations(predictions)}
        found.createIndex()
        scoring = COCOeval(truth, found, "bbox")
        scoring.params.maxDets = [max_detections]
        scoring.params.areaRng, scoring.params.areaRngLbl = scoring.params.areaRng[:1], scoring.params.areaRngLbl[:1]
        scoring.evaluate()
        scoring.accumulate()
    # IoU thresholds x recalls x classes x area ranges x detection limits; -1 where a class has no truth
    precision = np.asarray(scoring.eval["precision"])[:, :, :, 0, 0]
    annotated = [number for number in range(classes) if (precision[0, :, number] > -1).all()]
    if not annotated:
        raise ScoreError.because("There is no annotated box to score against.", "AP needs at least one.")
    by_class = tuple(float(precision[0, :, n].mean()) if n in annotated else None for n in range(classes))
    return Precision(
        ap=float(precision[:, :, annotated].mean()),
        ap50=float(precision[0][:, annotated].mean()),
        ap50_by_class=by_class,
    )


def pck(pred: "Floats", true: "Floats", visible: "Ints", box_side: "Floats", threshold: float = 0.1) -> float:
    """Share of labelled keypoints found within `threshold` x `box_side` (Yang and Ramanan, PAMI 2013).

    `pred`, `true`: (n, k, 2) pixels; `visible`: (n, k), 0 is left out; `box_side`: (n,) longer box side in pixels.
    The mean runs over points, so that a figure with many visible points counts for more.
    """
    import numpy as np

    _refuse_unequal("predicted points", pred.shape, "annotated points", true.shape)
    _refuse_unequal("visibilities", visible.shape, "points", true.shape[:2])
    _refuse_unequal("box sides", box_side.shape, "figures", true.shape[:1])
    labelled = visible > 0
    if not labelled.any():
        raise ScoreError.because("There is no labelled keypoint to score.", "Points with v=0 do not count.")
    near = np.linalg.norm(pred - true, axis=2) <= threshold * box_side[:, None]
    return float(near[labelled].mean())


def baseline_accuracy(train: "Ints", test: "Ints") -> float:
    """Accuracy on the labels `test` (n,) of always answering the most frequent label of `train`."""
    import numpy as np

    return accuracy(np.full_like(test, int(np.bincount(train).argmax())), test)


def baseline_average_precision(truths: Sequence[Sequence[Box]], classes: int) -> Precision:
    """AP of finding nothing: 0 by definition of recall, computed like any other score."""
    import numpy as np

    nothing = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, dtype=np.int64))
    return average_precision([nothing] * len(truths), truths, classes)


def baseline_mean_iou(train_pixels: "Ints", test_pixels: "Ints") -> float:
    """Mean IoU of painting everything as the most frequent class of `train`; both are pixel counts (classes,)."""
    import numpy as np

    _refuse_unequal("training classes", train_pixels.shape, "test classes", test_pixels.shape)
    counts = np.zeros((len(test_pixels), len(test_pixels)), dtype=np.int64)
    counts[:, int(train_pixels.argmax())] = test_pixels
    return mean_iou(counts)


def mean_pose(boxes: Sequence[Box]) -> "Floats":
    """The mean position (k, 2) of each keypoint in box coordinates, 0 to 1; the box centre if it is never labelled."""
    import numpy as np

    points = np.array([box.keypoints for box in boxes if box.keypoints], dtype=np.float64)
    if not len(points):
        raise ScoreError.because("No box has keypoints.", "The mean pose needs an annotated figure.")
    frames = np.array([(box.x, box.y, box.w, box.h) for box in boxes if box.keypoints])
    relative = (points[:, :, :2] - frames[:, None, :2]) / frames[:, None, 2:]
    labelled = (points[:, :, 2] > 0)[:, :, None]
    count = labelled.sum(axis=0)
    return np.where(count > 0, (relative * labelled).sum(axis=0) / np.maximum(count, 1), 0.5)


def baseline_pck(train: Sequence[Box], test: Sequence[Box], threshold: float = 0.1) -> float:
    """PCK on `test` of the mean pose of `train` stretched into each box."""
    import numpy as np

    posed = [box for box in test if box.keypoints]
    points = np.array([box.keypoints for box in posed], dtype=np.float64)
    frames = np.array([(box.x, box.y, box.w, box.h) for box in posed])
    if not posed:
        raise ScoreError.because("No test box has keypoints.", "PCK needs an annotated figure.")
    guess = mean_pose(train)[None] * frames[:, None, 2:] + frames[:, None, :2]
    return pck(guess, points[:, :, :2], points[:, :, 2].astype(np.int64), frames[:, 2:].max(axis=1), threshold)


def _as_coco(truths: Sequence[Sequence[Box]], classes: int) -> dict[str, Any]:
    boxes = [(number, box) for number, image in enumerate(truths, start=1) for box in image]
    return {
        "images": [{"id": number} for number in range(1, len(truths) + 1)],
        "categories": [{"id": number, "name": str(number)} for number in range(classes)],
        "annotations": [
            {
                "id": index,
                "image_id": number,
                "category_id": box.label,
                "bbox": [box.x, box.y, box.w, box.h],
                "area": box.w * box.h,
                "iscrowd": int(box.crowd),
            }
            for index, (number, box) in enumerate(boxes, start=1)
        ],
    }


def _as_annotations(predictions: Sequence[Detections]) -> list[dict[str, Any]]:
    annotations: list[dict[str, Any]] = []
    for number, found in enumerate(predictions, start=1):
        _refuse_unequal("scores", found.scores.shape, "boxes", found.boxes.shape[:1])
        _refuse_unequal("labels", found.labels.shape, "boxes", found.boxes.shape[:1])
        for (left, top, right, bottom), score, label in zip(found.boxes, found.scores, found.labels, strict=True):
            width, height = float(right - left), float(bottom - top)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": int(label),
                    "bbox": [float(left), float(top), width, height],
                    "area": width * height,
                    "iscrowd": 0,
                    "score": float(score),
                }
            )
    return annotations


def _refuse_unequal(one: str, shape: tuple[int, ...], other: str, other_shape: tuple[int, ...]) -> None:
    if shape != other_shape:
        raise ScoreError.because(f"{one} have shape {shape}, {other} {other_shape}.", "They have to be the same.")
    if 0 in shape[:1] and one in ("predictions", "predicted images", "predicted points"):
        raise ScoreError.because(f"There are no {one}.", "A score needs at least one.")
