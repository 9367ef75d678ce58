"""Weights for a network that nobody has trained yet, such that it can be timed and compared like a trained one.

Freshly initialised weights will not do: signals die out in deep networks or grow without bound, detectors find nothing,
and both change what is timed (NMS without boxes) and what can be compared (equal zeros are no agreement).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy_targets.base import Array
from edge.trainers.recipe import Network
from edge.trainers.reference import build
from zoo.openmmlab import prepare

PRIOR = -3.0
"""Biases below are a focal loss's prior of rare objects (Lin et al., ICCV 2017, 3.3: -4.6 for one in a hundred)."""

FOUND = 200
"""Scores of a detector that come out above FOUND_SCORE: about what a trained one leaves to NMS in a full picture."""

FOUND_SCORE = 0.05
REACH = 2.0
"""Distance, in strides, from a point to the sides of its box, for heads whose raw output is that distance: random ones
would be negative half of the time, and PyTorch drops such boxes where an exported graph does not."""

SPREAD = 4.0
"""Factor on a detector's class weights, so that scores differ by more than rounding."""


def untrained(network: Network, inputs: Sequence[Array], path: Path, seed: int = 0) -> Path:
    """Write a checkpoint of the network: initialised, with norm statistics of the inputs, detectors that find.

    Args:
        inputs: preprocessed pictures (1, 3, H, W), at least two: BatchNorm behind a global pooling needs them.
    """
    prepare(network.toolbox)
    import torch

    torch.manual_seed(seed)
    model = build(network.model)
    model.init_weights()
    pictures = torch.cat([torch.from_numpy(tensor) for tensor in inputs])
    _settle_norms(model, pictures)
    if hasattr(model, "bbox_head"):
        _let_find(model, pictures[:1])
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": model.state_dict(), "meta": {}}, path)
    return path


def _settle_norms(model: Any, pictures: Any) -> None:
    """Running statistics of every BatchNorm as one training batch would leave them at momentum 1."""
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm

    model.eval()
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    momenta = [module.momentum for module in norms]
    for module in norms:
        module.train()
        module.momentum = 1.0
    with torch.no_grad():
        model(pictures, None, mode="tensor")
    for module, momentum in zip(norms, momenta, strict=True):
        module.eval()
        module.momentum = momentum


def _let_find(model: Any, picture: Any) -> None:
    """Shift the prior of a detector's class scores until FOUND of them reach FOUND_SCORE."""
    import torch

    layers = [m for m in model.bbox_head.modules() if getattr(m, "bias", None) is not None and m.bias.mean() < PRIOR]
    with torch.no_grad():
        for layer in getattr(model.bbox_head, "rtm_reg", ()):
            layer.bias.fill_(REACH)
        for layer in layers:
            layer.weight.mul_(SPREAD)
        outputs = model(picture, None, mode="tensor")
        scores = torch.cat([level.flatten() for level in outputs[0]])
        reached = scores.topk(min(FOUND, scores.numel())).values[-1].item()
        for layer in layers:
            layer.bias.add_(math.log(FOUND_SCORE / (1 - FOUND_SCORE)) - reached)
