"""Data sets merged: one space of labels, what a source does not label, and what cannot be merged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from makers import box, coco, coco_document, image_folder, masks, picture

from zoo.datasets import from_json, read_dataset, to_json
from zoo.datasets.check import check_images
from zoo.datasets.merge import merge
from zoo.datasets.record import Dataset
from zoo.datasets.split import split
from zoo.errors import MergeError
from zoo.labels import restrict


def boxes(root: Path, *names: str, seed: int = 0) -> Dataset:
    """Eight images with a box of each class."""
    files = [f"{seed}-{number}.png" for number in range(8)]
    document = coco_document(files, [box(1 + n, 1 + c) for n in range(8) for c in range(len(names))])
    document["categories"] = [{"id": 1 + c, "name": name} for c, name in enumerate(names)]
    coco(root, document)
    for number, file in enumerate(files):
        picture(root / "images" / file, 100 * seed + number)
    return read_dataset(root)


def test_classes_of_one_name_become_one_and_each_source_knows_what_it_does_not_label(tmp_path: Path) -> None:
    yard = boxes(tmp_path / "yard", "person", "truck")
    site = boxes(tmp_path / "site", "helmet", "person", seed=1)
    both = merge({"yard": yard, "site": site})
    assert both.classes == ("person", "truck", "helmet")
    assert [(source.name, source.unlabelled) for source in both.sources] == [("yard", (2,)), ("site", (1,))]
    assert [box.label for box in both.samples[0].boxes] == [0, 1]
    assert [box.label for box in both.samples[8].boxes] == [2, 0]
    assert both.unlabelled(both.samples[0]) == (2,)
    assert both.unlabelled(both.samples[8]) == (1,)
    assert both.root == tmp_path
    assert both.relative(both.samples[8].image) == "site/images/1-0.png"
    assert from_json(json.loads(json.dumps(to_json(both)))) == both


def test_an_image_with_one_label_says_that_it_shows_nothing_else(tmp_path: Path) -> None:
    farm = read_dataset(image_folder(tmp_path / "farm", {"cow": 4, "sheep": 4}))
    house = read_dataset(image_folder(tmp_path / "house", {"cat": 4, "dog": 4}))
    both = merge({"farm": farm, "house": house})
    assert both.classes == ("cow", "sheep", "cat", "dog")
    assert [source.unlabelled for source in both.sources] == [(), ()]
    assert [sample.label for sample in both.samples] == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4


def test_masks_are_read_by_their_own_source(tmp_path: Path) -> None:
    streets = read_dataset(masks(tmp_path / "streets", [[0, 1, 2]] * 4))
    fields = read_dataset(masks(tmp_path / "fields", [[0, 1, 2]] * 4, classes="sky\nroad\nBackground\n"))
    both = merge({"streets": restrict(streets, {"car": ["car"]}), "fields": restrict(fields, {"sky": ["sky"]})})
    assert both.classes == ("background", "car", "sky")
    assert both.background == 0
    assert both.remap_of(both.samples[0]) == (0, 0, 1)
    assert both.remap_of(both.samples[4]) == (2, 0, 0)
    assert [source.unlabelled for source in both.sources] == [(2,), (1,)]


def test_a_picture_in_two_sets_is_not_learnt_where_it_is_held_out(tmp_path: Path) -> None:
    yard, site = boxes(tmp_path / "yard", "person"), boxes(tmp_path / "site", "helmet", seed=1)
    held_out = next(s.image for s in split(yard).samples if s.split == "test")
    learnt = next(s.image for s in split(site).samples if s.split == "train")
    learnt.write_bytes(held_out.read_bytes())
    seen = {name: check_images(one) for name, one in (("yard", yard), ("site", site))}
    parts = {name: split(one.dataset, hashes=one.hashes) for name, one in seen.items()}
    both = split(merge(parts), hashes={path: sha for one in seen.values() for path, sha in one.hashes.items()})
    assert both.leaks == ((both.relative(learnt), both.relative(held_out)),)
    assert len(both.samples) == 15


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    yard = boxes(tmp_path / "yard", "person")
    farm = read_dataset(image_folder(tmp_path / "farm", {"cow": 4, "sheep": 4}))
    with pytest.raises(MergeError, match="serve no task together: yard for detection, farm for classification"):
        merge({"yard": yard, "farm": farm})
    inside = replace(yard, root=tmp_path / "yard" / "images")
    with pytest.raises(MergeError, match=r"inside \(.*images\) lies in the folder of yard"):
        merge({"yard": yard, "inside": inside})
    posed = replace(yard, root=tmp_path / "posed", keypoint_names=("nose",))
    with pytest.raises(MergeError, match="other keypoints: yard has 0, posed has 1"):
        merge({"yard": yard, "posed": posed})


def test_ignored_pixels_stay_ignored(tmp_path: Path) -> None:
    streets = read_dataset(masks(tmp_path / "streets", [[0, 1, 2, 255]] * 4))
    fields = read_dataset(masks(tmp_path / "fields", [[0, 1]] * 4, classes="background\nfield\n"))
    both = merge({"streets": streets, "fields": fields})
    assert both.ignore_index == 255
    assert np.array_equal(both.remap_of(both.samples[4]), (0, 3))
