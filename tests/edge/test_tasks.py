"""Every task through its real toolbox: count, train a few iterations, export by MMDeploy, and the answers agree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import small_data

from edge.predictor.parity import compare
from edge.predictor.predictor import Predictor
from edge.predictor.scoring import score
from edge.records import Choice, CurvePoint, Gathered, Limits, Measured, Request, Trained
from edge.registry import Registry
from edge.settings import Given
from edge.steps import export, gather, shortlist
from edge.steps.train import WEIGHTS, _publish_weights
from edge.trainers import trainer
from edge.trainers.launch import Schedule, train
from edge.trainers.reference import count
from zoo.datasets.record import from_json
from zoo.tasks import TASKS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def request_for(task: str, objects: tuple[str, ...]) -> Request:
    return Request(
        text=f"a {task} request",
        task=task,
        objects=objects,
        engine="onnxruntime",
        device="cpu",
        specific_model=None,
        limits=Limits(),
        targets=(),
        unchecked=(),
        disagreements=(),
        confidence=1.0,
        config={},
        spans={},
    )


def gathered_from(request: Request, data: Path, folder: Path) -> Gathered:
    return gather.run(request, [Given("small", data)], Registry(folder / "none"), folder, skip_bad=False, seed=0)


@pytest.mark.parametrize("task", TASKS)
def test_exported_model_answers_as_the_trained_one(task: str, tmp_path: Path) -> None:
    objects = small_data.WRITERS[task](tmp_path / "data")
    request = request_for(task, objects)
    gathered = gathered_from(request, tmp_path / "data", tmp_path)
    dataset = from_json(json.loads((tmp_path / gather.DATASET).read_text(encoding="utf-8")))
    card = min(shortlist.run(request, gathered), key=lambda card: (card.width, card.quoted_quality))
    toolbox = trainer(task)
    hyper = toolbox.default(len(dataset.part("train")))
    counted = count(card.toolbox, toolbox.network(card, dataset).model, card.width, card.height)
    assert 1e5 < counted.parameters < 2e7
    assert counted.flops > 1e6

    folder = tmp_path / "work" / "train"
    recipe = toolbox.recipe(card, dataset, folder, hyper)
    # a detector of eight iterations finds nothing, and nothing cannot be compared
    iterations = 80 if task == "detection" else 8
    outcome = train(recipe, hyper, Schedule(iterations, iterations // 2, 300.0), folder)
    assert outcome.iterations == iterations
    assert outcome.best is not None
    assert [p.iteration for p in outcome.curve if p.validation is not None] == [iterations // 2, iterations]
    _publish_weights(outcome.best, folder / WEIGHTS)

    measured = Measured(card, counted.parameters, counted.flops, 0, "", (), "UNCHECKED", "", True, "onnxruntime")
    choice = Choice(measured, (), (), ())
    trained = Trained(f"work/train/{WEIGHTS}", "", 8, 8, 8, 0.0, 0.0, "from scratch", (CurvePoint(1, 1.0),))
    where = tmp_path / "work" / "export"
    how = {"threads": 1, "most_drop": 0.01}
    exported = export.run(request, choice, trained, dataset, tmp_path, where, say=lambda _: None, **how)  # type: ignore[arg-type]

    staged = tmp_path / exported.folder
    predictor = Predictor.open(staged)
    parity = compare(predictor, staged)
    assert parity.holds, f"{parity.figures} against {parity.tolerance}"
    scored = score(predictor, dataset)
    assert 0.0 <= scored.baseline <= 1.0
    assert 0.0 <= scored.metric <= 1.0
    assert scored.images == len(dataset.part("test"))


def test_training_cut_off_goes_on_behind_its_last_checkpoint(tmp_path: Path) -> None:
    objects = small_data.WRITERS["classification"](tmp_path / "data")
    request = request_for("classification", objects)
    gathered = gathered_from(request, tmp_path / "data", tmp_path)
    dataset = from_json(json.loads((tmp_path / gather.DATASET).read_text(encoding="utf-8")))
    card = min(shortlist.run(request, gathered), key=lambda card: card.quoted_quality)
    toolbox = trainer("classification")
    hyper = toolbox.default(len(dataset.part("train")))
    folder = tmp_path / "train"
    seen: list[int] = []

    class PowerCutError(Exception):
        pass

    def cut(progress: object) -> None:
        iteration = getattr(progress, "iteration", 0)
        seen.append(iteration)
        if iteration == 7 and len(seen) == 7:
            raise PowerCutError

    recipe = toolbox.recipe(card, dataset, folder, hyper)
    with pytest.raises(PowerCutError):
        train(recipe, hyper, Schedule(12, 4, 300.0), folder, on_progress=cut)
    # what a kill in the midst of writing leaves behind: a newer checkpoint that is not whole, and not yet named
    (folder / "iter_8.pth").write_bytes(b"half")
    (folder / "last_checkpoint").write_bytes(b"")
    outcome = train(recipe, hyper, Schedule(12, 4, 300.0), folder, on_progress=cut)
    assert seen == [1, 2, 3, 4, 5, 6, 7, 5, 6, 7, 8, 9, 10, 11, 12]
    assert outcome.iterations == 12


def test_images_without_objects_take_part_in_training(tmp_path: Path) -> None:
    objects = small_data.WRITERS["detection"](tmp_path / "data")
    request = request_for("detection", objects)
    gathered = gathered_from(request, tmp_path / "data", tmp_path)
    dataset = from_json(json.loads((tmp_path / gather.DATASET).read_text(encoding="utf-8")))
    empty = [number for number, sample in enumerate(dataset.part("train")) if not sample.boxes]
    assert empty
    card = shortlist.run(request, gathered)[0]
    toolbox = trainer("detection")
    recipe = toolbox.recipe(card, dataset, tmp_path / "train", toolbox.default(20))
    from mmengine.registry import DATASETS

    trained_on = DATASETS.build(recipe.train_dataset)
    assert len(trained_on) == len(dataset.part("train"))
    assert trained_on.prepare_data(empty[0]) is not None
