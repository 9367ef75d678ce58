"""timm's networks as backbones that mmpretrain trains and MMDeploy exports: whole up to their classifier, without
weights. Knows no model card.

mmpretrain has two wrappers of its own, and neither will do: `TIMMBackbone` takes the pooling out, after which the
layers that GhostNet or MobileNetV4 have behind it run at every pixel, and `TimmClassifier` is exported without its
softmax, because MMDeploy rewrites the `forward` of `ImageClassifier` alone.
"""

from __future__ import annotations

import importlib
from typing import Any

from zoo.openmmlab import ToolboxMissing

TRUNK = "TimmTrunk"
"""The name under which configurations ask for it."""


def register() -> None:
    """Make it known to mmpretrain (idempotent)."""
    from mmpretrain.models.backbones.base_backbone import BaseBackbone
    from mmpretrain.registry import MODELS

    if TRUNK in MODELS.module_dict:
        return

    class TimmTrunk(BaseBackbone):  # type: ignore[misc]  # mmpretrain is untyped here
        """Image (N, 3, H, W) -> the one vector (N, features) that timm's own classifier would read."""

        def __init__(self, architecture: str) -> None:
            super().__init__()
            # exportable: activations and attention in ordinary operators, which can be traced
            self.trunk = _timm().create_model(architecture, pretrained=False, num_classes=0, exportable=True)

        def forward(self, image: Any) -> tuple[Any]:
            return (self.trunk(image),)

        def init_weights(self) -> None:
            """timm has done it while building; MMEngine would ask parts of it for more."""

        def switch_to_deploy(self) -> None:
            """Merge the branches that only training needs (RepGhostNet, FastViT, RepViT, EfficientViT-M)."""
            _timm().utils.reparameterize_model(self.trunk, inplace=True)

    MODELS.register_module(name=TRUNK, module=TimmTrunk)


def _timm() -> Any:
    """The library. Raises ToolboxMissing."""
    try:
        return importlib.import_module("timm")
    except ModuleNotFoundError as error:
        if error.name != "timm":
            raise
        missing = ToolboxMissing("timm is not installed")
        missing.add_note("Install the full environment: run `make setup` in a clone of edge.")
        raise missing from error
