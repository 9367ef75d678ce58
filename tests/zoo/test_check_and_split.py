"""Facts about checking images and dividing them."""

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from makers import box, coco, coco_document, image_folder, masks, picture
from PIL import Image

from zoo.datasets import Dataset, read_dataset
from zoo.datasets.check import check_images
from zoo.datasets.split import split
from zoo.errors import SplitError


def parts(dataset: Dataset) -> dict[str, str | None]:
    return {dataset.relative(sample.image): sample.split for sample in dataset.samples}


def test_sizes_are_filled_in_and_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    checked = check_images(
        read_dataset(image_folder(tmp_path, {"a": 2, "b": 1})), lambda done, total: told.append((done, total))
    )
    assert checked.bad == ()
    assert {(sample.width, sample.height) for sample in checked.dataset.samples} == {(20, 16)}
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_broken_images_are_left_out_with_their_reason(tmp_path: Path) -> None:
    image_folder(tmp_path, {"a": 4, "b": 1}, suffix=".jpg")
    (tmp_path / "a" / "000.jpg").write_bytes(b"")
    (tmp_path / "a" / "001.jpg").write_text("<html>not found</html>")
    whole = (tmp_path / "a" / "002.jpg").read_bytes()
    (tmp_path / "a" / "002.jpg").write_bytes(whole[: len(whole) // 2])
    checked = check_images(read_dataset(tmp_path))
    assert [bad.path.name for bad in checked.bad] == ["000.jpg", "001.jpg", "002.jpg"]
    assert all(bad.reason.startswith("cannot be decoded") for bad in checked.bad)
    assert len(checked.dataset.samples) == 2


def test_grey_alpha_16_bit_and_rotated_images_are_fine(tmp_path: Path) -> None:
    image_folder(tmp_path, {"a": 1, "b": 1})
    Image.new("L", (9, 7)).save(tmp_path / "a" / "grey.png")
    Image.new("RGBA", (9, 7)).save(tmp_path / "a" / "alpha.png")
    cv2.imwrite(str(tmp_path / "a" / "deep.png"), np.full((7, 9), 40000, np.uint16))
    rotated = Image.new("RGB", (9, 7))
    rotated.getexif()[0x0112] = 6
    rotated.save(tmp_path / "a" / "turned.jpg", exif=rotated.getexif())
    checked = check_images(read_dataset(tmp_path))
    assert checked.bad == ()
    sizes = {sample.image.name: (sample.width, sample.height) for sample in checked.dataset.samples}
    assert sizes["grey.png"] == sizes["alpha.png"] == sizes["deep.png"] == (9, 7)
    assert sizes["turned.jpg"] == (7, 9)


def test_an_image_of_too_many_pixels_is_not_opened(tmp_path: Path) -> None:
    checked = check_images(read_dataset(image_folder(tmp_path, {"a": 1, "b": 1})), max_pixels=100)
    assert checked.bad[0].reason == "has 20 x 16 pixels, more than the limit of 100"


def test_sizes_and_boxes_are_compared_with_the_image(tmp_path: Path) -> None:
    document = coco_document(["a.png", "b.png", "c.png"], [box(3, bbox=(10, 10, 50, 50))])
    document["images"][0]["width"] = 21
    document["images"][1].update(width=16, height=20)
    del document["images"][2]["width"], document["images"][2]["height"]
    reasons = [bad.reason for bad in check_images(read_dataset(coco(tmp_path, document))).bad]
    assert reasons == [
        "is annotated as 21 x 16 but has 20 x 16 pixels",
        "is annotated as 16 x 20 but shows as 20 x 16 (EXIF rotation?)",
        "has 1 box(es) that cannot be used: [10, 10, 50, 50] lies outside the image of 20 x 16",
    ]


def test_a_mask_of_another_size_is_bad(tmp_path: Path) -> None:
    masks(tmp_path, [[0, 1], [0, 1]])
    Image.new("L", (3, 3)).save(tmp_path / "masks" / "0.png")
    (bad,) = check_images(read_dataset(tmp_path)).bad
    assert bad.reason == "has 20 x 16 pixels but its mask 0.png 3 x 3"


def test_the_same_pixels_have_the_same_hash_whatever_the_file(tmp_path: Path) -> None:
    image_folder(tmp_path, {"a": 1, "b": 1})
    Image.open(tmp_path / "a" / "000.png").save(tmp_path / "b" / "copy.bmp")
    hashes = {path.name: digest for path, digest in check_images(read_dataset(tmp_path)).hashes.items()}
    assert len(set(hashes.values())) == 2


def test_a_division_is_stratified_and_the_same_for_every_order_and_place(tmp_path: Path) -> None:
    here = read_dataset(image_folder(tmp_path / "here", {"a": 40, "b": 10}))
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    there = read_dataset(tmp_path / "there")
    divided = split(here)
    assert Counter((sample.label, sample.split) for sample in divided.samples) == {
        (0, "test"): 8,
        (0, "val"): 5,
        (0, "train"): 27,
        (1, "test"): 2,
        (1, "val"): 1,
        (1, "train"): 7,
    }
    assert parts(divided) == parts(split(there)) == parts(split(replace(here, samples=here.samples[::-1])))
    assert parts(divided) != parts(split(here, seed=1))


def test_an_existing_test_part_is_kept_and_its_twins_leave_train(tmp_path: Path) -> None:
    image_folder(tmp_path, {"train/a": 6, "train/b": 6, "val/a": 2, "val/b": 2})
    shutil.copy(tmp_path / "val/a/000.png", tmp_path / "train/a/twin.png")
    checked = check_images(read_dataset(tmp_path))
    divided = split(checked.dataset, hashes=checked.hashes)
    assert divided.leaks == (("train/a/twin.png", "val/a/000.png"),)
    assert "train/a/twin.png" not in parts(divided)
    assert {name for name, part in parts(divided).items() if part == "test"} == {
        name for name in parts(divided) if name.startswith("val/")
    }
    assert Counter(parts(divided).values()) == {"test": 4, "val": 2, "train": 10}


def test_equal_pictures_go_to_one_part(tmp_path: Path) -> None:
    image_folder(tmp_path, {"a": 12, "b": 12})
    for number in range(12):
        shutil.copy(tmp_path / "a" / f"{number:03}.png", tmp_path / "a" / f"copy{number:03}.png")
    checked = check_images(read_dataset(tmp_path))
    divided = split(checked.dataset, hashes=checked.hashes)
    found = parts(divided)
    assert all(found[f"a/{number:03}.png"] == found[f"a/copy{number:03}.png"] for number in range(12))
    assert set(found.values()) == {"train", "val", "test"}


def test_too_few_images_of_a_class_are_counted_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(SplitError, match=r"train and test and val needs 3 different images of each class.* of b 2"):
        split(read_dataset(image_folder(tmp_path, {"a": 9, "b": 2})))


def test_objects_of_every_class_stay_in_train(tmp_path: Path) -> None:
    annotations = [box(number) for number in range(1, 11)] + [box(3, 7)]
    dataset = read_dataset(coco(tmp_path, coco_document([f"{n}.png" for n in range(10)], annotations), "all.json"))
    for seed in range(20):
        divided = split(dataset, seed)
        assert {b.label for sample in divided.part("train") for b in sample.boxes} == {0, 1}
        assert Counter(sample.split for sample in divided.samples) == {"train": 6, "test": 2, "val": 2} or Counter(
            sample.split for sample in divided.samples
        ) == {"train": 7, "test": 2, "val": 1}


def test_a_class_that_only_the_test_part_has_is_refused(tmp_path: Path) -> None:
    coco(tmp_path, coco_document([f"{n}.png" for n in range(5)], [box(1)]))
    coco(tmp_path, coco_document(["t.png"], [box(1, 7)]), "annotations/instances_test.json")
    with pytest.raises(SplitError, match=r"1 class\(es\) do not occur in train: dog \(only in test\)"):
        split(read_dataset(tmp_path))


def test_a_share_of_zero_makes_no_part(tmp_path: Path) -> None:
    dataset = read_dataset(image_folder(tmp_path, {"a": 3, "b": 3}))
    assert set(parts(split(dataset, val=0.0, test=0.0)).values()) == {"train"}


def test_no_picture_of_a_real_test_part_is_trained_on(real_datasets: Path) -> None:
    checked = check_images(read_dataset(real_datasets / "sign_digits"))
    divided = split(checked.dataset, hashes=checked.hashes)
    held = {checked.hashes[sample.image] for sample in divided.part("test")}
    assert checked.bad == ()
    assert not held & {checked.hashes[sample.image] for sample in divided.samples if sample.split != "test"}
    assert {sample.label for sample in divided.part("val")} == set(range(10))


def test_a_single_picture_cannot_be_divided(tmp_path: Path) -> None:
    coco(tmp_path, coco_document(["a.png"], [box(1)]), "all.json")
    picture(tmp_path / "unused.png")
    with pytest.raises(SplitError, match=r"1 different image\(s\) in .* cannot be divided into train and test and val"):
        split(read_dataset(tmp_path))


@pytest.mark.parametrize("seed", range(20))
def test_rare_objects_reach_every_part(tmp_path: Path, seed: int) -> None:
    names = [f"{n:02d}.png" for n in range(40)]
    coco(tmp_path, coco_document(names, [box(1 + 9 * n) for n in range(4)]))
    divided = split(read_dataset(tmp_path), seed=seed)
    for part in ("train", "val", "test"):
        assert any(sample.boxes for sample in divided.part(part)), f"no object in {part}"


def test_held_out_part_without_any_object_is_refused(tmp_path: Path) -> None:
    coco(tmp_path, coco_document([f"{n}.png" for n in range(9)], [box(n + 1) for n in range(9)]))
    coco(tmp_path, coco_document(["t.png"], []), "annotations/instances_test.json")
    with pytest.raises(SplitError, match=r"No object of .* occurs in test\."):
        split(read_dataset(tmp_path))
