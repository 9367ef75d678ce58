"""Weights to start from: read without running code in them, refused when they belong to another model."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from edge.errors import DataError
from edge.trainers.recipe import shipped_model
from edge.trainers.weights import fit
from zoo.models import shortlisted

pytestmark = pytest.mark.slow


def model_of(start: str, classes: int) -> dict[str, Any]:
    card = next(card for card in shortlisted("classification") if card.name.startswith(start))
    model = shipped_model(card, classes)
    model["head"]["topk"] = (1,)
    model["data_preprocessor"]["type"] = "ClsDataPreprocessor"
    return model


def save(path: Path, model: dict[str, Any]) -> Path:
    import torch
    from mmengine.config import ConfigDict
    from mmengine.registry import MODELS

    torch.save({"state_dict": MODELS.build(ConfigDict(model)).state_dict()}, path)
    return path


def test_weights_with_another_number_of_classes_lend_all_but_the_last_layer(tmp_path: Path) -> None:
    weights = save(tmp_path / "given.pth", model_of("mobilenet-v3-small", 7))
    found = fit(weights, "mmpretrain", model_of("mobilenet-v3-small", 10), tmp_path)
    assert found.tensors - found.matching == 2
    assert found.plain.is_file()


def test_weights_of_another_architecture_are_refused_with_the_count(tmp_path: Path) -> None:
    weights = save(tmp_path / "given.pth", model_of("resnet18", 10))
    with pytest.raises(DataError, match=r"given\.pth fits \d+ of the \d+ tensors of the chosen model"):
        fit(weights, "mmpretrain", model_of("mobilenet-v3-small", 10), tmp_path)


class Trap:
    """Unpickling this would create a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.target,))


def test_code_inside_a_checkpoint_is_never_run(tmp_path: Path) -> None:
    weights, sprung = tmp_path / "given.pth", tmp_path / "sprung"
    weights.write_bytes(pickle.dumps({"state_dict": Trap(sprung)}))
    with pytest.raises(DataError, match="cannot be read safely"):
        fit(weights, "mmpretrain", model_of("resnet18", 10), tmp_path)
    assert not sprung.exists()
