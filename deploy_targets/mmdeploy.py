"""PyTorch model -> ONNX, through MMDeploy's rewriters, with deploy configs of our own (MMDeploy's wheel ships none)."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy_targets.errors import ConversionFailed
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
    prepare(toolbox)
    prepare_conversion()
    import numpy
    import onnx
    import torch
    from mmdeploy.apis import torch2onnx
    from mmdeploy.utils import get_root_logger
    from mmengine.config import Config

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
                torch2onnx(
                    picture,
                    str(folder),
                    "model.onnx",
                    Config(deploy_config(task, width, height, outputs)),
                    Config(model_config),
                    str(checkpoint) if checkpoint else None,
                    "cpu",
                )
            onnx.checker.check_model(str(folder / "model.onnx"))
        except Exception as error:  # torch, onnx and mmdeploy raise anything from AssertionError to RuntimeError
            failed = ConversionFailed(f"MMDeploy could not export the model: {type(error).__name__}: {error}")
            failed.add_note(f"The converter's own words are in {folder / 'export.log'}.")
            raise failed from error
    return folder / "model.onnx"
