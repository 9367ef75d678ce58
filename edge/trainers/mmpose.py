"""Top-down keypoints with mmpose: heat maps, or one-dimensional distributions along x and y (SimCC)."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.records import Hyperparameters
from edge.trainers.mmdet import coco_document
from edge.trainers.recipe import Fragment, Network, Recipe, Trainer, batch_for, normalization, shipped_model
from edge.workdir import write_atomic
from zoo.datasets.record import Dataset
from zoo.models import ModelCard

# The crop is the box grown by this much; mmpose's default, and the predictor must use the same.
BOX_PADDING = 1.25
STRIDE = 32  # of the CSPNeXt backbone's last stage
HEATMAP_STRIDE = 4
SIMCC_HEADS = ("SimCCHead", "RTMCCHead")  # all others of the top-down zoo give heat maps
CENTER: Fragment = {"type": "GetBBoxCenterScale", "padding": BOX_PADDING}


class _Keypoint:
    def network(self, card: ModelCard, dataset: Dataset | None) -> Network:
        model = shipped_model(card, None)
        codec = self._codec(card, model)
        model["head"]["decoder"] = codec
        if dataset is not None:
            model["head"]["out_channels"] = len(dataset.keypoint_names)
        if codec["type"] == "SimCCLabel":
            model["head"].update(
                input_size=codec["input_size"],
                in_featuremap_size=(card.width // STRIDE, card.height // STRIDE),
            )
        model["test_cfg"] = {"flip_test": False}
        test: list[Fragment] = [{"type": "LoadImage"}, CENTER, _affine(codec), {"type": "PackPoseInputs"}]
        outputs = ("simcc_x", "simcc_y") if codec["type"] == "SimCCLabel" else ("output",)
        return Network(card.toolbox, model, test, outputs, "CocoDataset", model["head"]["out_channels"])

    def recipe(self, card: ModelCard, dataset: Dataset, folder: Path, hyper: Hyperparameters) -> Recipe:
        network = self.network(card, dataset)
        codec = network.model["head"]["decoder"]
        train: list[Fragment] = [
            {"type": "LoadImage"},
            CENTER,
            {
                "type": "RandomBBoxTransform",
                "shift_factor": 0.08,
                "scale_factor": [1.0 - hyper.scale_jitter, 1.0 + hyper.scale_jitter],
                "rotate_factor": 30,
            },
            _affine(codec),
            {"type": "mmdet.YOLOXHSVRandomAug"},
            {"type": "GenerateTarget", "encoder": codec},
            {"type": "PackPoseInputs"},
        ]
        return Recipe(
            network=network,
            train_dataset=self._dataset(dataset, "train", folder, train),
            val_dataset={**self._dataset(dataset, "val", folder, network.test_pipeline), "test_mode": True},
            evaluator={"type": "PCKAccuracy", "thr": 0.1, "norm_item": "bbox"},
            metric_key="PCK",
            metric_scale=1.0,
        )

    def default(self, images: int) -> Hyperparameters:
        return Hyperparameters(
            learning_rate=4e-3,
            weight_decay=0.01,
            batch_size=batch_for(images, 16),
            flip=False,  # mirroring needs to know which points swap sides, and the data does not say
            scale_jitter=0.1,
        )

    def preprocess(self, model: Fragment, card: ModelCard) -> dict[str, Any]:
        size = {"width": card.width, "height": card.height}
        return {"resize": "box-crop", **size, "box_padding": BOX_PADDING, **normalization(model)}

    def postprocess(self, model: Fragment) -> dict[str, Any]:
        return {"kind": "simcc" if model["head"]["decoder"]["type"] == "SimCCLabel" else "heatmap"}

    @staticmethod
    def _codec(card: ModelCard, model: Fragment) -> Fragment:
        """The shipped target encoding for the card's input size.

        The sigmas of the shipped configs, for 192 x 256, are 2 on a heat map of 48 x 64 and sqrt(side / 8) for SimCC;
        both are kept in proportion.
        """
        if model["head"]["type"] not in SIMCC_HEADS:
            return {
                "type": "MSRAHeatmap",
                "input_size": (card.width, card.height),
                "heatmap_size": (card.width // HEATMAP_STRIDE, card.height // HEATMAP_STRIDE),
                "sigma": max(1.25, 2.0 * card.height / 256),
            }
        return {
            "type": "SimCCLabel",
            "input_size": (card.width, card.height),
            "sigma": (math.sqrt(card.width / 8), math.sqrt(card.height / 8)),
            "simcc_split_ratio": 2.0,
            "normalize": False,
            "use_dark": False,
        }

    @staticmethod
    def _dataset(dataset: Dataset, split: str, folder: Path, pipeline: list[Fragment]) -> Fragment:
        annotations = folder / f"{split}.json"
        write_atomic(annotations, json.dumps(coco_document(dataset, split)).encode())
        return {
            "type": "CocoDataset",
            "ann_file": str(annotations),
            "data_mode": "topdown",
            "data_prefix": {"img": ""},
            "metainfo": _metainfo(dataset),
            "pipeline": pipeline,
        }


def _affine(codec: Fragment) -> Fragment:
    return {"type": "TopdownAffine", "input_size": codec["input_size"]}


def _metainfo(dataset: Dataset) -> Fragment:
    names = dataset.keypoint_names
    return {
        "dataset_name": "edge",
        "paper_info": {},
        "keypoint_info": {
            i: {"name": name, "id": i, "color": [255, 128, 0], "type": "", "swap": ""} for i, name in enumerate(names)
        },
        "skeleton_info": {
            i: {"link": (names[a], names[b]), "id": i, "color": [0, 128, 255]}
            for i, (a, b) in enumerate(dataset.skeleton)
        },
        "joint_weights": [1.0] * len(names),
        "sigmas": [0.05] * len(names),  # used by OKS only, which is not our metric
    }


TRAINER = _Keypoint()

if TYPE_CHECKING:
    _fits: Trainer = TRAINER
