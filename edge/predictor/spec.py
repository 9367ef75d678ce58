"""model.json of a package: everything besides the weights that a program needs to get the same answers."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

# The files of a package that programs read; the steps that write them and those that check them share the names.
SPEC_FILE = "model.json"
EXPECTED = "expected.json"  # the trained model's own answers to samples/
RECORDED = "recorded.json"  # a lower precision's own answers to them, on the machine it was made on
TRUTH = "truth.json"  # labels of the test part, and of the training part for the trivial baseline
REQUEST = "request.json"  # what was asked, and the counted sizes
MANIFEST = "manifest.json"  # sha256 of every file; written last


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Preprocess(_Closed):
    """Image (BGR, 8 bit, EXIF rotation applied) -> float32 tensor (1, 3, height, width).

    resize: "stretch" to the size; "letterbox" keeps the ratio, top left, the rest is pad_value; "box-crop" cuts the
    box, grown by box_padding and to the input's ratio, border 0. Bilinear throughout. Then channels are ordered, and
    (value - mean) / std on the 0..255 scale.
    """

    resize: Literal["stretch", "letterbox", "box-crop"]
    width: int
    height: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    channels: Literal["rgb", "bgr"]
    pad_value: int = 0
    box_padding: float = 1.0


class Postprocess(_Closed):
    """Tensors -> prediction.

    "scores": output (1, classes), highest wins. "boxes": dets (1, n, 5) as x1 y1 x2 y2 score in input pixels and
    labels (1, n), NMS done. "mask": class number per input pixel, stretched to the image by nearest neighbour.
    "simcc": per keypoint the argmax over bins along x and y, divided by simcc_ratio, mapped back through the crop.
    "heatmap": output (1, keypoints, h, w); per keypoint the argmax, moved a quarter pixel towards its higher
    neighbour, times heatmap_stride, mapped back through the crop.
    """

    kind: Literal["scores", "boxes", "mask", "simcc", "heatmap"]
    score_threshold: float = 0.0
    simcc_ratio: float = 2.0
    heatmap_stride: float = 4.0


class PackageSpec(_Closed):
    """`format` rises when a reader of an older edge could misread the file."""

    format: int = 1
    task: Literal["classification", "detection", "segmentation", "keypoint"]
    engine: str
    precision: Literal["fp32", "fp16", "bf16", "int8"] = "fp32"
    model_file: str
    classes: tuple[str, ...] = Field(min_length=1)
    keypoint_names: tuple[str, ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()
    preprocess: Preprocess
    postprocess: Postprocess
    threads: int = 1
