"""Semantic segmentation with mmseg."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.records import Hyperparameters
from edge.trainers import unlabelled
from edge.trainers.recipe import Fragment, Network, Recipe, Trainer, batch_for, classes_of, normalization, shipped_model
from edge.workdir import write_atomic
from zoo.datasets.record import Dataset
from zoo.models import ModelCard
from zoo.openmmlab import prepare

META_KEYS = (
    *("img_path", "seg_map_path", "ori_shape", "img_shape", "pad_shape"),
    *("scale_factor", "flip", "flip_direction", "reduce_zero_label"),
)
# The value mmseg leaves out of loss and score.
IGNORE = 255


class _Segmentation:
    def network(self, card: ModelCard, dataset: Dataset | None) -> Network:
        model = shipped_model(card, len(dataset.classes) if dataset else None)
        model["data_preprocessor"]["size"] = (card.height, card.width)
        model["test_cfg"] = {"mode": "whole"}
        for head in [*_heads(model, "decode_head"), *_heads(model, "auxiliary_head")]:
            if "loss_decode" in head:
                # out_channels may be derived from the 19 classes of Cityscapes; let the head derive it from ours.
                head.pop("out_channels", None)
            for loss in _heads(head, "loss_decode"):
                if "min_kept" in loss:
                    # The config keeps 2 % of the pixels of its own batch; the same share of a quarter of our batch.
                    loss["min_kept"] = card.width * card.height // 8
        test: list[Fragment] = [
            {"type": "LoadImageFromFile"},
            {"type": "Resize", "scale": (card.width, card.height), "keep_ratio": False},
            {"type": "LoadAnnotations", "reduce_zero_label": False},
            {"type": "PackSegInputs"},
        ]
        return Network(card.toolbox, model, test, ("output",), "BaseSegDataset", classes_of(model))

    def recipe(self, card: ModelCard, dataset: Dataset, folder: Path, hyper: Hyperparameters) -> Recipe:
        _register_dataset()
        size = (card.width, card.height)
        network = self.network(card, dataset)
        pid = any(head["type"] == "PIDHead" for head in _heads(network.model, "decode_head"))
        edges = [{"type": "GenerateEdge", "edge_width": 4}] if pid else []
        train: list[Fragment] = [
            {"type": "LoadImageFromFile"},
            {"type": "LoadAnnotations", "reduce_zero_label": False},
            {
                "type": "RandomResize",
                "scale": size,
                "ratio_range": (1.0 - hyper.scale_jitter, 1.0 + 2 * hyper.scale_jitter),
                "keep_ratio": False,
            },
            {"type": "RandomCrop", "crop_size": (card.height, card.width), "cat_max_ratio": 0.95},
            {"type": "RandomFlip", "prob": 0.5 if hyper.flip else 0.0},
            {"type": "PhotoMetricDistortion"},
            *edges,
            {"type": "PackSegInputs"},
        ]
        partly = unlabelled.occurs(dataset)
        if partly:
            unlabelled.register_segmentation()
            unlabelled.pack(META_KEYS, train, network.test_pipeline)
        scoring = {"type": "PartlyLabelledIoU", "background": dataset.background} if partly else {"type": "IoUMetric"}
        return Recipe(
            network=network,
            train_dataset=self._dataset(dataset, "train", folder, train),
            val_dataset=self._dataset(dataset, "val", folder, network.test_pipeline),
            evaluator={**scoring, "iou_metrics": ["mIoU"]},
            metric_key="mIoU",
            metric_scale=0.01,
            adapt=partial(unlabelled.spare_segmentation, background=dataset.background) if partly else None,
        )

    def default(self, images: int) -> Hyperparameters:
        return Hyperparameters(
            learning_rate=1.5e-3,
            weight_decay=0.01,
            batch_size=batch_for(images, 8),
            flip=False,  # the search may turn it on: some classes are each other's mirror image
            scale_jitter=0.25,
        )

    def preprocess(self, model: Fragment, card: ModelCard) -> dict[str, Any]:
        return {"resize": "stretch", "width": card.width, "height": card.height, **normalization(model)}

    def postprocess(self, model: Fragment) -> dict[str, Any]:
        return {"kind": "mask"}

    @staticmethod
    def _dataset(dataset: Dataset, split: str, folder: Path, pipeline: list[Fragment]) -> Fragment:
        entries = [
            {
                "img_path": str(sample.image),
                "seg_map_path": str(sample.mask),
                "mask_values": dataset.remap_of(sample),
                unlabelled.KEY: dataset.unlabelled(sample),
            }
            for sample in dataset.part(split)
        ]
        index = folder / f"{split}.json"
        write_atomic(index, json.dumps(entries).encode())
        return {
            "type": "IndexedSegDataset",
            "ann_file": str(index),
            "metainfo": {"classes": tuple(dataset.classes), "palette": _palette(len(dataset.classes))},
            "pipeline": pipeline,
        }


def _heads(node: Fragment, name: str) -> list[Fragment]:
    """What lies under a name: one, several (a cascade), or none."""
    found = node.get(name) or []
    return found if isinstance(found, list) else [found]


def _palette(classes: int) -> list[list[int]]:
    return [[(37 * i) % 256, (97 * i) % 256, (173 * i) % 256] for i in range(classes)]


def _register_dataset() -> None:
    """mmseg pairs images and masks by folder and suffix; ours are pairs of paths, so it gets one dataset class more."""
    prepare("mmseg")
    from mmseg.datasets import BaseSegDataset
    from mmseg.registry import DATASETS

    if "IndexedSegDataset" in DATASETS.module_dict:
        return

    class IndexedSegDataset(BaseSegDataset):  # type: ignore[misc]
        """`ann_file` is a JSON list of images with their masks, and what the values in these stand for."""

        def __init__(self, **kwargs: Any) -> None:
            super().__init__(reduce_zero_label=False, **kwargs)

        def load_data_list(self) -> list[dict[str, Any]]:
            entries = json.loads(Path(self.ann_file).read_text(encoding="utf-8"))
            return [
                {
                    **entry,
                    "label_map": dict(enumerate(entry["mask_values"])) or None,
                    "reduce_zero_label": False,
                    "seg_fields": [],
                }
                for entry in entries
            ]

    DATASETS.register_module(module=IndexedSegDataset)


TRAINER = _Segmentation()

if TYPE_CHECKING:
    _fits: Trainer = TRAINER
