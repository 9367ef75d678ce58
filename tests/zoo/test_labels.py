"""Facts about matching requested objects with classes."""

from pathlib import Path

import pytest
from makers import box, coco, coco_document, image_folder, masks

from zoo.datasets import read_dataset
from zoo.errors import LabelError
from zoo.labels import match, normalize, restrict

# fmt: off
CLASSES = (
    "sandal", "ankle_boot", "digit_3", "digit_13", "nucleus", "mouse", "berry", "knife", "fireman", "bus", "handbag",
    "tshirt", "WBC", "Größen",
)
# fmt: on


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("Sandal", "sandal"),
        ("the sandals", "sandal"),
        ("ankle boots", "ankle_boot"),
        ("Ankle-Boot", "ankle_boot"),
        ("digit 3", "digit_3"),
        ("three", "digit_3"),
        ("3", "digit_3"),
        ("digit three", "digit_3"),
        ("number 3", "digit_3"),
        ("nuclei", "nucleus"),
        ("mice", "mouse"),
        ("berries", "berry"),
        ("knives", "knife"),
        ("firemen", "fireman"),
        ("buses", "bus"),
        ("hand bag", "handbag"),
        ("T shirts", "tshirt"),
        ("white blood cells", "WBC"),
        ("wbc", "WBC"),
        ("Größen", "Größen"),
    ],
)
def test_an_object_finds_its_class(name: str, fits: str) -> None:
    assert match([name], CLASSES) == {name: fits}


@pytest.mark.parametrize("name", ["car", "boot", "shirt", "13 digits more", "", "...", "w b"])
def test_nothing_is_matched_by_meaning_or_in_part(name: str) -> None:
    with pytest.raises(LabelError, match="no class for"):
        match([name], ["automobile", "ankle_boot", "tshirt", "digit_13", "WBC"])


def test_an_exact_name_wins_over_a_looser_one() -> None:
    assert match(["shirts"], ["shirt", "shirts"]) == {"shirts": "shirts"}


def test_all_unmatched_and_ambiguous_objects_are_named_with_the_classes() -> None:
    with pytest.raises(LabelError) as caught:
        match(["car", "three", "sea"], ["digit_3", "number 3", "cat"])
    assert str(caught.value) == (
        "In the data set there is no class for 'car', 'sea'; more than one class for 'three' (digit_3 or number 3)."
    )
    assert caught.value.__notes__ == ["The classes are: digit_3, number 3, cat."]


def test_a_class_called_by_an_article_keeps_its_name() -> None:
    assert normalize("A") == ("a",)


def test_a_classification_set_loses_the_images_of_other_classes(tmp_path: Path) -> None:
    dataset = restrict(read_dataset(image_folder(tmp_path, {"a": 1, "b": 2, "c": 3})), ["c", "a"])
    assert dataset.classes == ("a", "c")
    assert [sample.label for sample in dataset.samples] == [0, 1, 1, 1]
    with pytest.raises(LabelError, match="Only 'a' would be left"):
        restrict(dataset, ["a"])
    with pytest.raises(LabelError, match="b: not among the classes"):
        restrict(dataset, ["a", "b"])


def test_a_detection_set_loses_boxes_and_keeps_images(tmp_path: Path) -> None:
    dataset = read_dataset(coco(tmp_path, coco_document(["a.png", "b.png"], [box(1), box(1, 7), box(2)])))
    dogs = restrict(dataset, ["dog"])
    assert dogs.classes == ("dog",)
    assert [[b.label for b in sample.boxes] for sample in dogs.samples] == [[0], []]


def test_a_segmentation_set_keeps_its_background_and_remaps_the_rest(tmp_path: Path) -> None:
    dataset = read_dataset(masks(tmp_path, [[0, 1, 2]]))
    cars = restrict(dataset, ["car"])
    assert (cars.classes, cars.remap) == (("background", "car"), (0, 0, 1))
    assert cars.samples == dataset.samples
    assert restrict(dataset, ["car", "road"]) == dataset


def test_a_segmentation_set_without_background_gets_one_and_can_be_cut_again(tmp_path: Path) -> None:
    dataset = read_dataset(masks(tmp_path, [[0, 1, 2]], classes="sky\nroad\ncar\n"))
    two = restrict(dataset, ["road", "car"])
    assert (two.classes, two.remap) == (("background", "road", "car"), (0, 1, 2))
    assert restrict(two, ["car"]).remap == (0, 0, 1)


def test_real_classes_are_found_by_the_words_of_a_request(real_datasets: Path) -> None:
    cells = read_dataset(real_datasets / "bccd").classes
    assert match(["red blood cells", "platelets"], cells) == {"red blood cells": "RBC", "platelets": "Platelets"}
