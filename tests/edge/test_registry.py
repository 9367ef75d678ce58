"""Data sets by name: registered, public in their places, found by what a request wants."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import small_data
from test_merged import request_for
from typer.testing import CliRunner

from edge.cli import app
from edge.errors import BadRequest, DataError
from edge.records import Gathered
from edge.registry import Registry
from edge.settings import Given
from edge.steps import gather
from zoo.datasets import read_dataset
from zoo.errors import LabelError


def run(registry: Registry, folder: Path, task: str, *objects: str, given: tuple[Given, ...] = ()) -> Gathered:
    folder.mkdir(parents=True, exist_ok=True)
    return gather.run(request_for(task, *objects), given, registry, folder, skip_bad=False, seed=0)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "registry")


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    root = tmp_path / "shapes"
    small_data.detection(root)
    return root


def test_a_registered_set_is_found_by_its_name_and_by_what_it_shows(
    registry: Registry, shapes: Path, tmp_path: Path
) -> None:
    registry.add("yard", read_dataset(shapes), "ours", "2026-01-01")
    assert registry.find(["yard"]) == registry.find([str(shapes)]) == (Given("yard", shapes),)
    found = run(registry, tmp_path / "job", "detection", "discs")
    assert [(source.name, source.licence, source.classes) for source in found.sources] == [("yard", "ours", ("disc",))]


def test_a_choice_between_several_is_the_users(registry: Registry, shapes: Path, tmp_path: Path) -> None:
    registry.add("yard", read_dataset(shapes), "", "2026-01-01")
    small_data.detection(tmp_path / "more")
    registry.add("roof", read_dataset(tmp_path / "more"), "", "2026-01-01")
    with pytest.raises(DataError, match=r"several data sets have discs: roof \(30 images\), yard \(30 images\)"):
        run(registry, tmp_path / "job", "detection", "discs")


def test_the_fewest_that_have_everything_are_merged(registry: Registry, tmp_path: Path) -> None:
    from test_merged import two_sites

    for given in two_sites("detection", tmp_path):
        registry.add(given.name, read_dataset(given.root), "", "2026-01-01")
    found = run(registry, tmp_path / "job", "detection", "discs", "squares")
    assert [source.name for source in found.sources] == ["discs", "squares"]
    assert found.classes == ("disc", "square")
    assert "discs does not label 'squares'" in found.meanings[0]
    alone = run(registry, tmp_path / "alone", "detection", "squares")
    assert [source.name for source in alone.sources] == ["squares"]


def test_what_is_not_here_is_said_with_where_it_would_be(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no data set that is here has cars") as caught:
        run(registry, tmp_path / "job", "detection", "cars")
    hints = " ".join(caught.value.__notes__)
    assert "COCO" in hints
    assert str(registry.place / "coco") in hints


def test_a_public_set_is_used_where_it_is_expected(registry: Registry, tmp_path: Path) -> None:
    from zoo.datasets.public import public_sets

    for name, card in public_sets().items():
        lay(registry.place / name / card.folder, *(part for parts in card.layout.values() for part in parts))
    assert set(registry.here()) == set(public_sets())
    assert registry.find(["coco"]) == (Given("coco", registry.place / "coco"),)
    # below the folder of its archive
    assert registry.find(["voc"]) == (Given("voc", registry.place / "voc" / "VOCdevkit" / "VOC2012"),)


def test_a_public_set_is_used_for_the_tasks_that_it_lies_whole_for(registry: Registry, tmp_path: Path) -> None:
    root = registry.place / "voc"
    lay(root, "JPEGImages/", "Annotations/", "ImageSets/Main/")
    assert registry.here()["voc"].tasks == ("detection",)
    lay(registry.place / "cityscapes", "leftImg8bit/train/", "leftImg8bit/val/")
    assert "cityscapes" not in registry.here()
    with pytest.raises(DataError, match="no data set that is here has sky") as caught:
        run(registry, tmp_path / "job", "segmentation", "sky")
    assert f"but in {registry.place / 'cityscapes'} is not gtFine/train/, gtFine/val/." in " ".join(
        caught.value.__notes__
    )


def test_what_is_missing_of_a_public_set_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_DATA_HOME", str(tmp_path))
    lay(tmp_path / "voc", "JPEGImages/", "Annotations/", "ImageSets/Main/")
    done = CliRunner().invoke(app, ["zoo", "list"])
    told = " ".join(done.stderr.split())
    assert "voc: in" in told
    assert "is not SegmentationClass/, ImageSets/Segmentation/train.txt, so it is not used for segmentation" in told
    assert "cifar10: CIFAR-10, for classification" in told


def test_folders_of_ids_are_found_by_words(registry: Registry, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for part, count in (("train", 20), ("val", 6)):
        for identifier in ("n01440764", "n01443537"):
            folder = registry.place / "imagenet" / part / identifier
            folder.mkdir(parents=True)
            for number in range(count):
                cv2.imwrite(str(folder / f"{number}.png"), rng.integers(0, 255, (24, 24, 3), np.uint8))
    found = run(registry, tmp_path / "job", "classification", "tenches", "goldfish")
    assert found.classes == ("tench, Tinca tinca", "goldfish, Carassius auratus")
    assert [source.licence for source in found.sources] == ["not for commercial use"]


def test_a_background_is_no_other_class(registry: Registry, shapes: Path) -> None:
    dataset = replace(read_dataset(shapes), classes=("background", "dog"))
    assert registry.add("voc", dataset, "", "2026-01-01").public == "voc"


def lay(root: Path, *parts: str) -> None:
    """Empty files and folders as a card's layout has them."""
    for part in parts:
        path = root / part.replace("*", "x")
        (path if part.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not part.endswith("/"):
            path.touch()


def test_names_are_refused_with_the_reason(registry: Registry, shapes: Path, tmp_path: Path) -> None:
    dataset = read_dataset(shapes)
    with pytest.raises(BadRequest, match="'My set' is no name"):
        registry.add("My set", dataset, "", "")
    with pytest.raises(BadRequest, match="which has no class disc, square"):
        registry.add("coco", dataset, "", "")
    registry.add("yard", dataset, "", "2026-01-01")
    small_data.detection(tmp_path / "other")
    with pytest.raises(BadRequest, match=r"yard is .*shapes already"):
        registry.add("yard", read_dataset(tmp_path / "other"), "", "")
    with pytest.raises(DataError, match="--data roof does not exist") as caught:
        registry.find(["roof"])
    assert caught.value.__notes__[-1] == "The names are yard."
    with pytest.raises(BadRequest, match="twice"):
        registry.find(["yard", str(shapes)])


def test_a_folder_with_the_name_of_another_set_is_ambiguous(
    registry: Registry, shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.add("yard", read_dataset(shapes), "", "2026-01-01")
    (tmp_path / "here" / "yard").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(BadRequest, match="yard is a folder here, and the name of the data set in"):
        registry.find(["yard"])
    assert registry.find(["./yard"])[0].root == tmp_path / "here" / "yard"


def test_what_is_forgotten_or_gone_is_told(registry: Registry, shapes: Path) -> None:
    registry.add("yard", read_dataset(shapes), "", "2026-01-01")
    shapes.rename(shapes.with_name("moved"))
    with pytest.raises(DataError, match=r"the folder of yard, .*shapes, is gone"):
        registry.find(["yard"])
    assert registry.remove("yard") == shapes
    with pytest.raises(BadRequest, match="no data set 'yard' is registered"):
        registry.remove("yard")
    (registry.place / "broken.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match=r"broken\.json is no registration"):
        registry.registered()


def test_folders_of_one_name_are_told_apart(registry: Registry, tmp_path: Path) -> None:
    for site in ("a", "b"):
        small_data.detection(tmp_path / site / "data")
    found = registry.find([str(tmp_path / "a" / "data"), str(tmp_path / "b" / "data")])
    assert [given.name for given in found] == ["data", "data (2)"]


def test_a_set_that_has_nothing_of_the_request_is_refused(registry: Registry, shapes: Path, tmp_path: Path) -> None:
    small_data.classification(tmp_path / "digits")
    with pytest.raises(LabelError, match="no class for 'bridges'"):
        run(registry, tmp_path / "job", "detection", "bridges", given=registry.find([str(shapes)]))


@pytest.mark.parametrize("name", ["two\nlines.png", os.fsdecode(b"caf\xe9.png")])
def test_image_names_that_no_list_can_hold_are_refused(registry: Registry, tmp_path: Path, name: str) -> None:
    small_data.segmentation(tmp_path / "shapes")
    for folder in ("images", "masks"):
        (tmp_path / "shapes" / folder / "03.png").rename(tmp_path / "shapes" / folder / name)
    with pytest.raises(DataError, match="1 image names hold a line break or are no UTF-8, the first is '"):
        run(registry, tmp_path / "job", "segmentation", "discs", given=registry.find([str(tmp_path / "shapes")]))


def test_a_data_set_is_found_without_reading_wordnet(shapes: Path) -> None:
    code = f"import sys; from edge.registry import Registry; Registry().find([{str(shapes)!r}])"
    code += "; print('nltk' in sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n", "the watcher does it for every request, and is to stay small"
