"""A data set cut down to some of its classes."""

from pathlib import Path

import pytest
from makers import box, coco, coco_document, image_folder, masks

from zoo.datasets import read_dataset
from zoo.errors import LabelError
from zoo.labels import restrict


def test_a_classification_set_loses_the_images_of_other_classes(tmp_path: Path) -> None:
    dataset = restrict(read_dataset(image_folder(tmp_path, {"a": 1, "b": 2, "c": 3})), {"c": ["c"], "a": ["a"]})
    assert dataset.classes == ("a", "c")
    assert [sample.label for sample in dataset.samples] == [0, 1, 1, 1]
    with pytest.raises(LabelError, match="Only 'a' would be left"):
        restrict(dataset, {"a": ["a"]})
    with pytest.raises(LabelError, match="a: asked for under two names"):
        restrict(dataset, {"a": ["a"], "b": ["a"]})
    with pytest.raises(LabelError, match="b: not among the classes"):
        restrict(dataset, {"a": ["a"], "b": ["b"]})


def test_a_detection_set_loses_boxes_and_keeps_images(tmp_path: Path) -> None:
    dataset = read_dataset(coco(tmp_path, coco_document(["a.png", "b.png"], [box(1), box(1, 7), box(2)])))
    dogs = restrict(dataset, {"dog": ["dog"]})
    assert dogs.classes == ("dog",)
    assert [[b.label for b in sample.boxes] for sample in dogs.samples] == [[0], []]


def test_a_segmentation_set_keeps_its_background_and_remaps_the_rest(tmp_path: Path) -> None:
    dataset = read_dataset(masks(tmp_path, [[0, 1, 2]]))
    cars = restrict(dataset, {"car": ["car"]})
    assert (cars.classes, cars.remap) == (("background", "car"), (0, 0, 1))
    assert cars.samples == dataset.samples
    assert restrict(dataset, {"car": ["car"], "road": ["road"]}) == dataset


def test_a_segmentation_set_without_background_gets_one_and_can_be_cut_again(tmp_path: Path) -> None:
    dataset = read_dataset(masks(tmp_path, [[0, 1, 2]], classes="sky\nroad\ncar\n"))
    two = restrict(dataset, {"road": ["road"], "car": ["car"]})
    assert (two.classes, two.remap) == (("background", "road", "car"), (0, 1, 2))
    assert restrict(two, {"car": ["car"]}).remap == (0, 0, 1)


def test_several_classes_become_one(tmp_path: Path) -> None:
    dataset = read_dataset(coco(tmp_path / "boxes", coco_document(["a.png"], [box(1), box(1, 7)])))
    joined = restrict(dataset, {"animals": list(dataset.classes)})
    assert joined.classes == ("animals",)
    assert [b.label for b in joined.samples[0].boxes] == [0, 0]
    folder = read_dataset(image_folder(tmp_path / "folder", {"a": 1, "b": 2, "c": 3}))
    two = restrict(folder, {"first": ["a", "b"], "c": ["c"]})
    assert (two.classes, [sample.label for sample in two.samples]) == (("first", "c"), [0, 0, 0, 1, 1, 1])
    scene = read_dataset(masks(tmp_path / "masks", [[0, 1, 2]]))
    assert restrict(scene, {"traffic": ["road", "car"]}).classes == ("background", "traffic")
    assert restrict(scene, {"traffic": ["road", "car"]}).remap == (0, 1, 1)
