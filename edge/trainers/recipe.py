"""What a toolbox must say about training a model on a dataset, and the edits that all shipped configs need."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from edge.records import Hyperparameters
from zoo.datasets.overview import class_counts
from zoo.datasets.record import Dataset
from zoo.models import ModelCard, config_path, description
from zoo.openmmlab import prepare

# Config fragments of OpenMMLab are nested dicts by nature.
Fragment = dict[str, Any]


@dataclass(frozen=True)
class Network:
    """A model as it is deployed: all that counting, exporting and asking it need, without data to learn from.

    `outputs` names the exported graph's outputs; `dataset_type` is the toolbox's class that describes such data;
    `categories` are its classes, or the keypoints of a pose model.
    """

    toolbox: str
    model: Fragment
    test_pipeline: list[Fragment]
    outputs: tuple[str, ...]
    dataset_type: str
    categories: int

    def export_config(self) -> Fragment:
        """The part of an OpenMMLab configuration that MMDeploy reads."""
        return {
            "default_scope": self.toolbox,
            "model": self.model,
            "test_pipeline": self.test_pipeline,
            "test_dataloader": {"dataset": {"type": self.dataset_type, "pipeline": self.test_pipeline}},
        }


@dataclass(frozen=True)
class Recipe:
    """All that is particular to one toolbox; launch.py adds loops, optimizer, hooks and folders.

    `metric_key` is the evaluator's name for the validation metric and `metric_scale` brings it to 0..1. `adapt` changes
    the built network before it is trained.
    """

    network: Network
    train_dataset: Fragment
    val_dataset: Fragment
    evaluator: Fragment
    metric_key: str
    metric_scale: float
    collate: str = "pseudo_collate"
    adapt: Callable[[Any], None] | None = None


class Trainer(Protocol):
    """One toolbox."""

    def network(self, card: ModelCard, dataset: Dataset | None) -> Network:
        """The shipped model, edited for the card's input size and the data's classes; without data it keeps its own."""
        ...

    def recipe(self, card: ModelCard, dataset: Dataset, folder: Path, hyper: Hyperparameters) -> Recipe:
        """Write the toolbox's annotation files into `folder` and describe the training."""
        ...

    def default(self, images: int) -> Hyperparameters:
        """The starting point of the search for that many training images."""
        ...

    def preprocess(self, model: Fragment, card: ModelCard) -> dict[str, Any]:
        """The preprocessing that the test pipeline applies, in the words of `edge.predictor.spec.Preprocess`."""
        ...

    def postprocess(self, model: Fragment) -> dict[str, Any]:
        """What the exported outputs mean, in the words of `edge.predictor.spec.Postprocess`."""
        ...


def weighted(images: Fragment, dataset: Dataset, hyper: Hyperparameters) -> Fragment:
    """The description of the training images, those of rare classes repeated if that is wanted.

    An image is repeated by the largest sqrt(t / f) of its classes, f being the share of images that show the class and
    t that of the middle class (repeat factor sampling; Gupta et al., "LVIS", CVPR 2019, section 4.1).
    """
    if not hyper.balance:
        return images
    samples = dataset.part("train")
    shares = [count.images / len(samples) for count in class_counts(dataset.classes, samples)]
    return {"type": "ClassBalancedDataset", "oversample_thr": statistics.median(shares), "dataset": images}


def shipped_model(card: ModelCard, classes: int | None) -> Fragment:
    """The model part of the config that ships with the toolbox, or our description of it: one machine, offline."""
    prepare(card.toolbox)
    ours = description(card)
    if ours is not None:
        described: Fragment = _edited(ours, classes)
        return described
    from mmengine.config import Config

    config = Config.fromfile(str(config_path(card)))
    model: Fragment = _edited(config.model.to_dict(), classes)
    if "data_preprocessor" not in model:
        model["data_preprocessor"] = config.data_preprocessor.to_dict()
    return model


def _edited(node: Any, classes: int | None) -> Any:
    """Copy of a config tree: plain BatchNorm, no weights by URL, `classes` outputs, no class weights of other data."""
    if isinstance(node, Mapping):
        edited = {key: _edited(value, classes) for key, value in node.items()}
        if edited.get("type") == "SyncBN":
            edited["type"] = "BN"  # one process: SyncBatchNorm has no peers, and no CPU kernel
        init = edited.get("init_cfg")
        if isinstance(init, dict) and init.get("type") == "Pretrained":
            edited["init_cfg"] = None
        edited.pop("class_weight", None)
        if "pretrained" in edited:
            edited["pretrained"] = None
        if classes is not None and "num_classes" in edited:
            edited["num_classes"] = classes
        return edited
    if isinstance(node, list | tuple):
        return type(node)(_edited(item, classes) for item in node)
    return node


def classes_of(model: Fragment) -> int:
    """The first `num_classes` of a model config."""

    def found(node: Any) -> int | None:
        if isinstance(node, Mapping):
            if isinstance(node.get("num_classes"), int):
                return int(node["num_classes"])
            return next((n for n in map(found, node.values()) if n is not None), None)
        if isinstance(node, list | tuple):
            return next((n for n in map(found, node) if n is not None), None)
        return None

    heads = {key: value for key, value in model.items() if "head" in key}
    count = found(heads)
    return count if count is not None else found(model) or 0


def normalization(model: Fragment) -> dict[str, Any]:
    """Mean, standard deviation (0..255 scale, in the order of the channels fed) and that order."""
    given = model["data_preprocessor"]
    rgb = bool(given.get("bgr_to_rgb", given.get("to_rgb", False)))
    # YOLOX is fed the image's own values
    mean, std = given.get("mean") or (0.0, 0.0, 0.0), given.get("std") or (1.0, 1.0, 1.0)
    return {"mean": list(mean), "std": list(std), "channels": "rgb" if rgb else "bgr"}


def batch_for(images: int, most: int) -> int:
    """Largest power of two up to `most` that still gives three batches an epoch."""
    batch = most
    while batch > 4 and batch * 3 > images:
        batch //= 2
    return batch
