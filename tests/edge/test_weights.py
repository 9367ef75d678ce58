"""Weights to start from: read without running code in them, refused when they belong to another model."""

from __future__ import annotations

import os
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


@pytest.mark.parametrize("zipped", [True, False])
def test_curves_and_numbers_of_the_original_training_are_no_obstacle(tmp_path: Path, zipped: bool) -> None:
    """As mmengine saves them: the buffer's own methods are pickled with it, numpy's numbers and arrays as objects."""
    import numpy as np
    import torch
    from mmengine.logging import HistoryBuffer

    model = model_of("mobilenet-v3-small", 10)
    weights = save(tmp_path / "plain.pth", model)
    held = torch.load(weights, weights_only=True)
    held["message_hub"] = {"log_scalars": {"train/loss": HistoryBuffer([1.5, 1.0], [1, 1])}}
    held["meta"] = {"mAP": np.float64(0.4), "palette": np.eye(3, dtype=np.uint8), "epoch": np.int64(3)}
    torch.save(held, weights, _use_new_zipfile_serialization=zipped)
    with pytest.raises(pickle.UnpicklingError, match="HistoryBuffer"):
        torch.load(weights, weights_only=True)
    found = fit(weights, "mmpretrain", model, tmp_path)
    assert found.matching == found.tensors
    kept = torch.load(found.plain, weights_only=True)["state_dict"]
    assert all(torch.equal(kept[name], value) for name, value in held["state_dict"].items())
    with pytest.raises(pickle.UnpicklingError):  # what was allowed is allowed no longer
        torch.load(weights, weights_only=True)


class Chain:
    """Unpickling this would call what getattr finds in a class that checkpoints may name."""

    def __reduce__(self) -> tuple[Any, ...]:
        from mmengine.logging import HistoryBuffer

        return (HistoryBuffer.min, (5,))


@pytest.mark.parametrize("kind", ["trap", "chain", "call"])
def test_code_beside_good_tensors_is_never_run(tmp_path: Path, kind: str) -> None:
    import torch

    model, sprung = model_of("mobilenet-v3-small", 10), tmp_path / "sprung"
    weights = save(tmp_path / "given.pth", model)
    held = torch.load(weights, weights_only=True)
    held["meta"] = {"trap": Trap(sprung), "chain": Chain(), "call": os.getcwd}[kind]
    torch.save(held, weights)
    reason = {
        "trap": "Unsupported global: GLOBAL pathlib.Path",
        "chain": "Trying to call reduce for unrecognized function <edge.trainers.weights._Note object at ",
        "call": "Trying to load unsupported GLOBAL posix.getcwd whose module posix is blocked.",
    }[kind]
    with pytest.raises(DataError) as caught:
        fit(weights, "mmpretrain", model, tmp_path)
    assert str(caught.value).startswith(f"{weights} cannot be read safely: {reason}")
    assert len(str(caught.value)) < len(str(weights)) + 150
    assert not sprung.exists()


def test_code_inside_a_checkpoint_is_never_run(tmp_path: Path) -> None:
    weights, sprung = tmp_path / "given.pth", tmp_path / "sprung"
    weights.write_bytes(pickle.dumps({"state_dict": Trap(sprung)}))
    with pytest.raises(DataError, match="cannot be read safely"):
        fit(weights, "mmpretrain", model_of("resnet18", 10), tmp_path)
    assert not sprung.exists()
