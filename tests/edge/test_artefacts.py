"""From a model card to files that engines run: pictures, weights without training, reference answers, forms."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge.artefacts.blueprint import blueprint
from edge.artefacts.expected import write_expected
from edge.artefacts.pictures import DRAWN, drawn, tensors
from edge.artefacts.untrained import untrained
from edge.artefacts.variant import Variant, offered
from edge.predictor.files import artefact_sha256, model_files, size_bytes
from edge.predictor.images import read
from edge.predictor.parity import compare
from edge.predictor.predictor import Predictor
from edge.profiling.heat import Workbench
from zoo.models import find


def test_what_cannot_run_here_is_refused_with_a_reason_and_never_passed_over() -> None:
    offer = offered(["onnxruntime", "tensorrt"], ["fp32", "fp16"])
    assert Variant("onnxruntime", "fp32") in offer.lossless()
    reasons = dict(offer.refused)
    asked = {Variant(engine, precision) for engine in ("onnxruntime", "tensorrt") for precision in ("fp32", "fp16")}
    assert set(offer.variants) | set(reasons) == asked
    assert all(reasons.values())


def test_drawn_pictures_are_the_same_every_time(tmp_path: Path) -> None:
    once, again = (drawn(tmp_path / name, "classification") for name in ("a", "b"))
    assert len(once) == DRAWN
    for one, other in zip(once, again, strict=True):
        assert np.array_equal(read(one.image), read(other.image))
    assert all(picture.box is not None for picture in drawn(tmp_path / "c", "keypoint"))


def test_cards_that_share_a_title_have_folders_of_their_own() -> None:
    cards = find(family="efficientnet*")
    plans = [blueprint(card, None, 1) for card in cards]
    assert len({plan.slug for plan in plans}) == len(cards)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenet-v3-small_8xb128_in1k", "rtmdet_tiny_8xb32-300e_coco"])
def test_untrained_weights_give_answers_that_can_be_told_apart(name: str, tmp_path: Path) -> None:
    plan = blueprint(find([name])[0], None, 1)
    pictures = drawn(tmp_path / "pictures", plan.card.task)
    inputs = tensors(pictures, plan.spec.preprocess)
    first = untrained(plan.network, inputs, tmp_path / "a.pth")
    write_expected(plan, first, pictures[:2], tmp_path)
    entries = json.loads((tmp_path / "expected.json").read_text())
    if plan.card.task == "detection":
        scores = [score for entry in entries for score in entry["box_scores"]]
        assert len(scores) > 20
        assert 0.02 < max(scores) < 0.999
        assert all(x1 < x2 and y1 < y2 for entry in entries for x1, y1, x2, y2 in entry["boxes"])
    else:
        assert entries[0]["scores"] != entries[1]["scores"]


@pytest.mark.slow
def test_every_form_of_a_network_is_made_once_and_answers_as_pytorch_does(tmp_path: Path) -> None:
    card = find(["mobilenet-v3-small 64x64"])[0]
    bench = Workbench(blueprint(card, None, 1), drawn(tmp_path / "pictures", card.task), tmp_path)
    wanted = offered(["onnxruntime", "openvino", "ncnn", "torchscript"], ["fp32"]).variants
    assert len(wanted) == 4
    forms = bench.forms(wanted, lambda _: None)
    assert [form.failure for form in forms] == [""] * 4
    for form in forms:
        found = compare(Predictor.open(form.folder), tmp_path)
        assert found.holds, f"{form.variant.title}: {found.figures}"
        files = model_files(form.folder)
        assert form.sha256 == artefact_sha256(form.folder)
        assert form.size_bytes == size_bytes(form.folder) == sum(file.stat().st_size for file in files)
    made = {file: file.stat().st_mtime_ns for form in forms for file in model_files(form.folder)}
    bench.forms(wanted, lambda _: None)
    assert made == {file: file.stat().st_mtime_ns for file in made}
