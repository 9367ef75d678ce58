"""The test metric of an opened package, computed in the exported runtime, and the trivial baseline beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edge.predictor.answers import Answer
from edge.predictor.images import Box, read
from edge.predictor.predictor import Predictor
from zoo import metrics
from zoo.datasets.masks import mask_values
from zoo.datasets.record import Dataset, Sample


@dataclass(frozen=True)
class Score:
    """In 0..1; `images` is how many test images were scored, `details` figures beside the metric."""

    metric: float
    baseline: float
    images: int
    details: dict[str, float] = field(default_factory=dict)


def score(
    predictor: Predictor, dataset: Dataset, progress: Callable[[int, int], None] | None = None, part: str = "test"
) -> Score:
    """Predict every image of a part once and score.

    Raises:
        DataError: an image of the part cannot be read any more.
        ScoreError: there is nothing to score.
    """
    return _SCORERS[predictor.spec.task](_Run(predictor, dataset, progress, part))


class _Run:
    """One part of the data with a predictor."""

    def __init__(
        self, predictor: Predictor, dataset: Dataset, progress: Callable[[int, int], None] | None, part: str
    ) -> None:
        self.predictor = predictor
        self.dataset = dataset
        self.samples = dataset.part(part)
        self._progress = progress

    def answers(self) -> list[Answer]:
        found = []
        for number, sample in enumerate(self.samples, start=1):
            found.append(self.predictor(read(sample.image)))
            if self._progress:
                self._progress(number, len(self.samples))
        return found


def _classification(run: _Run) -> Score:
    truth = np.array([sample.label for sample in run.samples])
    known = np.array([sample.label for sample in run.dataset.part("train")])
    predicted = np.array([answer.label for answer in run.answers()])
    return Score(metrics.accuracy(predicted, truth), metrics.baseline_accuracy(known, truth), len(truth))


def _detection(run: _Run) -> Score:
    truths = [sample.boxes for sample in run.samples]
    classes = len(run.dataset.classes)
    found = [_judged(run.dataset, sample, a) for sample, a in zip(run.samples, run.answers(), strict=True)]
    result = metrics.average_precision(found, truths, classes)
    baseline = metrics.baseline_average_precision(truths, classes)
    by_class = {
        f"AP50 of {name}": v for name, v in zip(run.dataset.classes, result.ap50_by_class, strict=True) if v is not None
    }
    return Score(result.ap50, baseline.ap50, len(truths), {"AP": result.ap, **by_class})


def _judged(dataset: Dataset, sample: Sample, answer: Answer) -> metrics.Detections:
    """What was found, without the classes that the sample's source does not label: nobody knows whether it is right."""
    said = ~np.isin(answer.labels, dataset.unlabelled(sample))  # type: ignore[arg-type]
    return metrics.Detections(answer.boxes[said], answer.box_scores[said], answer.labels[said])  # type: ignore[index]


def _segmentation(run: _Run) -> Score:
    classes, ignore = len(run.dataset.classes), run.dataset.ignore_index
    total: Any = np.zeros((classes, classes), np.int64)
    for number, answer in enumerate(run.answers()):
        assert answer.mask is not None
        sample = run.samples[number]
        truth = _mask(run.dataset, sample)
        unsaid = (truth == run.dataset.background) & np.isin(answer.mask, run.dataset.unlabelled(sample))
        said = ~unsaid.ravel()
        total += metrics.confusion(answer.mask.ravel()[said], truth.ravel()[said], classes, ignore)
    known = np.zeros(classes, np.int64)
    for sample in run.dataset.part("train"):
        values = _mask(run.dataset, sample)
        known += np.bincount(values[values < classes].ravel(), minlength=classes)
    baseline = metrics.baseline_mean_iou(known, total.sum(axis=1))
    return Score(metrics.mean_iou(total), baseline, len(run.samples))


def _mask(dataset: Dataset, sample: Sample) -> Any:
    """Class numbers (H, W) of a sample, after the remapping that a restriction of the classes made."""
    assert sample.mask is not None
    values = mask_values(sample.mask)
    remap = dataset.remap_of(sample)
    if not remap:
        return values
    table = np.arange(256)
    table[: len(remap)] = remap
    return table[values]


def _keypoint(run: _Run) -> Score:
    pairs = [(sample, box) for sample in run.samples for box in sample.boxes]
    points: list[Any] = []
    for sample, box in pairs:
        where: Box = (box.x, box.y, box.w, box.h)
        points.append(run.predictor(read(sample.image), where).keypoints)
    truth = np.array([box.keypoints for _, box in pairs], np.float64)
    sides = np.array([max(box.w, box.h) for _, box in pairs])
    found = metrics.pck(np.array(points), truth[:, :, :2], truth[:, :, 2].astype(np.int64), sides)
    known = [box for sample in run.dataset.part("train") for box in sample.boxes]
    baseline = metrics.baseline_pck(known, [box for _, box in pairs])
    return Score(found, baseline, len(run.samples))


_SCORERS = {
    "classification": _classification,
    "detection": _detection,
    "segmentation": _segmentation,
    "keypoint": _keypoint,
}
