"""Every public set that has a card is read in the layout in which it unpacks, for every task it is for."""

import json
from pathlib import Path

import pytest
from makers import image_folder
from public_fakes import FAKES, mask

from zoo.datasets import READERS, read_dataset
from zoo.datasets.check import check_images
from zoo.datasets.masks import mask_values
from zoo.datasets.merge import merge
from zoo.datasets.public import public_sets
from zoo.datasets.record import Dataset
from zoo.errors import AnnotationError, FormatError
from zoo.labels import restrict, wordnet

EACH = [(name, task) for name, card in public_sets().items() for task in card.tasks]
UNDIVIDED = {"caltech101", "eurosat", "kitti", "stanford-dogs"}


def fake(name: str, folder: Path) -> Path:
    """The folder in which the set's own paths lie."""
    FAKES[name](folder)
    return public_sets()[name].found(folder).root


def read(name: str, task: str, folder: Path) -> Dataset:
    return read_dataset(fake(name, folder), task)


def test_every_card_has_a_fake_and_a_reader() -> None:
    assert set(FAKES) == set(public_sets())
    for card in public_sets().values():
        assert all(task in READERS[format].TASKS for task, format in card.formats.items())


@pytest.mark.parametrize(("name", "task"), EACH)
def test_a_public_set_is_read_as_it_unpacks(name: str, task: str, tmp_path: Path) -> None:
    card = public_sets()[name]
    dataset = read(name, task, tmp_path)
    assert dataset.format == card.formats[task]
    assert task in dataset.tasks
    assert set(dataset.classes) <= {*card.vocabulary.classes, "background"}
    assert {sample.split for sample in dataset.samples} == ({None} if name in UNDIVIDED else {"train", "test"}) | (
        {"val"} if name in ("ap10k", "crowdpose", "flowers102", "visdrone", "sku110k") else set()
    )
    checked = check_images(dataset)
    assert not checked.bad
    assert all(sample.shown or sample.mask or task == "detection" for sample in dataset.samples)
    if task == "keypoint":
        assert dataset.keypoint_names
        assert all(len(box.keypoints) == len(dataset.keypoint_names) for s in dataset.samples for box in s.boxes)


@pytest.mark.parametrize("name", sorted(public_sets()))
def test_a_layout_is_what_unpacks(name: str, tmp_path: Path) -> None:
    card = public_sets()[name]
    assert not card.found(tmp_path).tasks
    FAKES[name](tmp_path)
    found = card.found(tmp_path)
    assert found.tasks == card.tasks
    assert found.root == tmp_path / card.folder


def test_what_is_missing_of_a_public_set_is_told_by_task(tmp_path: Path) -> None:
    root = fake("voc", tmp_path)
    (root / "ImageSets" / "Segmentation" / "train.txt").unlink()
    found = public_sets()["voc"].found(tmp_path)
    assert (found.root, found.tasks) == (root, ("detection",))
    assert found.lacking == ("ImageSets/Segmentation/train.txt",)


def test_folders_of_wordnet_ids_are_called_as_imagenet_calls_its_classes(tmp_path: Path) -> None:
    dataset = read("imagenet", "classification", tmp_path / "imagenet")
    cranes = [name for name in dataset.classes if "crane" in name]
    assert dataset.classes[0] == "tench, Tinca tinca"
    assert len(cranes) == 2
    assert set(dataset.classes) <= set(public_sets()["imagenet"].vocabulary.classes)
    # the second crane alone is called as it is among all thousand
    part = read_dataset(image_folder(tmp_path / "part", {"train/n03126707": 1, "train/n02102040": 1}))
    assert part.classes == ("English springer, English springer spaniel", cranes[1])


def test_wordnet_ids_beyond_imagenet_have_words_and_unknown_ones_stay(tmp_path: Path) -> None:
    assert wordnet.identifier("tench.n.01") == "n01440764"
    assert wordnet.identified("n01440764") == "tench.n.01"
    assert wordnet.identified("n00000001") is None
    more = read_dataset(image_folder(tmp_path, {"n00015388": 1, "n00000001": 1}))
    assert more.classes == ("n00000001", "animal, animate being, beast, brute, creature, fauna")
    plain = read_dataset(image_folder(tmp_path / "plain", {"n01440764": 1, "cat": 1}))
    assert plain.classes == ("cat", "n01440764")


def test_cityscapes_ids_become_its_nineteen_classes(tmp_path: Path) -> None:
    root = fake("cityscapes", tmp_path)
    trained = read_dataset(root)
    assert trained.remap == ()
    assert trained.classes == public_sets()["cityscapes"].vocabulary.classes
    for path in root.rglob("*_labelTrainIds.png"):
        path.unlink()
    dataset = read_dataset(root)
    values = dataset.remap
    assert dataset.classes == trained.classes
    assert (values[0], values[7], values[26], values[33]) == (255, 0, 13, 18)
    assert sorted(set(values)) == [*range(19), 255]
    cars = restrict(dataset, {"car": ["car"]})
    assert (cars.classes, cars.remap[0], cars.remap[7], cars.remap[26]) == (("background", "car"), 255, 0, 1)
    assert "1 image(s) are in no part with published masks and were ignored" in dataset.notes  # the test part


def test_everything_else_of_ade20k_is_ignored(tmp_path: Path) -> None:
    dataset = read("ade20k", "segmentation", tmp_path)
    assert (len(dataset.classes), len(dataset.remap)) == (150, 151)
    assert dataset.remap[:3] == (255, 0, 1)
    assert (dataset.classes[0], dataset.classes[149]) == ("wall", "flag")


def test_masks_of_voc_are_its_palette_with_a_background_and_an_ignored_border(tmp_path: Path) -> None:
    dataset = read("voc", "segmentation", tmp_path)
    assert (dataset.classes[0], len(dataset.classes), dataset.ignore_index) == ("background", 21, 255)
    assert {int(value) for value in set(mask_values(dataset.samples[0].mask or Path()).ravel())} == {0, 1, 20, 255}
    assert [sample.image.stem for sample in dataset.part("train")] == ["2007_000032", "2007_000033"]


def test_pixels_to_ignore_stay_so_when_sets_are_merged(tmp_path: Path) -> None:
    root = fake("cityscapes", tmp_path / "one")
    for path in root.rglob("*_labelTrainIds.png"):
        path.unlink()
    cars = {name: restrict(read_dataset(folder), {"car": ["car"]}) for name, folder in (
        ("streets", root), ("roads", fake("bdd100k", tmp_path / "other")))}  # fmt: skip
    both = merge(cars)
    streets, roads = both.remap_of(both.samples[0]), both.remap_of(both.samples[-1])
    assert (streets[0], streets[7], streets[26]) == (255, 0, 1)
    assert (len(roads), roads[13]) == (19, 1)


def test_a_folder_of_voc_without_lists_has_no_masks_to_read(tmp_path: Path) -> None:
    root = fake("voc", tmp_path)
    for path in (root / "ImageSets" / "Segmentation").iterdir():
        path.unlink()
    assert read_dataset(root).format == "voc"
    with pytest.raises(FormatError, match="serves detection, not segmentation"):
        read_dataset(root, "segmentation")


def test_a_mask_that_is_missing_or_has_other_values_is_refused(tmp_path: Path) -> None:
    root = fake("ade20k", tmp_path)
    path = root / "annotations" / "training" / "ADE_train_00000001.png"
    mask(path, [0, 151])
    with pytest.raises(AnnotationError, match="holds 151"):
        read_dataset(root)
    path.unlink()
    with pytest.raises(AnnotationError, match=r"1 image\(s\) have no mask: training/train_00000001"):
        read_dataset(root)


def test_of_several_divisions_the_first_is_read_and_of_two_parts_together_none(tmp_path: Path) -> None:
    animals = read("ap10k", "keypoint", tmp_path / "ap10k")
    assert {split: len(animals.part(split)) for split in ("train", "val", "test")} == {"train": 3, "val": 1, "test": 2}
    assert animals.part("train")[0].image.stem == "000000000001"
    assert "ap10k-train-split2.json divides the same images otherwise" in animals.notes
    people = read("crowdpose", "keypoint", tmp_path / "crowdpose")
    assert len(people.samples) == 4
    assert "mmpose_crowdpose_trainval.json divides the same images otherwise" in people.notes


def test_folds_that_share_no_image_are_parts_of_one_set(tmp_path: Path) -> None:
    root = fake("ap10k", tmp_path)
    for path in (root / "annotations").glob("*-split2.json"):
        path.unlink()
    first = json.loads((root / "annotations" / "ap10k-train-split1.json").read_text())
    rest = {**first, "images": first["images"][:1], "annotations": first["annotations"][:1]}
    first = {**first, "images": first["images"][1:], "annotations": first["annotations"][1:]}
    (root / "annotations" / "ap10k-train-split1.json").write_text(json.dumps(first))
    (root / "annotations" / "ap10k-train-split2.json").write_text(json.dumps(rest))
    assert len(read_dataset(root, "detection").samples) == 6


def test_boxes_of_published_sets_are_mended_with_a_note_and_own_ones_are_not(tmp_path: Path) -> None:
    dataset = read("coco", "detection", tmp_path / "coco")
    assert "2 box(es) without an area in their images were left out" in dataset.notes
    drones = read("visdrone", "detection", tmp_path / "visdrone")
    assert "3 box(es) that reach out of their images were cut to them" in drones.notes
    assert "3 box(es) that the set says to ignore were left out" in drones.notes
    motor = next(box for box in drones.samples[0].boxes if drones.classes[box.label] == "motor")
    assert (motor.x, motor.w) == (1, 19)
    root = fake("coco", tmp_path / "own")
    for part in ("train", "val"):
        path = root / "annotations" / f"instances_{part}2017.json"
        path.write_text(path.read_text().replace('"name": "person"', '"name": "forklift"'))
    with pytest.raises(AnnotationError, match="id 901 has size 0 x 0"):
        read_dataset(root, "detection")


def test_open_images_are_read_as_far_as_they_are_here(tmp_path: Path) -> None:
    dataset = read("openimages", "detection", tmp_path)
    assert dataset.classes == ("Bear", "Airplane")  # in the card's order
    plane, group = dataset.part("train")[0].boxes
    assert (plane.x, plane.y, plane.w, plane.h, plane.crowd) == (2, 4, 10, 8, False)
    assert group.crowd
    assert "2 box(es) are of images that are not here, or cannot be opened" in dataset.notes


def test_faces_that_are_called_invalid_are_not_scored(tmp_path: Path) -> None:
    dataset = read("widerface", "detection", tmp_path)
    face, none = dataset.part("train")
    assert [(box.x, box.w, box.crowd) for box in face.boxes] == [(1, 5, False), (1, 3, True)]
    assert none.boxes == ()


def test_people_of_mpii_are_squares_and_their_joints_count_from_zero(tmp_path: Path) -> None:
    dataset = read("mpii", "keypoint", tmp_path)
    box = dataset.samples[0].boxes[0]
    assert (box.x, box.y, box.w, box.h) == (5.0, 2.75, 10.0, 10.0)
    assert (box.keypoints[0], box.keypoints[15]) == ((4.0, 5.0, 2), (0.0, 0.0, 0))
    assert (len(dataset.keypoint_names), len(dataset.skeleton)) == (16, 15)


def test_what_the_lists_and_lines_of_public_sets_cannot_mean_is_refused(tmp_path: Path) -> None:
    foods = fake("food101", tmp_path / "food101")
    (foods / "meta" / "test.txt").write_text("apple_pie/3\nstew/4\nwaffles/9\n")
    with pytest.raises(AnnotationError, match=r"'stew' is no class of food101.*1 image\(s\) are not there: waffles/9"):
        read_dataset(foods)
    cars = fake("kitti", tmp_path / "kitti")
    (cars / "training" / "label_2" / "000000.txt").write_text("Car 0 0 0 1 2\nLorry 0 0 0 1 2 6 8\n")
    with pytest.raises(AnnotationError, match=r"line 1: 6 columns are too few.*line 2: 'Lorry' is no class of kitti"):
        read_dataset(cars)
