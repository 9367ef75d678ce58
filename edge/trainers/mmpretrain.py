"""Classification with mmpretrain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.records import Hyperparameters
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


class _Classification:
    def network(self, card: ModelCard, dataset: Dataset | None) -> Network:
        model = shipped_model(card, len(dataset.classes) if dataset else None)
        model["head"]["topk"] = (1,)
        model["data_preprocessor"]["type"] = "ClsDataPreprocessor"
        test: list[Fragment] = [
            {"type": "LoadImageFromFile"},
            {"type": "Resize", "scale": (card.width, card.height)},
            {"type": "PackInputs"},
        ]
        return Network(card.toolbox, model, test, ("output",), "CustomDataset", classes_of(model))

    def recipe(self, card: ModelCard, dataset: Dataset, folder: Path, hyper: Hyperparameters) -> Recipe:
        network = self.network(card, dataset)
        train: list[Fragment] = [
            {"type": "LoadImageFromFile"},
            {
                "type": "RandomResizedCrop",
                "scale": (card.width, card.height),
                "crop_ratio_range": (1.0 - hyper.scale_jitter, 1.0),
                "aspect_ratio_range": (0.85, 1.18),
            },
            {"type": "RandomFlip", "prob": 0.5 if hyper.flip else 0.0, "direction": "horizontal"},
            {"type": "PackInputs"},
        ]
        return Recipe(
            network=network,
            train_dataset=weighted(self._dataset(dataset, "train", folder, train), dataset, hyper),
            val_dataset=self._dataset(dataset, "val", folder, network.test_pipeline),
            evaluator={"type": "Accuracy", "topk": (1,)},
            metric_key="accuracy/top1",
            metric_scale=0.01,
            collate="default_collate",
        )

    def default(self, images: int) -> Hyperparameters:
        return Hyperparameters(
            learning_rate=2e-3,
            weight_decay=0.02,
            batch_size=batch_for(images, 64),
            flip=False,
            scale_jitter=0.3,
        )

    def preprocess(self, model: Fragment, card: ModelCard) -> dict[str, Any]:
        return {"resize": "stretch", "width": card.width, "height": card.height, **normalization(model)}

    def postprocess(self, model: Fragment) -> dict[str, Any]:
        return {"kind": "scores"}

    @staticmethod
    def _dataset(dataset: Dataset, split: str, folder: Path, pipeline: list[Fragment]) -> Fragment:
        lines = [f"{sample.image} {sample.label}" for sample in dataset.part(split)]
        annotations = folder / f"{split}.txt"
        write_atomic(annotations, "\n".join(lines).encode())
        return {
            "type": "CustomDataset",
            "data_root": "",
            "data_prefix": "",
            "ann_file": str(annotations),
            "with_label": True,
            "classes": list(dataset.classes),
            "pipeline": pipeline,
        }


TRAINER = _Classification()

if TYPE_CHECKING:
    _fits: Trainer = TRAINER
