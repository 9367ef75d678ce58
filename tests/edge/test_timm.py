"""timm's networks through mmpretrain: built with other classes, trained, exported and compared, never downloaded."""

from __future__ import annotations

import dataclasses
import json
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
import small_data

from deploy_targets.registry import BACKENDS, backend
from edge.artefacts.blueprint import blueprint
from edge.artefacts.convert import Exports, convert
from edge.artefacts.expected import write_expected
from edge.artefacts.pictures import drawn
from edge.artefacts.variant import Variant
from edge.predictor.parity import compare
from edge.predictor.predictor import Predictor
from edge.steps.train import WEIGHTS, _publish_weights
from edge.trainers import trainer
from edge.trainers.launch import Schedule, train
from edge.trainers.reference import build, count
from zoo.datasets import read_dataset
from zoo.datasets.record import Dataset
from zoo.models import find
from zoo.openmmlab import ToolboxMissing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def network(name: str, classes: int) -> Any:
    names = tuple(f"class {number}" for number in range(classes))
    data = Dataset("none", ("classification",), Path(), names, ())
    return trainer("classification").network(find([name])[0], data)


@pytest.mark.parametrize("name", ["lcnet_050", "mobilenetv4_conv_small", "efficientvit_m0", "efficientnet_lite0"])
def test_a_network_follows_the_number_of_classes(name: str) -> None:
    shapes = []
    for classes in (7, 11):
        made = build(network(name, classes).model)
        shapes.append(tuple(made.head.fc.weight.shape))
    assert [shape[0] for shape in shapes] == [7, 11]
    assert shapes[0][1] == shapes[1][1]


def test_the_pooling_is_timms_own_so_that_layers_behind_it_run_once() -> None:
    """At every pixel, as mmpretrain's own wrapper has them, they cost 59 M more."""
    counted = count("mmpretrain", network("ghostnetv2_100", 1000).model, 224, 224)
    assert counted.parameters == 6_156_908
    assert counted.flops == pytest.approx(178e6, rel=0.01)


def test_branches_of_training_are_merged_where_it_is_counted() -> None:
    made = build(network("repghostnet_050", 10).model)
    whole = sum(parameter.numel() for parameter in made.parameters())
    assert count("mmpretrain", network("repghostnet_050", 10).model, 64, 64).parameters < whole


def test_without_timm_the_error_names_the_setup(monkeypatch: pytest.MonkeyPatch) -> None:
    told = network("lcnet_050", 2)
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ToolboxMissing, match="timm is not installed") as caught:
        build(told.model)
    assert "make setup" in caught.value.__notes__[0]


def test_a_trained_one_answers_the_same_on_every_engine(tmp_path: Path) -> None:
    small_data.classification(tmp_path / "data")
    dataset = read_dataset(tmp_path / "data", "classification")
    halves = [
        dataclasses.replace(sample, split="val" if number % 4 == 0 else "train")
        for number, sample in enumerate(dataset.samples)
    ]
    dataset = dataclasses.replace(dataset, samples=tuple(halves))
    card = dataclasses.replace(find(["mobilenetv4_conv_small"])[0], width=64, height=64)
    plan = blueprint(card, dataset, 1)
    assert 1e6 < plan.counted().parameters < 3e6

    toolbox = trainer("classification")
    hyper = dataclasses.replace(toolbox.default(len(dataset.part("train"))), batch_size=16)
    recipe = toolbox.recipe(card, dataset, tmp_path / "train", hyper)
    outcome = train(recipe, hyper, Schedule(8, 4, 100.0), tmp_path / "train")
    assert outcome.best is not None
    _publish_weights(outcome.best, tmp_path / WEIGHTS)

    write_expected(plan, tmp_path / WEIGHTS, drawn(tmp_path / "pictures", "classification")[:4], tmp_path)
    answers = [tuple(entry["scores"]) for entry in json.loads((tmp_path / "expected.json").read_text())]
    assert len(set(answers)) == len(answers)
    exports = Exports(plan, tmp_path / WEIGHTS, tmp_path / "exports")
    engines = [name for name in BACKENDS if backend(name).status().available]
    assert "onnxruntime" in engines
    for engine in engines:
        convert(plan, exports, Variant(engine, "fp32"), tmp_path / engine, lambda: ())
        found = compare(Predictor.open(tmp_path / engine), tmp_path)
        assert found.holds, f"{engine}: {found.figures} against {found.tolerance}"
