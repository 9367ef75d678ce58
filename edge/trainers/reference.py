"""What the trained model itself answers, through the toolbox's own test pipeline: the truth an export must match.

Also counts parameters and operations of a model. Knows nothing about exported files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.trainers.recipe import Fragment
from zoo.openmmlab import prepare

# Modules that no inference runs; PIDNet's last two look at edges and details during training.
TRAINING_ONLY = ("auxiliary_head", *(f"decode_head.{x}_{y}" for x in "pd" for y in ("head", "cls_seg")))

Arrays = dict[str, Any]  # name -> numpy array


# Operators without arithmetic at inference: batch norm folds into the convolution before it.
FOLDED = ("native_batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm", "detach")


@dataclass(frozen=True)
class Counted:
    """Parameters used at inference, and multiply-accumulates of one image (what OpenMMLab's metafiles call FLOPs).

    `work` is what a forecast of speed reads, see `work`.
    """

    parameters: int
    flops: int
    work: dict[str, float] = field(default_factory=dict)


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
    _as_deployed(network)
    if toolbox == "mmpose":
        network.forward = network._forward  # its `forward` insists on data samples, `_forward` takes the image alone
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        found = get_model_complexity_info(network, (3, height, width), show_table=False, show_arch=False)
    return Counted(sum(p.numel() for p in network.parameters()), int(found["flops"]), work(network, width, height))


def work(network: Any, width: int, height: int) -> dict[str, float]:
    """What one forward pass of one image asks of a machine, read from the operators as they run.

    Multiply-accumulates by kind: `conv`, `pointwise` (1x1), `depthwise`, `grouped`, `linear` (also in-projections of
    attention), `other` (products of two activations). `products` and `elements` are the values written by those and by
    all remaining operators, `product_calls` and `calls` how many of them there are; `weights` are parameters, `pixels`
    the input's. Compiled operators of mmcv (deformable convolution) are not seen.
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    seen = dict.fromkeys(("conv", "pointwise", "depthwise", "grouped", "linear", "other"), 0.0)
    seen |= dict.fromkeys(("products", "elements", "product_calls", "calls"), 0.0)

    class Reader(TorchDispatchMode):  # type: ignore[misc]  # torch is untyped here
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            answer = func(*args, **(kwargs or {}))
            if not func.is_view:
                _add(seen, func.overloadpacket.__name__, args, answer)
            return answer

    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # the fused layer would hide its products
    try:
        with torch.no_grad(), Reader():
            network(torch.full((1, 3, height, width), 0.5))
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    return {**seen, "weights": float(sum(p.numel() for p in network.parameters())), "pixels": float(width * height)}


def _add(seen: dict[str, float], operator: str, args: Sequence[Any], answer: Any) -> None:
    """Book one operator."""
    first = answer[0] if isinstance(answer, (tuple, list)) and answer else answer
    if operator in FOLDED or not hasattr(first, "numel"):
        return
    product = True
    if operator == "convolution":
        kind, macs = _convolution(args, first)
        seen[kind] += macs
    elif operator in ("mm", "addmm"):
        seen["linear"] += first.numel() * args[-1].shape[0]
    elif operator in ("bmm", "baddbmm"):
        seen["other"] += first.numel() * args[-1].shape[1]
    elif operator.startswith("_scaled_dot_product"):
        query, key, value = (tensor.shape for tensor in args[:3])
        seen["other"] += query[:-1].numel() * key[-2] * (query[-1] + value[-1])
    else:
        product = False
    seen["products" if product else "elements"] += first.numel()
    seen["product_calls" if product else "calls"] += 1


def _convolution(args: Sequence[Any], answer: Any) -> tuple[str, float]:
    """Kind and multiply-accumulates; the arguments are those of `aten::convolution`."""
    image, weight, transposed, groups = args[0], args[1], args[6], args[8]
    # a transposed one multiplies at each input position, with weights (in, out / groups, ...)
    macs = float((image if transposed else answer).numel() * weight[0].numel())
    if groups > 1:
        return ("depthwise" if groups == image.shape[1] else "grouped"), macs
    return ("pointwise" if weight[0, 0].numel() == 1 else "conv"), macs


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


def _as_deployed(network: Any) -> None:
    """The form that is exported: RepVGG, MobileOne and LeViT merge the branches that only training needs.

    MMDeploy does it on the same condition (mmdeploy/apis/utils, `build_task_processor(...).build_pytorch_model`).
    """
    merge = getattr(network.backbone, "switch_to_deploy", None)
    if merge is not None:
        merge()


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
