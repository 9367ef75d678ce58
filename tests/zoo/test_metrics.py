"""Facts about scores and baselines, on cases worked out by hand."""

import numpy as np
import pytest

from zoo import metrics
from zoo.datasets.record import Box
from zoo.errors import ScoreError, UnknownTask
from zoo.tasks import TASKS, task


def found(*entries: tuple[float, float, float, float, float, int]) -> metrics.Detections:
    table = np.array(entries, dtype=float).reshape(-1, 6)
    return metrics.Detections(table[:, :4], table[:, 4], table[:, 5].astype(int))


def test_every_task_has_a_toolbox_a_metric_and_a_baseline() -> None:
    assert {name: entry.toolbox for name, entry in TASKS.items()} == {
        "classification": "mmpretrain",
        "detection": "mmdet",
        "segmentation": "mmseg",
        "keypoint": "mmpose",
    }
    with pytest.raises(UnknownTask, match="There is no task 'tracking'"):
        task("tracking")


def test_accuracy_is_the_share_of_hits() -> None:
    assert metrics.accuracy(np.array([0, 1, 1, 2]), np.array([0, 1, 2, 2])) == 0.75
    with pytest.raises(ScoreError):
        metrics.accuracy(np.array([0]), np.array([0, 1]))
    with pytest.raises(ScoreError):
        metrics.accuracy(np.array([], dtype=int), np.array([], dtype=int))


def test_confusion_has_the_truth_in_rows_and_leaves_out_ignored_pixels() -> None:
    counts = metrics.confusion(np.array([[0, 1], [1, 1]]), np.array([[0, 0], [1, 255]]), 2, ignore_index=255)
    assert counts.tolist() == [[1, 1], [0, 1]]
    with pytest.raises(ScoreError, match="Class indices \\[5\\]"):
        metrics.confusion(np.array([5]), np.array([0]), 2)


def test_mean_iou_leaves_out_classes_that_never_occur() -> None:
    assert metrics.mean_iou(np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]])) == pytest.approx(0.5)
    with pytest.raises(ScoreError):
        metrics.mean_iou(np.zeros((2, 2), dtype=int))


def test_perfect_boxes_have_ap_1_and_shifted_ones_only_ap50() -> None:
    truth = [[Box(10, 10, 100, 100, 0)], [Box(5, 5, 50, 50, 0)]]
    perfect = [found((10, 10, 110, 110, 0.9, 0)), found((5, 5, 55, 55, 0.8, 0))]
    assert metrics.average_precision(perfect, truth, 1) == metrics.Precision(1.0, 1.0, (1.0,))
    # moved by a fifth: intersection 80, union 120, IoU 0.667, so thresholds 0.50, 0.55, 0.60, 0.65 of ten
    shifted = [found((30, 10, 130, 110, 0.9, 0)), found((15, 5, 65, 55, 0.8, 0))]
    answer = metrics.average_precision(shifted, truth, 1)
    assert answer.ap50 == pytest.approx(1.0)
    assert answer.ap == pytest.approx(0.4)


def test_a_wrong_label_is_a_miss_and_a_class_without_truth_does_not_count() -> None:
    truth = [[Box(10, 10, 100, 100, 0), Box(200, 10, 50, 50, 1)]]
    answer = metrics.average_precision([found((10, 10, 110, 110, 0.9, 1), (200, 10, 250, 60, 0.8, 1))], truth, 3)
    assert answer.ap50_by_class[0] == 0.0
    assert answer.ap50_by_class[2] is None
    # class 1: the false box comes first, so precision is 1/2 at full recall
    assert answer.ap50_by_class[1] == pytest.approx(0.5)
    assert answer.ap50 == pytest.approx(0.25)


def test_more_than_100_objects_need_a_higher_limit() -> None:
    truth = [[Box(20 * (n % 20), 20 * (n // 20), 10, 10, 0) for n in range(200)]]
    boxes = [found(*[(b.x, b.y, b.x + b.w, b.y + b.h, 0.9, 0) for b in truth[0]])]
    assert metrics.average_precision(boxes, truth, 1).ap50 < 0.6
    assert metrics.average_precision(boxes, truth, 1, max_detections=300).ap50 == pytest.approx(1.0)


def test_a_crowd_is_neither_a_miss_nor_a_hit() -> None:
    truth = [[Box(10, 10, 100, 100, 0), Box(300, 300, 100, 100, 0, crowd=True)]]
    boxes = [found((310, 310, 350, 350, 0.99, 0), (10, 10, 110, 110, 0.9, 0))]
    assert metrics.average_precision(boxes, truth, 1).ap == pytest.approx(1.0)


def test_finding_nothing_scores_0_and_no_truth_is_an_error() -> None:
    assert metrics.baseline_average_precision([[Box(1, 1, 5, 5, 0)]], 1).ap50 == 0.0
    with pytest.raises(ScoreError, match="no annotated box"):
        metrics.baseline_average_precision([[]], 1)


def test_pck_counts_labelled_points_within_a_tenth_of_the_box() -> None:
    true = np.zeros((1, 3, 2))
    pred = np.array([[[10.0, 0.0], [10.1, 0.0], [99.0, 0.0]]])
    assert metrics.pck(pred, true, np.array([[2, 1, 0]]), np.array([100.0])) == 0.5
    with pytest.raises(ScoreError, match="no labelled keypoint"):
        metrics.pck(pred, true, np.array([[0, 0, 0]]), np.array([100.0]))


def test_baselines_know_only_the_training_part() -> None:
    assert metrics.baseline_accuracy(np.array([1, 1, 0]), np.array([0, 0, 1, 0])) == 0.25
    assert metrics.baseline_mean_iou(np.array([9, 1]), np.array([3, 1])) == pytest.approx(0.375)
    train = [
        Box(0, 0, 10, 10, 0, keypoints=((5, 5, 2), (0, 0, 0))),
        Box(0, 0, 20, 20, 0, keypoints=((2, 6, 2), (9, 9, 0))),
    ]
    assert metrics.mean_pose(train).tolist() == [[0.3, 0.4], [0.5, 0.5]]
    test = [Box(100, 100, 100, 50, 0, keypoints=((135, 120, 2), (150, 140, 1)))]
    assert metrics.baseline_pck(train, test) == 0.5
