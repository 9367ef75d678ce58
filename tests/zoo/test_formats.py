"""Facts about reading data sets from disk."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from makers import box, coco, coco_document, image_folder, masks, picture

from zoo.datasets import from_json, read_dataset, to_json
from zoo.errors import AnnotationError, FormatError, UnknownTask

# fmt: off
FIELDS = (
    "id", "file_name", "width", "height", "image_id", "category_id", "bbox", "iscrowd", "name", "keypoints", "skeleton",
)
# fmt: on


def test_class_folders_are_classes_in_alphabetical_order(tmp_path: Path) -> None:
    dataset = read_dataset(image_folder(tmp_path, {"dog": 2, "cat": 1}))
    assert (dataset.format, dataset.tasks, dataset.classes) == ("imagefolder", ("classification",), ("cat", "dog"))
    assert [(sample.image.name, sample.label, sample.split) for sample in dataset.samples] == [
        ("000.png", 0, None),
        ("000.png", 1, None),
        ("001.png", 1, None),
    ]


def test_classes_txt_decides_the_order_and_has_to_agree(tmp_path: Path) -> None:
    image_folder(tmp_path, {"dog": 1, "cat": 1})
    (tmp_path / "classes.txt").write_text("dog\ncat\n")
    assert read_dataset(tmp_path).classes == ("dog", "cat")
    (tmp_path / "classes.txt").write_text("dog\nhorse\n")
    with pytest.raises(AnnotationError, match="without a folder: horse; not in the file: cat"):
        read_dataset(tmp_path)


def test_the_published_val_is_the_test_part_unless_there_is_one(tmp_path: Path) -> None:
    two = image_folder(tmp_path / "two", {"train/a": 1, "train/b": 1, "Valid/a": 1})
    assert [sample.split for sample in read_dataset(two).samples] == ["test", "train", "train"]
    three = image_folder(tmp_path / "three", {"train/a": 1, "train/b": 1, "val/a": 1, "test/b": 1})
    assert [sample.split for sample in read_dataset(three).samples] == ["test", "train", "train", "val"]


def test_other_files_are_counted_and_hidden_ones_are_not(tmp_path: Path) -> None:
    image_folder(tmp_path, {"a": 1, "b": 1}, suffix=".JPG")
    (tmp_path / "a" / "notes.txt").write_text("")
    (tmp_path / "a" / ".DS_Store").write_text("")
    dataset = read_dataset(tmp_path)
    assert len(dataset.samples) == 2
    assert dataset.notes == ("1 file(s) beside the images are not images and were ignored",)


def test_linked_folders_are_read_and_links_that_lead_back_are_not(tmp_path: Path) -> None:
    root = image_folder(tmp_path / "set", {"a": 1, "b": 1})
    picture(tmp_path / "elsewhere" / "more" / "c.png", 9)
    (root / "a" / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "b" / "back").symlink_to("..")
    (root / "again").symlink_to(".")
    dataset = read_dataset(root)
    assert [dataset.relative(s.image) for s in dataset.samples] == ["a/000.png", "a/linked/more/c.png", "b/000.png"]
    assert dataset.notes[-1] == "2 link(s) and folder(s) are no files and were ignored: again, b/back"


def test_names_outside_ascii_are_read(tmp_path: Path) -> None:
    dataset = read_dataset(image_folder(tmp_path, {"größe": 1, "猫": 1}))
    assert dataset.classes == ("größe", "猫")
    assert from_json(json.loads(json.dumps(to_json(dataset)))) == dataset


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"a": 1, "empty": 0}, "1 class folder\\(s\\) .* hold no image: empty"),
        ({"only": 3}, "has one class only, 'only'"),
        ({"train/a": 1, "train/b": 1, "val/c": 1}, "1 class\\(es\\) .* have no image to train on: c"),
        ({"train/a": 1, "train/b": 1, "c": 1}, "beside folders with images: c"),
    ],
)
def test_class_folders_that_cannot_be_learned_are_named(tmp_path: Path, counts: dict[str, int], words: str) -> None:
    with pytest.raises(AnnotationError, match=words):
        read_dataset(image_folder(tmp_path, counts))


def test_a_folder_of_no_format_lists_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="in no known data set format") as caught:
        read_dataset(tmp_path)
    assert [note.split(":")[0] for note in caught.value.__notes__] == [
        "Looked for imagefolder",
        "Looked for coco",
        "Looked for voc",
        "Looked for yolo",
        "Looked for cvat",
        "Looked for labelme",
        "Looked for labelstudio",
        "Looked for masks",
        "Looked for csv",
        "Looked for layouts of public data sets",
        "It holds 0 image(s) and no other file.",
    ]
    with pytest.raises(FormatError, match="There is no folder"):
        read_dataset(tmp_path / "none")


def test_a_task_the_format_does_not_serve_is_refused(tmp_path: Path) -> None:
    image_folder(tmp_path, {"a": 1, "b": 1})
    with pytest.raises(FormatError, match="in the format imagefolder, which serves classification, not detection"):
        read_dataset(tmp_path, "detection")
    with pytest.raises(UnknownTask):
        read_dataset(tmp_path, "tracking")


def test_two_layouts_in_one_folder_need_the_task(tmp_path: Path) -> None:
    masks(tmp_path, [[0, 1]])
    coco(tmp_path, coco_document(["0.jpg"], [box(1)]))
    with pytest.raises(FormatError, match="could be read as coco or masks"):
        read_dataset(tmp_path)
    assert read_dataset(tmp_path, "segmentation").format == "masks"
    assert read_dataset(tmp_path, "detection").format == "coco"


def test_coco_keeps_boxes_negatives_and_crowds_with_classes_by_id(tmp_path: Path) -> None:
    document = coco_document(["b.png", "a.png"], [box(1), box(1, 7, (0, 0, 20, 16), iscrowd=1)])
    dataset = read_dataset(coco(tmp_path, document))
    negative, positive = dataset.samples
    assert dataset.classes == ("cat", "dog")
    assert (positive.split, positive.width, positive.height) == ("train", 20, 16)
    assert [(b.label, b.x, b.w, b.crowd) for b in positive.boxes] == [(0, 1, 5, False), (1, 0, 20, True)]
    assert negative.boxes == ()
    assert "1 image(s) have no annotation and are kept as negatives" in dataset.notes


@pytest.mark.parametrize("json_path", ["annotations/train.json", "all.json", "train/_annotations.coco.json"])
def test_coco_json_is_found_where_tools_write_it(tmp_path: Path, json_path: str) -> None:
    assert len(read_dataset(coco(tmp_path, coco_document(["a.png"], [box(1)]), json_path)).samples) == 1


def test_coco_images_are_found_below_their_split_and_whatever_the_case_of_the_ending(tmp_path: Path) -> None:
    coco(tmp_path, coco_document(["a.jpg"], [box(1)]), "annotations/instances_val2017.json")
    picture(tmp_path / "images" / "val" / "a.JPG", 5)
    (sample,) = read_dataset(tmp_path).samples
    assert sample.image == tmp_path / "images" / "val" / "a.JPG"
    assert sample.split == "test"


def test_all_faults_of_a_coco_file_are_listed_at_once(tmp_path: Path) -> None:
    bad = [
        box(1, bbox=(1, 1, 0, 5)),
        box(1, bbox=(1, 1, 5, -2)),
        box(1, bbox=(15, 1, 30, 5)),
        box(1, bbox=(1, 1, 5)),
        box(9),
        box(1, 5),
    ]
    coco(tmp_path, coco_document(["a.png", "gone.png"], bad))
    (tmp_path / "images" / "gone.png").unlink()
    with pytest.raises(AnnotationError) as caught:
        read_dataset(tmp_path)
    for words in (
        "4 annotation(s) cannot be used: id 1 has size 0 x 5, id 2 has size 5 x -2, id 3 [15, 1, 30, 5] lies outside",
        "1 annotation(s) refer to images that are not listed: id 5",
        "1 annotation(s) refer to categories that are not listed: id 6",
        "1 image(s) are not there: gone.png",
    ):
        assert words in str(caught.value)


@pytest.mark.parametrize("key", ["images", "annotations", "categories"])
def test_ids_used_twice_are_refused(tmp_path: Path, key: str) -> None:
    document = coco_document(["a.png", "b.png"], [box(1), box(2)])
    document[key][1]["id"] = document[key][0]["id"]
    with pytest.raises(AnnotationError, match=r"uses an? \w+ id twice"):
        read_dataset(coco(tmp_path, document))


def test_a_file_name_that_leads_out_of_the_data_set_is_refused(tmp_path: Path) -> None:
    coco(tmp_path / "set", coco_document(["../../secret.png"], []))
    with pytest.raises(AnnotationError, match="leads out of the data set"):
        read_dataset(tmp_path / "set")


def test_one_image_in_two_coco_files_is_refused(tmp_path: Path) -> None:
    document = coco_document(["a.png"], [box(1)])
    coco(tmp_path, document)
    coco(tmp_path, document, "annotations/instances_test.json")
    with pytest.raises(AnnotationError, match="1 image\\(s\\) are described by two entries"):
        read_dataset(tmp_path)


def test_broken_json_says_where(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(AnnotationError, match=r"broken\.json: it is not valid JSON"):
        read_dataset(tmp_path)


def test_keypoints_and_their_skeleton_count_from_zero(tmp_path: Path) -> None:
    pose = {"keypoints": ["nose", "tail"], "skeleton": [[1, 2]]}
    document = coco_document(["a.png"], [box(1, keypoints=[3, 4, 2, 0, 0, 0])], **pose)
    dataset = read_dataset(coco(tmp_path, document), "keypoint")
    assert dataset.tasks == ("detection", "keypoint")
    assert (dataset.keypoint_names, dataset.skeleton) == (("nose", "tail"), ((0, 1),))
    assert dataset.samples[0].boxes[0].keypoints == ((3.0, 4.0, 2), (0.0, 0.0, 0))
    assert from_json(json.loads(json.dumps(to_json(dataset)))) == dataset


def test_a_wrong_number_of_keypoints_is_a_fault(tmp_path: Path) -> None:
    document = coco_document(["a.png"], [box(1, keypoints=[3, 4, 2])], keypoints=["nose", "tail"])
    with pytest.raises(
        AnnotationError, match=r"id 1 has numbers that cannot be read \(1 keypoints where 2 are defined"
    ):
        read_dataset(coco(tmp_path, document))


def test_boxes_alone_serve_no_keypoint_task(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="holds annotations for detection, none for keypoint"):
        read_dataset(coco(tmp_path, coco_document(["a.png"], [box(1)])), "keypoint")


def test_the_task_chooses_between_instances_and_keypoints_of_the_same_images(tmp_path: Path) -> None:
    coco(tmp_path, coco_document(["a.png"], [box(1), box(1)]))
    posed = coco_document(["a.png"], [box(1, keypoints=[1, 1, 2])], keypoints=["nose"])
    coco(tmp_path, posed, "annotations/person_keypoints_train.json")
    assert len(read_dataset(tmp_path, "detection").samples[0].boxes) == 2
    assert len(read_dataset(tmp_path, "keypoint").samples[0].boxes) == 1


def test_masks_are_paired_with_images_by_name(tmp_path: Path) -> None:
    dataset = read_dataset(masks(tmp_path, [[0, 1, 2], [0, 255]], split="train"))
    assert dataset.ignore_index == 255
    assert [(s.image.name, s.mask and s.mask.name, s.split) for s in dataset.samples] == [
        ("0.jpg", "0.png", "train"),
        ("1.jpg", "1.png", "train"),
    ]


def test_mask_values_beyond_the_classes_are_named_with_their_file(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"1 mask\(s\) .* cannot be used: masks/1\.png holds 3, 128"):
        read_dataset(masks(tmp_path, [[0, 1], [0, 3, 128, 255]]))


def test_black_and_white_masks_are_not_taken_for_background_and_ignore(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="hold 0, 255 only"):
        read_dataset(masks(tmp_path, [[0, 255]]))


def test_unpaired_masks_and_images_are_listed(tmp_path: Path) -> None:
    masks(tmp_path, [[0, 1], [0, 1]])
    (tmp_path / "masks" / "0.png").unlink()
    (tmp_path / "images" / "1.jpg").unlink()
    with pytest.raises(AnnotationError, match=r"1 image\(s\) have no mask: 0; 1 mask\(s\) have no image: 1"):
        read_dataset(tmp_path)


def test_a_colour_mask_is_refused(tmp_path: Path) -> None:
    masks(tmp_path, [[0, 1]])
    picture(tmp_path / "masks" / "0.png")
    with pytest.raises(AnnotationError, match="is a colour image"):
        read_dataset(tmp_path)


@pytest.mark.parametrize(
    ("name", "form", "tasks", "classes", "train", "test"),
    [
        ("fashion_mnist_small", "imagefolder", ("classification",), 10, 6000, 1000),
        ("sign_digits", "imagefolder", ("classification",), 10, 1651, 411),
        ("bccd", "coco", ("detection",), 3, 292, 72),
        ("playing_cards", "coco", ("detection",), 6, 296, 67),
        ("nuclei_semantic", "masks", ("segmentation",), 3, 240, 62),
        ("mouse_mirror", "coco", ("detection", "keypoint"), 1, 72, 18),
    ],
)
def test_real_data_sets_are_read_with_their_published_counts(
    real_datasets: Path, name: str, form: str, tasks: tuple[str, ...], classes: int, train: int, test: int
) -> None:
    dataset = read_dataset(real_datasets / name)
    assert (dataset.format, dataset.tasks, len(dataset.classes)) == (form, tasks, classes)
    assert (len(dataset.part("train")), len(dataset.part("test"))) == (train, test)
    assert from_json(json.loads(json.dumps(to_json(dataset)))) == dataset


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-3, 30) | st.floats() | st.text(max_size=3),
        lambda values: st.lists(values, max_size=4) | st.dictionaries(st.sampled_from(FIELDS), values, max_size=6),
        max_leaves=6,
    ),
    st.sampled_from(["images", "annotations", "categories"]),
    st.sampled_from(FIELDS),
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_malformed_coco_file_is_an_annotation_error_or_a_data_set(
    tmp_path: Path, junk: object, key: str, name: str
) -> None:
    pose = {"keypoints": ["nose"], "skeleton": []}
    document = coco_document(["a.png"], [box(1, keypoints=[1, 1, 2])], **pose)
    document[key][0][name] = junk
    path = tmp_path / "annotations" / "train.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document))
    picture(tmp_path / "images" / "a.png")
    with suppress(AnnotationError):
        assert read_dataset(tmp_path, "detection").format == "coco"
