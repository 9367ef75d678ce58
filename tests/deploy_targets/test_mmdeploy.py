"""Exports of real networks in both forms, held against each other, and the NMS that is traced into TorchScript."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from deploy_targets.errors import ConversionFailed
from deploy_targets.mmdeploy import _own_suppression, export_onnx, export_torchscript, suppression
from deploy_targets.onnxruntime import OnnxRuntime
from deploy_targets.tail import Suppression
from deploy_targets.torchscript import TorchScript
from edge.artefacts.blueprint import blueprint
from edge.artefacts.pictures import drawn, tensors
from edge.artefacts.untrained import untrained
from zoo.models import shortlisted
from zoo.openmmlab import prepare

NETWORKS = [
    ("classification", "mobilenet-v2", 64),
    ("detection", "rtmdet_tiny", 256),
    ("segmentation", "pidnet-s", 256),
    ("keypoint", "rtmpose-t", 128),
]

# opens an export with torch alone and answers zeros; fails if anything of OpenMMLab comes along
ALONE = """
import sys, torch
module = torch.jit.load(sys.argv[1])
module(torch.zeros(1, 3, int(sys.argv[2]), int(sys.argv[2])))
sys.exit(any(name.split(".")[0] in ("mmcv", "mmdeploy", "mmengine", "torchvision") for name in sys.modules))
"""


def pairs(seed: int, count: int, classes: int, *, steps: int = 0) -> tuple[Any, Any]:
    """Boxes in heaps, so that many overlap, and scores; in so many steps, so that many are equal."""
    random = np.random.default_rng(seed)
    centres = random.choice(random.uniform(20, 300, (12, 2)), count) + random.normal(0, 6, (count, 2))
    sides = random.uniform(10, 60, (count, 2))
    boxes = np.concatenate([centres - sides / 2, centres + sides / 2], axis=1)[None].astype(np.float32)
    scores = random.uniform(0, 1, (1, count, classes)) ** 4
    scores = np.ceil(scores * steps) / steps if steps else scores
    return boxes, scores.astype(np.float32)


@pytest.mark.parametrize(
    ("count", "per_class", "first", "most"),
    [(700, 100, -1, 100), (700, 100, 300, 100), (60, 3, 1000, 100), (400, 200, -1, -1), (1, 100, -1, 100)],
)
def test_traced_nms_answers_like_the_tail_of_an_onnx_export(count: int, per_class: int, first: int, most: int) -> None:
    traced = suppression()
    reference = Suppression(0.02, 0.6, per_class, first if first > 0 else None, most if most > 0 else None)
    for seed in range(3):
        boxes, scores = pairs(seed, count, 4)
        dets, labels = traced(torch.from_numpy(boxes), torch.from_numpy(scores), 0.02, 0.6, per_class, first, most)
        expected = reference.apply(boxes, scores)
        assert np.array_equal(dets.numpy(), expected[0])
        assert np.array_equal(labels.numpy(), expected[1])


def test_traced_nms_without_any_box_gives_one_row_of_zeros() -> None:
    boxes, scores = pairs(0, 50, 3)
    dets, labels = suppression()(torch.from_numpy(boxes), torch.from_numpy(scores * 0), 0.02, 0.6, 100, 1000, 100)
    assert dets.tolist() == [[[0.0] * 5]]
    assert labels.tolist() == [[0]]


def test_a_chain_of_boxes_that_each_cover_the_next_keeps_every_other() -> None:
    left = torch.arange(40.0) * 2
    boxes = torch.stack([left, left * 0, left + 10, left * 0 + 10], dim=1)[None]  # neighbours share 8 of 12
    scores = torch.linspace(0.9, 0.1, 40)[None, :, None]
    dets, _ = suppression()(boxes, scores, 0.02, 0.6, 100, -1, 100)
    assert dets[0, :-1, 0].tolist() == left[::2].tolist()


@pytest.mark.parametrize("first", [1000, 150])
def test_equal_scores_are_taken_in_the_order_of_the_onnx_export(first: int) -> None:
    boxes, scores = pairs(5, 200, 3, steps=4)
    dets, labels = suppression()(torch.from_numpy(boxes), torch.from_numpy(scores), 0.02, 0.6, 100, first, 100)
    expected = Suppression(0.02, 0.6, 100, first, 100).apply(boxes, scores)
    assert np.array_equal(dets.numpy(), expected[0])
    assert np.array_equal(labels.numpy(), expected[1])


def test_mmdeploys_own_nms_is_back_after_the_export() -> None:
    prepare("mmdet")
    from mmdeploy.core import FUNCTION_REWRITER
    from mmdeploy.mmcv.ops import nms

    def registered() -> list[Any]:
        records = FUNCTION_REWRITER._registry._rewrite_records["mmdeploy.mmcv.ops.nms._multiclass_nms"]
        return [record["_object"] for record in records]

    before = registered()
    with _own_suppression():
        assert nms.multiclass_nms__torchscript not in registered()
    assert set(registered()) == set(before)
    assert len(registered()) == len(before)


@pytest.mark.parametrize("export", [export_onnx, export_torchscript])
def test_a_network_that_cannot_be_built_is_refused_and_the_log_is_named(export: Any, tmp_path: Path) -> None:
    nothing = {"default_scope": "mmpretrain", "model": {"type": "NoSuchNetwork"}, "test_pipeline": []}
    with pytest.raises(ConversionFailed, match="MMDeploy could not export the model") as caught:
        export(nothing, None, "classification", "mmpretrain", (32, 32), ("output",), tmp_path)
    assert caught.value.__notes__ == [f"The converter's own words are in {tmp_path / 'export.log'}."]


@pytest.mark.slow
@pytest.mark.parametrize(("task", "name", "side"), NETWORKS)
def test_both_exports_of_a_network_answer_the_same(task: str, name: str, side: int, tmp_path: Path) -> None:
    card = next(c for c in shortlisted(task) if c.name.startswith(name) and c.width == side)
    plan = blueprint(card, None, 1)
    shown = tensors(drawn(tmp_path / "pictures", task), plan.spec.preprocess)
    checkpoint = untrained(plan.network, shown, tmp_path / "weights.pth")
    made = [
        export(
            plan.network.export_config(),
            checkpoint,
            task,
            card.toolbox,
            (side, side),
            plan.network.outputs,
            tmp_path / export.__name__,
        )
        for export in (export_onnx, export_torchscript)
    ]
    assert sorted(path.name for path in made[1].parent.iterdir()) == ["export.log", "model.pt"]
    subprocess.run([sys.executable, "-W", "ignore", "-c", ALONE, str(made[1]), str(side)], check=True)
    onnx = OnnxRuntime().open(made[0], threads=1)
    script = TorchScript().open(TorchScript().convert(made[1], tmp_path / "made"), threads=1)
    for picture in shown[:3]:
        expected, found = onnx.run(picture), script.run(picture)
        assert list(found) == list(plan.network.outputs)
        if task == "detection":
            assert len(found["dets"][0]) > 20
            expected, found = _ordered(expected), _ordered(found)
        for output in found:
            assert found[output].shape == expected[output].shape
            assert np.isclose(found[output], expected[output], atol=1e-2).mean() > 0.999


def _ordered(outputs: Any) -> dict[str, Any]:
    """Boxes by place: among nearly equal scores the order of rank is not the same in two engines."""
    dets, labels = outputs["dets"][0], outputs["labels"][0]
    order = np.lexsort([*dets[:, :4].round(1).T, labels])
    return {"dets": dets[order], "labels": labels[order]}
