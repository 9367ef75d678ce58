"""PyTorch model -> ONNX or TorchScript, through MMDeploy's rewriters, with deploy configs of our own (MMDeploy's wheel
ships none)."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from deploy_targets.errors import ConversionFailed
from deploy_targets.torchscript import MODEL_FILE, write_named
from zoo.openmmlab import prepare, prepare_conversion

# SegFormer needs 13; the detectors' NMS and everything else export with it as well.
OPSET = 13

# Boxes below this score are never returned: AP counts them hardly, NMS pays for each.
SCORE_THRESHOLD = 0.02
KEEP_TOP_K = 100
NMS_IOU = 0.6


_CODEBASES: dict[str, dict[str, Any]] = {
    "classification": {"type": "mmpretrain", "task": "Classification"},
    "detection": {
        "type": "mmdet",
        "task": "ObjectDetection",
        "model_type": "end2end",
        "post_processing": {
            "score_threshold": SCORE_THRESHOLD,
            "confidence_threshold": 0.005,
            "iou_threshold": NMS_IOU,
            "max_output_boxes_per_class": KEEP_TOP_K,
            "pre_top_k": 1000,
            "keep_top_k": KEEP_TOP_K,
            "background_label_id": -1,
        },
    },
    "segmentation": {"type": "mmseg", "task": "Segmentation", "with_argmax": True},
    "keypoint": {"type": "mmpose", "task": "PoseDetection"},
}


def deploy_config(task: str, width: int, height: int, outputs: Sequence[str]) -> dict[str, Any]:
    """MMDeploy's configuration for one task, static input of (1, 3, height, width), ONNX Runtime's operator set."""
    return {
        "onnx_config": {
            "type": "onnx",
            "export_params": True,
            "keep_initializers_as_inputs": False,
            "opset_version": OPSET,
            "save_file": "model.onnx",
            "input_names": ["input"],
            "output_names": list(outputs),
            "input_shape": [width, height],
            "optimize": False,
        },
        "codebase_config": _CODEBASES[task],
        "backend_config": {"type": "onnxruntime"},
    }


def trace_config(task: str, width: int, height: int) -> dict[str, Any]:
    """The same for a TorchScript file, which knows no names of inputs and outputs."""
    return {
        "ir_config": {"type": "torchscript", "save_file": MODEL_FILE, "input_shape": [width, height]},
        "codebase_config": _CODEBASES[task],
        "backend_config": {"type": "torchscript"},
    }


def export_onnx(
    model_config: dict[str, Any],
    checkpoint: Path | None,
    task: str,
    toolbox: str,
    size: tuple[int, int],
    outputs: Sequence[str],
    folder: Path,
) -> Path:
    """Export to `folder`/model.onnx.

    Args:
        model_config: MMEngine configuration with `model` and `test_pipeline`.
        checkpoint: trained weights; None exports random ones, whose speed is the same.
        size: width, height of the input.
        outputs: names for the graph's outputs.

    Raises:
        ConversionFailed: the export, or the check of the exported graph, failed.
    """

    def export(picture: Any) -> None:
        import onnx
        from mmdeploy.apis import torch2onnx
        from mmengine.config import Config

        target = Config(deploy_config(task, *size, outputs))
        weights = str(checkpoint) if checkpoint else None
        torch2onnx(picture, str(folder), "model.onnx", target, Config(model_config), weights, "cpu")
        onnx.checker.check_model(str(folder / "model.onnx"))

    _guarded(export, toolbox, size, folder)
    return folder / "model.onnx"


def export_torchscript(
    model_config: dict[str, Any],
    checkpoint: Path | None,
    task: str,
    toolbox: str,
    size: tuple[int, int],
    outputs: Sequence[str],
    folder: Path,
) -> Path:
    """Export to `folder`/model.pt, the names of the outputs inside; arguments and errors are those of `export_onnx`.

    The file loads with torch alone: a detector's NMS is traced in ordinary operators.
    """

    def export(picture: Any) -> None:
        import torch
        from mmdeploy.apis import torch2torchscript
        from mmengine.config import Config

        target = Config(trace_config(task, *size))
        weights = str(checkpoint) if checkpoint else None
        with _own_suppression():
            torch2torchscript(picture, str(folder), MODEL_FILE, target, Config(model_config), weights, "cpu")
        shape = (1, 3, size[1], size[0])
        write_named(torch.jit.load(str(folder / MODEL_FILE), map_location="cpu"), outputs, shape, folder / MODEL_FILE)

    _guarded(export, toolbox, size, folder)
    return folder / MODEL_FILE


def _guarded(export: Callable[[Any], None], toolbox: str, size: tuple[int, int], folder: Path) -> None:
    """Run one of MMDeploy's exporters on a picture of that size, its chatter kept in a file."""
    prepare(toolbox)
    prepare_conversion()
    import numpy
    import torch
    from mmdeploy.utils import get_root_logger

    get_root_logger().setLevel(logging.ERROR)
    folder.mkdir(parents=True, exist_ok=True)
    width, height = size
    # a mid-grey picture: the graph does not depend on it, and no image of the user's is needed
    picture = numpy.full((height, width, 3), 127, numpy.uint8)
    with (folder / "export.log").open("w", encoding="utf-8") as chatter:
        try:
            with contextlib.redirect_stdout(chatter), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the tracer's remarks about constants, by the hundred
                torch.manual_seed(0)
                export(picture)
        except Exception as error:  # torch, onnx and mmdeploy raise anything from AssertionError to RuntimeError
            failed = ConversionFailed(f"MMDeploy could not export the model: {type(error).__name__}: {error}")
            failed.add_note(f"The converter's own words are in {folder / 'export.log'}.")
            raise failed from error


@contextlib.contextmanager
def _own_suppression() -> Iterator[None]:
    """Our NMS in the place of MMDeploy's for TorchScript, which calls torchvision's compiled operator: a file with that
    in it loads only where torchvision is, built for the same torch."""
    from mmdeploy.core import FUNCTION_REWRITER
    from mmdeploy.mmcv.ops import nms
    from mmdeploy.utils import IR

    suppress = suppression()

    def multiclass_nms(
        boxes: Any,
        scores: Any,
        max_output_boxes_per_class: int = 1000,
        iou_threshold: float = 0.5,
        score_threshold: float = 0.05,
        pre_top_k: int = -1,
        keep_top_k: int = -1,
        output_index: bool = False,
    ) -> Any:
        if output_index or boxes.dim() != 3 or boxes.shape[0] != 1:
            raise NotImplementedError("only the NMS of a one-stage detector, for one image, can be traced")
        thresholds = float(score_threshold), float(iou_threshold)
        return suppress(boxes, scores, *thresholds, int(max_output_boxes_per_class), int(pre_top_k), int(keep_top_k))

    place = {"func_name": "mmdeploy.mmcv.ops.nms._multiclass_nms", "ir": IR.TORCHSCRIPT}
    # taken out, not only overruled: of two rewriters that fit, MMDeploy takes the older
    FUNCTION_REWRITER._registry.remove_record(nms.multiclass_nms__torchscript)
    FUNCTION_REWRITER.register_rewriter(**place)(multiclass_nms)
    try:
        yield
    finally:
        FUNCTION_REWRITER._registry.remove_record(multiclass_nms)
        FUNCTION_REWRITER.register_rewriter(**place)(nms.multiclass_nms__torchscript)


def suppression() -> Any:
    """Class-wise NMS of one image as a scripted function of torch's own operators; answers as the ONNX export does.

    boxes (1, N, 4) x1 y1 x2 y2, scores (1, N, C), score threshold, IoU threshold, most per class, boxes that take part
    and rows returned at most (-1: all) -> dets (1, n, 5), best first and a row of zeros last, labels (1, n).

    One greedy pass over all classes in the order of scores keeps what a pass per class keeps, and may end when enough
    are kept. A block is settled by iterating "kept is what no kept better one suppresses", which reaches the greedy
    answer after as many rounds as the longest chain of suppressions has links.
    """
    import torch
    from torch import Tensor

    def over(first: Tensor, second: Tensor, threshold: float) -> Tensor:
        # columns x1 y1 x2 y2 label
        low = torch.max(first[:, None, :2], second[None, :, :2])
        high = torch.min(first[:, None, 2:4], second[None, :, 2:4])
        shared = (high - low).clamp(min=0).prod(dim=2)
        areas = (first[:, 2:4] - first[:, :2]).prod(dim=1)[:, None] + (second[:, 2:4] - second[:, :2]).prod(dim=1)[None]
        # a ratio of nothing to nothing is no number, which is not above the threshold
        return (shared / (areas - shared) > threshold) & (first[:, None, 4] == second[None, :, 4])

    over = torch.jit.script(over)

    def suppress(
        boxes: Tensor, scores: Tensor, least: float, threshold: float, per_class: int, first: int, most: int
    ) -> tuple[Tensor, Tensor]:
        corners, classes = boxes[0], scores[0]
        if first > 0:
            # also where all take part: equal scores are then in the order that the ONNX export's TopK gives them
            rows = classes.amax(dim=1).sort(descending=True, stable=True).indices[:first]
            corners, classes = corners[rows], classes[rows]
        found = (classes.t() > least).nonzero()
        labels, places = found[:, 0], found[:, 1]
        values, order = classes[places, labels].sort(descending=True, stable=True)
        candidates = torch.cat([corners[places[order]], labels[order, None].to(corners.dtype)], dim=1)
        kept = order[:0]
        size = 256  # of a block: its 64 K ratios stay in the second-level cache
        for start in range(0, candidates.shape[0], size):
            block = candidates[start : start + size]
            free = ~over(candidates[kept], block, threshold).any(dim=0)
            worse = over(block, block, threshold).triu(diagonal=1)
            alive, settled = free, False
            while not settled:
                now = free & ~(worse & alive[:, None]).any(dim=0)
                settled = torch.equal(now, alive)
                alive = now
            kept = torch.cat([kept, alive.nonzero()[:, 0] + start])
            same = candidates[kept, 4][:, None] == candidates[kept, 4][None]
            kept = kept[same.tril(diagonal=-1).sum(dim=1) < per_class]
            if most > 0 and kept.shape[0] >= most:
                break
        dets = torch.cat([corners[places[order[kept]]], values[kept, None]], dim=1)
        dets = torch.cat([dets, dets.new_zeros(1, 5)])
        found_labels = torch.cat([labels[order[kept]], labels.new_zeros(1)])
        rows_returned = most if most > 0 else dets.shape[0]
        return dets[None, :rows_returned], found_labels[None, :rows_returned]

    return torch.jit.script(suppress)
