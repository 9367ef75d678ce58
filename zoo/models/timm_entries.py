"""timm.yml in the form of a toolbox's metafile, so that everything that reads those reads it as well.

Where an entry of a metafile names the config of its network, these describe the network themselves. Loads no timm.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.timm_trunk import TRUNK

FILE = "timm.yml"

# Of ImageNet, in 0..255. Some of timm's models were trained with others; none of their weights are used.
_MEAN, _STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
_CLASSES = 1000


def entries(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One entry per model, in the file's order."""
    return [_entry(model) for model in document["models"]]


def _entry(model: Mapping[str, Any]) -> dict[str, Any]:
    figures = {"Top 1 Accuracy": model["top1"]}
    return {
        "Name": model["name"],
        "In Collection": model["family"],
        "Config": FILE,
        "Model": _network(model["name"], model["features"]),
        "Metadata": {"Parameters": round(model["parameters"] * 1e6)},
        "Results": [{"Task": "Image Classification", "Dataset": "ImageNet-1k", "Metrics": figures}],
    }


def _network(architecture: str, features: int) -> dict[str, Any]:
    """What stands under `model` in an mmpretrain config."""
    return {
        "type": "ImageClassifier",
        "backbone": {"type": TRUNK, "architecture": architecture},
        "head": {
            "type": "LinearClsHead",
            "num_classes": _CLASSES,
            "in_channels": features,
            "loss": {"type": "CrossEntropyLoss", "loss_weight": 1.0},
        },
        "data_preprocessor": {"num_classes": _CLASSES, "mean": list(_MEAN), "std": list(_STD), "to_rgb": True},
    }
