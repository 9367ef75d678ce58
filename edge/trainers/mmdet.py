"""Object detection with mmdet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy_targets.mmdeploy import KEEP_TOP_K, NMS_IOU, SCORE_THRESHOLD
from edge.records import Hyperparameters
from edge.trainers import unlabelled
from edge.trainers.recipe import (
    Fragment,
    Network,
    Recipe,
    Trainer,
    batch_for,
    classes_of,
    normalization,
    shipped_model,
    weighted,
)
from edge.workdir import write_atomic
from zoo.datasets.record import Dataset
from zoo.models import ModelCard

# What mmdet's own detectors fill borders with; the predictor must use the same.
PAD_VALUE = 114
META_KEYS = ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")
# Boxes below are not shown to a user; the score of the test set counts all.
SHOWN_SCORE = 0.3


class _Detection:
    def network(self, card: ModelCard, dataset: Dataset | None) -> Network:
        model = shipped_model(card, len(dataset.classes) if dataset else None)
        # the same decisions as in the exported graph, so that both can be compared box by box
        model["test_cfg"].update(
            score_thr=SCORE_THRESHOLD,
            nms={"type": "nms", "iou_threshold": NMS_IOU},
            max_per_img=KEEP_TOP_K,
        )
        test: list[Fragment] = [
            {"type": "LoadImageFromFile"},
            {"type": "Resize", "scale": (card.width, card.height), "keep_ratio": True},
            _pad(card),
            {"type": "LoadAnnotations", "with_bbox": True},
            {"type": "PackDetInputs", "meta_keys": META_KEYS},
        ]
        return Network(card.toolbox, model, test, ("dets", "labels"), "CocoDataset", classes_of(model))

    def recipe(self, card: ModelCard, dataset: Dataset, folder: Path, hyper: Hyperparameters) -> Recipe:
        network = self.network(card, dataset)
        train: list[Fragment] = [
            {"type": "LoadImageFromFile"},
            {"type": "LoadAnnotations", "with_bbox": True},
            {
                "type": "RandomResize",
                "scale": (card.width, card.height),
                "ratio_range": (1.0 - hyper.scale_jitter, 1.0 + 2 * hyper.scale_jitter),
                "keep_ratio": True,
            },
            {"type": "RandomCrop", "crop_size": (card.height, card.width), "allow_negative_crop": True},
            {"type": "YOLOXHSVRandomAug"},
            {"type": "RandomFlip", "prob": 0.5 if hyper.flip else 0.0},
            _pad(card),
            {"type": "PackDetInputs"},
        ]
        truth = folder / "val.json"
        partly = unlabelled.occurs(dataset)
        if partly:
            unlabelled.register_detection()
            unlabelled.pack(META_KEYS, train, network.test_pipeline)
        return Recipe(
            network=network,
            train_dataset=weighted(self._dataset(dataset, "train", folder, train), dataset, hyper),
            val_dataset={**self._dataset(dataset, "val", folder, network.test_pipeline), "test_mode": True},
            evaluator={
                "type": "PartlyLabelledCocoMetric" if partly else "CocoMetric",
                "ann_file": str(truth),
                "metric": "bbox",
                "format_only": False,
            },
            metric_key="coco/bbox_mAP_50",
            metric_scale=1.0,
            adapt=unlabelled.spare_detection if partly else None,
        )

    def default(self, images: int) -> Hyperparameters:
        return Hyperparameters(
            learning_rate=2e-3,
            weight_decay=0.05,
            batch_size=batch_for(images, 8),
            flip=False,  # the search may turn it on: some classes are each other's mirror image
            scale_jitter=0.25,
        )

    def preprocess(self, model: Fragment, card: ModelCard) -> dict[str, Any]:
        size = {"width": card.width, "height": card.height}
        return {"resize": "letterbox", **size, "pad_value": PAD_VALUE, **normalization(model)}

    def postprocess(self, model: Fragment) -> dict[str, Any]:
        return {"kind": "boxes", "score_threshold": SHOWN_SCORE}

    @staticmethod
    def _dataset(dataset: Dataset, split: str, folder: Path, pipeline: list[Fragment]) -> Fragment:
        annotations = folder / f"{split}.json"
        write_atomic(annotations, json.dumps(coco_document(dataset, split)).encode())
        return {
            "type": "PartlyLabelledCoco" if unlabelled.occurs(dataset) else "CocoDataset",
            "ann_file": str(annotations),
            "data_prefix": {"img": ""},
            "metainfo": {"classes": tuple(dataset.classes)},
            "filter_cfg": {"filter_empty_gt": False, "min_size": 0},
            "pipeline": pipeline,
        }


def _pad(card: ModelCard) -> Fragment:
    return {"type": "Pad", "size": (card.width, card.height), "pad_val": {"img": (PAD_VALUE,) * 3}}


def coco_document(dataset: Dataset, split: str) -> dict[str, Any]:
    """One split in COCO's own shape, with absolute file names and category ids from 1 in class order, and the classes
    that an image leaves unlabelled.
    """
    partly = unlabelled.occurs(dataset)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, sample in enumerate(dataset.part(split), start=1):
        image = {"id": number, "file_name": str(sample.image), "width": sample.width, "height": sample.height}
        images.append({**image, unlabelled.KEY: dataset.unlabelled(sample)} if partly else image)
        for box in sample.boxes:
            entry: dict[str, Any] = {
                "id": len(annotations) + 1,
                "image_id": number,
                "category_id": box.label + 1,
                "bbox": [box.x, box.y, box.w, box.h],
                "area": box.w * box.h,
                "iscrowd": int(box.crowd),
            }
            if dataset.keypoint_names:
                entry["keypoints"] = [value for point in box.keypoints for value in point]
                entry["num_keypoints"] = sum(point[2] > 0 for point in box.keypoints)
            annotations.append(entry)
    categories: list[dict[str, Any]] = [{"id": i + 1, "name": name} for i, name in enumerate(dataset.classes)]
    if dataset.keypoint_names:
        for category in categories:
            category["keypoints"] = list(dataset.keypoint_names)
            category["skeleton"] = [[a + 1, b + 1] for a, b in dataset.skeleton]
    return {"info": {}, "images": images, "annotations": annotations, "categories": categories}


TRAINER = _Detection()

if TYPE_CHECKING:
    _fits: Trainer = TRAINER
