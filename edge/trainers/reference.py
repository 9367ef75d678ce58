"""What the trained model itself answers, through the toolbox's own test pipeline: the truth an export must match.

Also counts parameters and operations of a model. Knows nothing about exported files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.trainers.recipe import Fragment
from zoo.openmmlab import prepare

# Modules that no inference runs; PIDNet's last two look at edges and details during training.
TRAINING_ONLY = ("auxiliary_head", *(f"decode_head.{x}_{y}" for x in "pd" for y in ("head", "cls_seg")))

Arrays = dict[str, Any]  # name -> numpy array


@dataclass(frozen=True)
class Counted:
    """Parameters used at inference, and multiply-accumulates of one image (what OpenMMLab's metafiles call FLOPs)."""

    parameters: int
    flops: int


def count(toolbox: str, model: Fragment, width: int, height: int) -> Counted:
    """Build the model and count it with MMEngine's analysis; heads that only training uses are left out."""
    import contextlib
    import io

    prepare(toolbox)
    from mmengine.analysis import get_model_complexity_info

    network = build(model)
    for path in TRAINING_ONLY:
        _drop(network, path)
    network.eval()
    if toolbox == "mmpose":
        network.forward = network._forward  # its `forward` insists on data samples, `_forward` takes the image alone
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        found = get_model_complexity_info(network, (3, height, width), show_table=False, show_arch=False)
    return Counted(sum(p.numel() for p in network.parameters()), int(found["flops"]))


def answers(
    toolbox: str,
    model: Fragment,
    checkpoint: Path,
    test_pipeline: Sequence[Fragment],
    images: Sequence[tuple[Path, tuple[float, float, float, float] | None]],
) -> list[Arrays]:
    """Predict each (image, box) with the trained model.

    Returns per image the arrays of its task: scores (classes,), or boxes (n, 4) x1 y1 x2 y2 with box_scores and
    labels, or mask (height, width) of the input, or keypoints (k, 2); boxes and keypoints in image pixels.
    """
    prepare(toolbox)
    import torch
    from mmengine.dataset import Compose, default_collate, pseudo_collate
    from mmengine.runner import load_checkpoint

    network = build(model)
    load_checkpoint(network, str(checkpoint), map_location="cpu", logger="silent")
    network.eval()
    pipeline = Compose([step for step in test_pipeline if step["type"] != "LoadAnnotations"])
    collate = default_collate if toolbox == "mmpretrain" else pseudo_collate
    found = []
    for path, box in images:
        with torch.no_grad():
            packed = pipeline(_item(toolbox, path, box))
            if toolbox == "mmseg":
                packed["data_samples"].set_metainfo({"ori_shape": packed["data_samples"].img_shape})
            sample = network.test_step(collate([packed]))[0]
        found.append(_READ[toolbox](sample))
    return found


def build(model: Fragment) -> Any:
    """The network of a model config, random weights; the config stays as it is."""
    import copy

    from mmengine.config import ConfigDict
    from mmengine.registry import MODELS

    return MODELS.build(ConfigDict(copy.deepcopy(model)))


def _drop(network: Any, path: str) -> None:
    parent, _, name = path.rpartition(".")
    owner = network.get_submodule(parent) if parent == "" or hasattr(network, parent) else None
    if owner is not None and hasattr(owner, name):
        delattr(owner, name)


def _item(toolbox: str, path: Path, box: tuple[float, float, float, float] | None) -> dict[str, Any]:
    if toolbox != "mmpose":
        return {"img_path": str(path), "img_id": 0}
    import numpy as np

    assert box is not None, "a top-down model is asked with a box"
    x, y, w, h = box
    return {
        "img_path": str(path),
        "bbox": np.array([[x, y, x + w, y + h]], np.float32),
        "bbox_score": np.ones(1, np.float32),
    }


def _of_classifier(sample: Any) -> Arrays:
    return {"scores": sample.pred_score.cpu().numpy()}


def _of_detector(sample: Any) -> Arrays:
    found = sample.pred_instances
    height, width = sample.ori_shape
    boxes = found.bboxes.cpu().numpy()
    # mmdet clips to the padded input, a package to the image itself
    boxes[:, 0::2] = boxes[:, 0::2].clip(0, width)
    boxes[:, 1::2] = boxes[:, 1::2].clip(0, height)
    return {
        "boxes": boxes,
        "box_scores": found.scores.cpu().numpy(),
        "labels": found.labels.cpu().numpy(),
    }


def _of_segmenter(sample: Any) -> Arrays:
    """At the size of the model's input: what enlarging does afterwards is the package's business."""
    return {"mask": sample.pred_sem_seg.data[0].cpu().numpy().astype("uint8")}


def _of_pose(sample: Any) -> Arrays:
    return {"keypoints": sample.pred_instances.keypoints[0]}


_READ = {"mmpretrain": _of_classifier, "mmdet": _of_detector, "mmseg": _of_segmenter, "mmpose": _of_pose}
