"""Training on data sets that label different classes: what a source does not label is neither learnt nor scored."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_data

from edge.errors import DataError
from edge.predictor.answers import Answer
from edge.predictor.scoring import score
from edge.records import Request
from edge.registry import Registry
from edge.settings import Given
from edge.steps import gather
from edge.trainers import trainer, unlabelled
from edge.trainers.launch import Schedule, train
from zoo.datasets import from_json
from zoo.datasets.record import Dataset
from zoo.models import ModelCard, shortlisted


def request_for(task: str, *objects: str) -> Request:
    return Request(
        text="", task=task, objects=objects, engine=None, device="cpu", specific_model=None, limits=None,  # type: ignore[arg-type]
        targets=(), unchecked=(), disagreements=(), confidence=1.0, config={}, spans={},
    )  # fmt: skip


def two_sites(task: str, folder: Path) -> tuple[Given, ...]:
    """The drawn pictures twice, the second ones mirrored: one site labels discs, the other squares."""
    small_data.WRITERS[task](folder / "discs")
    small_data.WRITERS[task](folder / "squares")
    for name, kept in (("discs", 1), ("squares", 2)):
        _mirror(folder / name, name == "squares")
        if task == "detection":
            path = folder / name / "annotations" / "instances.json"
            document = json.loads(path.read_text(encoding="utf-8"))
            document["annotations"] = [one for one in document["annotations"] if one["category_id"] == kept]
            document["categories"] = [one for one in document["categories"] if one["id"] == kept]
            if name == "squares":
                for one in document["annotations"]:
                    x, y, w, h = one["bbox"]
                    one["bbox"] = [small_data.WIDTH - x - w, y, w, h]
            path.write_text(json.dumps(document), encoding="utf-8")
    return tuple(Given(name, folder / name) for name in ("discs", "squares"))


def _mirror(root: Path, wanted: bool) -> None:
    import cv2

    for path in sorted(root.rglob("*.png")) if wanted else []:
        cv2.imwrite(str(path), cv2.flip(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), 1))


def gathered(task: str, folder: Path) -> Dataset:
    sites = two_sites(task, folder)
    if task == "segmentation":
        for name, kept in (("discs", "disc"), ("squares", "square")):
            masks_of_one(folder / name, kept)
    gather.run(request_for(task, "discs", "squares"), sites, Registry(folder / "none"), folder, skip_bad=False, seed=0)
    return from_json(json.loads((folder / gather.DATASET).read_text(encoding="utf-8")))


def masks_of_one(root: Path, kept: str) -> None:
    """Masks in which the other shape is background."""
    import cv2

    number = {"disc": 1, "square": 2}[kept]
    (root / "classes.txt").write_text(f"background\n{kept}\n", encoding="utf-8")
    for path in sorted((root / "masks").glob("*.png")):
        mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(path), (mask == number).astype(np.uint8))


def smallest(task: str) -> ModelCard:
    return min(shortlisted(task), key=lambda card: (card.width * card.height, card.quoted_quality))


def batch_of(recipe: Any, dataset: Dataset, source: int) -> tuple[Any, Any]:
    """The built network and its training batch of three images of one source."""
    from mmengine.dataset import pseudo_collate
    from mmengine.registry import DATASETS, MODELS

    toolbox = recipe.network.toolbox
    data = DATASETS.build({**recipe.train_dataset, "_scope_": toolbox})
    wanted = [number for number, sample in enumerate(dataset.part("train")) if sample.source == source][:3]
    model = MODELS.build({**recipe.network.model, "_scope_": toolbox})
    batch = model.data_preprocessor(pseudo_collate([data[number] for number in wanted]), True)
    return model, batch


@pytest.mark.slow
def test_a_detector_learns_nothing_of_a_class_from_images_that_do_not_label_it(tmp_path: Path) -> None:
    import torch

    dataset = gathered("detection", tmp_path)
    assert dataset.classes == ("disc", "square")
    toolbox = trainer("detection")
    recipe = toolbox.recipe(smallest("detection"), dataset, tmp_path / "train", toolbox.default(20))
    assert recipe.adapt is not None
    model, batch = batch_of(recipe, dataset, source=0)
    pulled = {}
    for adapted in (False, True):
        if adapted:
            recipe.adapt(model)
        model.zero_grad()
        losses = model.loss(batch["inputs"], batch["data_samples"])
        sum(value for part in losses.values() for value in (part if isinstance(part, list) else [part])).backward()
        gradients = [layer.weight.grad.abs().sum(dim=(1, 2, 3)) for layer in model.bbox_head.rtm_cls]
        pulled[adapted] = torch.stack(gradients).sum(dim=0)
    assert (pulled[False] > 0).all(), "without it, what is not labelled is learnt as background"
    assert pulled[True][0] > 0
    assert pulled[True][1] == 0


@pytest.mark.slow
def test_a_segmenter_takes_background_for_what_it_means(tmp_path: Path) -> None:
    import torch

    dataset = gathered("segmentation", tmp_path)
    assert dataset.classes == ("background", "disc", "square")
    assert [source.unlabelled for source in dataset.sources] == [(2,), (1,)]
    logits = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    merged = unlabelled.marginal(logits, [(2,), ()], background=0).softmax(dim=1)
    plain = logits.softmax(dim=1)
    assert torch.allclose(merged[0, 0], plain[0, 0] + plain[0, 2])
    assert torch.allclose(merged[0, 1], plain[0, 1])
    assert (merged[0, 2] == 0).all()
    assert torch.allclose(merged[1], plain[1])

    toolbox = trainer("segmentation")
    for card in {card.stem: card for card in shortlisted("segmentation")}.values():
        recipe = toolbox.recipe(replace(card, width=64, height=64), dataset, tmp_path / card.stem, toolbox.default(20))
        model, batch = batch_of(recipe, dataset, source=0)
        assert recipe.adapt is not None
        before = _total(model, batch)
        recipe.adapt(model)
        after = _total(model, batch)
        assert 0 < after < before, f"{card.stem}: an untrained network gives every class a third"


def _total(model: Any, batch: Any) -> float:
    import torch

    torch.manual_seed(0)  # the same dropout in both
    losses = model.loss(batch["inputs"], batch["data_samples"])
    return float(sum(value.detach().mean() for name, value in losses.items() if "loss" in name and "bd" not in name))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("task", ["detection", "segmentation"])
def test_it_trains_and_is_validated(task: str, tmp_path: Path) -> None:
    dataset = gathered(task, tmp_path)
    toolbox = trainer(task)
    hyper = toolbox.default(20)
    recipe = toolbox.recipe(smallest(task), dataset, tmp_path / "train", hyper)
    outcome = train(recipe, hyper, Schedule(6, 3, 300.0), tmp_path / "train")
    assert outcome.iterations == 6
    assert outcome.validation is not None


def test_a_detector_whose_classes_compete_is_refused() -> None:
    class Model:
        bbox_head = type("Head", (), {"use_sigmoid_cls": False})()

    with pytest.raises(DataError, match="Model cannot be trained on data sets that label different classes"):
        unlabelled.spare_detection(Model())


class Oracle:
    """Finds both shapes in every picture, as a perfect model would."""

    def __init__(self, task: str, answers: list[Answer]) -> None:
        self.spec = type("Promise", (), {"task": task})()
        self._answers = iter(answers)

    def __call__(self, image: Any, box: Any = None) -> Answer:
        return next(self._answers)


def test_what_nobody_labelled_is_not_counted_as_wrong(tmp_path: Path) -> None:
    dataset = gathered("detection", tmp_path)
    answers = []
    for sample in dataset.part("test"):
        found = [(b.x, b.y, b.x + b.w, b.y + b.h, 0.5, b.label) for b in sample.boxes]
        # the other shape, found with more certainty, and not in the truth of this source
        found.append((1, 1, 20, 20, 0.9, dataset.unlabelled(sample)[0]))
        table = np.array(found, np.float64)
        answers.append(Answer(boxes=table[:, :4], box_scores=table[:, 4], labels=table[:, 5].astype(np.int64)))
    assert score(Oracle("detection", answers), dataset).metric == 1.0  # type: ignore[arg-type]


def test_pixels_of_what_nobody_labelled_are_not_counted(tmp_path: Path) -> None:
    from zoo.datasets.masks import mask_values

    dataset = gathered("segmentation", tmp_path)
    answers = []
    for sample in dataset.part("test"):
        assert sample.mask is not None
        mask = np.array(dataset.remap_of(sample))[mask_values(sample.mask)]
        mask[:20] = np.where(mask[:20] == dataset.background, dataset.unlabelled(sample)[0], mask[:20])
        answers.append(Answer(mask=mask))
    assert score(Oracle("segmentation", answers), dataset).metric == 1.0  # type: ignore[arg-type]
