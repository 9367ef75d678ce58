"""Images of rare classes are repeated in training when that is asked for, and only then."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from edge.trainers import trainer
from edge.trainers.recipe import Recipe
from zoo.datasets import read_dataset
from zoo.datasets.record import Dataset
from zoo.datasets.split import split
from zoo.demo import write_digits
from zoo.models import shortlisted

pytestmark = pytest.mark.slow


def uneven(root: Path) -> Dataset:
    """Nine times as many zeros and ones as twos."""
    write_digits(root, limit=400)
    dataset = split(read_dataset(root))
    kept: Counter[int | None] = Counter()
    samples = []
    for sample in dataset.samples:
        kept[sample.label] += sample.split == "train"
        if sample.label in (0, 1) or (sample.label == 2 and (sample.split != "train" or kept[2] <= 3)):
            samples.append(sample)
    return replace(dataset, classes=dataset.classes[:3], samples=tuple(samples))


def shown(recipe: Recipe) -> Counter[int]:
    from mmengine.registry import DATASETS

    data = DATASETS.build({**recipe.train_dataset, "_scope_": "mmpretrain"})
    return Counter(int(data[number]["data_samples"].gt_label) for number in range(len(data)))


def test_images_of_rare_classes_are_repeated(tmp_path: Path) -> None:
    dataset = uneven(tmp_path / "data")
    card, toolbox = shortlisted("classification")[0], trainer("classification")
    plain = toolbox.default(50)
    before = shown(toolbox.recipe(card, dataset, tmp_path / "plain", plain))
    after = shown(toolbox.recipe(card, dataset, tmp_path / "balanced", replace(plain, balance=True)))
    assert before[2] == 3
    assert after[2] >= 3 * before[2]
    assert {name: after[name] <= 2 * before[name] for name in (0, 1)} == {0: True, 1: True}
