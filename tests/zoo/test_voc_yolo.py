"""Facts about reading boxes as VOC XML and as YOLO text files."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from makers import picture, voc, yolo

from zoo.datasets import read_dataset
from zoo.datasets.check import check_images
from zoo.datasets.record import Box
from zoo.errors import AnnotationError, FormatError

CAT, DOG = ("cat", (1, 2, 5, 9)), ("dog", (3, 3, 20, 16))


def test_voc_boxes_count_pixels_from_one_and_include_the_last(tmp_path: Path) -> None:
    dataset = read_dataset(voc(tmp_path, {"a": [CAT, DOG], "b": [("cat", (1, 1, 20, 16))]}), "detection")
    assert (dataset.format, dataset.tasks, dataset.classes) == ("voc", ("detection",), ("cat", "dog"))
    assert dataset.samples[0].boxes == (Box(0, 1, 5, 8, 0), Box(2, 2, 18, 14, 1))
    assert dataset.samples[1].boxes == (Box(0, 0, 20, 16, 0),)
    assert not check_images(dataset).bad


def test_voc_lists_divide_and_leave_out(tmp_path: Path) -> None:
    voc(tmp_path, {"a": [CAT], "b": [CAT], "c": [CAT]})
    lists = tmp_path / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("a\n")
    (lists / "val.txt").write_text("b 1\n\n")
    dataset = read_dataset(tmp_path, "detection")
    assert [(sample.image.stem, sample.split) for sample in dataset.samples] == [("a", "train"), ("b", "test")]
    assert dataset.notes == ("1 image(s) are described by nothing, or in no list, and were ignored",)


def test_voc_files_lie_where_tools_write_them(tmp_path: Path) -> None:
    for number, place in enumerate(("annotations", "labels", ".", "images", "train")):
        root = tmp_path / f"root{number}"
        assert len(read_dataset(voc(root, {"a": [CAT]}, place), "detection").samples) == 1
    devkit = voc(tmp_path / "devkit" / "VOC2012", {"a": [CAT]}).parent
    assert len(read_dataset(devkit, "detection").samples) == 1


def test_the_image_is_the_one_that_the_file_names_else_of_its_own_name(tmp_path: Path) -> None:
    root = voc(tmp_path, {"a": [CAT], "b": [CAT]})
    picture(root / "SegmentationClass" / "a.png")
    path = root / "Annotations" / "b.xml"
    path.write_text(path.read_text().replace("b.jpg", "C:\\\\old\\\\name.jpg"))
    assert [one.image.name for one in read_dataset(root, "detection").samples] == ["a.jpg", "b.jpg"]
    path.rename(root / "Annotations" / "c.xml")
    with pytest.raises(AnnotationError, match="there is no image"):
        read_dataset(root, "detection")


def test_voc_difficult_objects_are_neither_learned_nor_scored(tmp_path: Path) -> None:
    root = voc(tmp_path, {"a": [CAT, DOG]})
    path = root / "Annotations" / "a.xml"
    path.write_text(path.read_text().replace("<name>dog</name>", "<name>dog</name><difficult>1</difficult>"))
    assert [box.crowd for box in read_dataset(root, "detection").samples[0].boxes] == [False, True]


def test_voc_classes_txt_decides_the_order_and_has_to_hold_all(tmp_path: Path) -> None:
    root = voc(tmp_path, {"a": [CAT, DOG]})
    (root / "classes.txt").write_text("dog\ncat\nbird\n")
    assert read_dataset(root, "detection").classes == ("dog", "cat", "bird")
    (root / "classes.txt").write_text("dog\n")
    with pytest.raises(AnnotationError, match=r"cat: used, but not in classes\.txt"):
        read_dataset(root, "detection")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<annotation><object>", "Annotations/z.xml: it is not valid XML"),
        ("<notes/>", "it begins with <notes>, not <annotation>"),
        ("<annotation><object></object></annotation>", "object 1 has no name"),
        ("<annotation><object><name>x</name></object></annotation>", r"object 1 \(x\): bndbox/xmin is missing"),
        (
            "<annotation><object><name>x</name><bndbox><xmin>l</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox>"
            "</object></annotation>",
            "bndbox/xmin is 'l', not a number",
        ),
        (
            '<!DOCTYPE a [<!ENTITY b "c">]><annotation><object><name>&b;</name></object></annotation>',
            "it is not valid XML",
        ),
    ],
)
def test_voc_faults_name_file_and_object(tmp_path: Path, text: str, words: str) -> None:
    root = voc(tmp_path, {"a": [CAT], "z": [DOG]})  # by the first file the format is known
    (root / "Annotations" / "z.xml").write_text(text)
    with pytest.raises(AnnotationError, match=words):
        read_dataset(root, "detection")


def test_a_voc_box_out_of_its_image_and_a_file_without_image_are_told_together(tmp_path: Path) -> None:
    root = voc(tmp_path, {"a": [("cat", (1, 1, 30, 9))], "b": [CAT]})
    (root / "JPEGImages" / "b.jpg").unlink()
    with pytest.raises(AnnotationError) as caught:
        read_dataset(root, "detection")
    assert "there is no image b" in str(caught.value)
    assert "JPEGImages/a.jpg: a box of cat [0, 0, 30, 9] lies outside the image of 20 x 16" in str(caught.value)


def test_yolo_shares_become_pixels_and_a_missing_or_empty_file_is_a_negative(tmp_path: Path) -> None:
    root = yolo(tmp_path, {"a": "1 0.5 0.5 1 1\n0 0.25 0.25 0.5 0.5\n", "b": "\n", "c": ""})
    (root / "labels" / "c.txt").unlink()
    dataset = read_dataset(root, "detection")
    assert (dataset.format, dataset.classes) == ("yolo", ("cat", "dog"))
    assert dataset.samples[0].boxes == (Box(0, 0, 20, 16, 1), Box(0, 0, 10, 8, 0))
    assert [sample.boxes for sample in dataset.samples[1:]] == [(), ()]
    assert dataset.notes == ("2 image(s) have no object and are kept as negatives",)
    assert not check_images(dataset).bad


def test_yolo_polygons_give_their_boxes(tmp_path: Path) -> None:
    root = yolo(tmp_path, {"a": "0 0.1 0.25 0.5 0.25 0.5 0.75\n"})
    assert read_dataset(root, "detection").samples[0].boxes == (Box(2, 4, 8, 8, 0),)


def test_yolo_splits_are_folders_above_or_below(tmp_path: Path) -> None:
    below = yolo(tmp_path / "below", {"train/a": "0 0.5 0.5 1 1", "val/b": "0 0.5 0.5 1 1"})
    assert [sample.split for sample in read_dataset(below, "detection").samples] == ["train", "test"]
    above = tmp_path / "above"
    for split in ("train", "valid"):
        yolo(above / split, {split: "0 0.5 0.5 1 1"})
    (above / "train" / "data.yaml").rename(above / "data.yaml")
    assert [sample.split for sample in read_dataset(above, "detection").samples] == ["train", "test"]


def test_yolo_names_are_a_list_numbered_or_lines(tmp_path: Path) -> None:
    line = {"a": "1 0.5 0.5 1 1"}
    assert read_dataset(yolo(tmp_path / "1", line, "names: {0: cat, 1: dog}"), "detection").classes == ("cat", "dog")
    root = yolo(tmp_path / "2", line)
    (root / "data.yaml").unlink()
    with pytest.raises(FormatError, match=r"in no known data set format|is in the format"):
        read_dataset(root, "detection")
    (root / "classes.txt").write_text("cat\ndog\n")
    assert read_dataset(root, "detection").classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2 0.5 0.5 1 1", "labels/a.txt, line 1: class 2 is none of 0 to 1"),
        ("\n0 0.5 0.5", "labels/a.txt, line 2: 3 numbers where a class and a box are five"),
        ("cat 0.5 0.5 1 1", "'cat 0.5 0.5 1 1' is not numbers alone"),
        ("0 10 12 5 5", "a number is no share of the image, 0 to 1"),
        ("0 0.5 0.5 0 0.2", "the box has size 0 x"),
        ("0 0.9 0.5 0.5 0.5", "the box reaches out of the image"),
        ("0 0.1 0.1 0.2 0.2 0.3", "6 numbers are neither a box nor a polygon"),
        ("0 nan 0.5 1 1", "a number is no share of the image"),
        ("\xff\xfe", "is not numbers alone"),
    ],
)
def test_yolo_faults_name_file_and_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(AnnotationError, match=words):
        read_dataset(yolo(tmp_path, {"a": text, "b": "0 0.5 0.5 1 1"}), "detection")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("names: [a, a]", "names a class twice: a"),
        ("names: {1: a, 2: b}", "are not numbered 0 to 1"),
        ("names: {0: a, one: b}", "are not numbered 0 to 1"),
        ("names: [2020-13-45, [x]]", "has no list of names"),
        ("names: " + "[" * 5000, "is not valid YAML"),
        ("nc: 2", "has no list of names"),
        ("names: [", "is not valid YAML"),
        ("- a", "holds no settings"),
    ],
)
def test_a_yolo_document_that_cannot_be_used_says_why(tmp_path: Path, names: str, words: str) -> None:
    with pytest.raises(AnnotationError, match=words):
        read_dataset(yolo(tmp_path, {"a": "0 0.5 0.5 1 1"}, names), "detection")


def test_yolo_classes_may_be_called_yes_and_no(tmp_path: Path) -> None:
    root = yolo(tmp_path, {"a": "1 0.5 0.5 1 1"}, "names: [yes, no, 010]\n")
    assert read_dataset(root, "detection").classes == ("yes", "no", "010")


def test_yolo_documents_divide_by_folders_or_by_lists(tmp_path: Path) -> None:
    line = "0 0.5 0.5 1 1"
    folder = yolo(
        tmp_path / "1", {"good/a": line, "odd/b": line}, "names: [cat]\ntrain: images/good\nval: images/odd\n"
    )
    assert [sample.split for sample in read_dataset(folder, "detection").samples] == ["train", "test"]
    lists = yolo(tmp_path / "2", {"a": line, "b": line}, "names: [cat]\ntrain: train.txt\nval: val.txt\ntest: /x/y\n")
    (lists / "train.txt").write_text("./images/a.jpg\n")
    (lists / "val.txt").write_text("images/b.jpg\n")
    assert [sample.split for sample in read_dataset(lists, "detection").samples] == ["train", "test"]
    years = yolo(tmp_path / "3", {"train2017/a": line, "val2017/b": line}, "names: [cat]\n")
    assert [sample.split for sample in read_dataset(years, "detection").samples] == ["train", "test"]


def test_yolo_poses_give_their_boxes_and_say_so(tmp_path: Path) -> None:
    names = "names: [cat]\nkpt_shape: [2, 2]\n"
    dataset = read_dataset(yolo(tmp_path, {"a": "0 .5 .5 .4 .5 .5 .5 .6 .6"}, names), "detection")
    box = dataset.samples[0].boxes[0]
    assert (box.x, box.y, box.w, box.h) == pytest.approx((6, 4, 8, 8))
    assert dataset.notes == ("keypoints are not read from this format, their boxes are",)


def test_yolo_images_of_one_name_and_folders_without_labels_are_told(tmp_path: Path) -> None:
    root = yolo(tmp_path / "1", {"a": "0 0.5 0.5 1 1"})
    picture(root / "images" / "a.png")
    with pytest.raises(AnnotationError, match=r"1 name\(s\) with two endings share a text file: a"):
        read_dataset(root, "detection")
    above = tmp_path / "2"
    yolo(above / "train", {"a": "0 0.5 0.5 1 1"})
    (above / "train" / "data.yaml").rename(above / "data.yaml")
    picture(above / "valid" / "images" / "b.jpg")
    with pytest.raises(AnnotationError, match="valid/images: there is no valid/labels"):
        read_dataset(above, "detection")


def test_text_that_is_not_utf8_is_an_annotation_error(tmp_path: Path) -> None:
    root = voc(tmp_path / "voc", {"a": [CAT]})
    (root / "classes.txt").write_bytes(b"k\xe4fer\n")
    with pytest.raises(AnnotationError, match="is not UTF-8 text"):
        read_dataset(root, "detection")


def test_voc_lists_may_have_spaces_in_names_and_endings(tmp_path: Path) -> None:
    root = voc(tmp_path, {"my cat": [CAT], "b": [CAT]})
    (root / "ImageSets" / "Main").mkdir(parents=True)
    (root / "ImageSets" / "Main" / "train.txt").write_text("my cat\nb.jpg\n")
    assert len(read_dataset(root, "detection").samples) == 2


def test_where_two_formats_fit_the_first_is_read_and_the_other_is_told(tmp_path: Path) -> None:
    root = yolo(tmp_path, {"a": "0 0.5 0.5 1 1"})
    voc(root, {"a": [CAT]})
    (root / "JPEGImages" / "a.jpg").unlink()
    dataset = read_dataset(root, "detection")
    assert dataset.format == "voc"
    assert "read as voc; it could be yolo as well" in dataset.notes


def test_yolo_text_without_image_is_told(tmp_path: Path) -> None:
    root = yolo(tmp_path, {"a": "0 0.5 0.5 1 1"})
    (root / "labels" / "stray.txt").write_text("0 0.5 0.5 1 1")
    (root / "labels" / "classes.txt").write_text("cat")
    with pytest.raises(AnnotationError, match=r"1 text file\(s\) have no image: labels/stray\.txt"):
        read_dataset(root, "detection")


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 400), junk=st.binary(max_size=12), cut=st.booleans())
@pytest.mark.parametrize("kind", ["voc", "yolo"])
def test_a_mutated_file_is_an_annotation_error_or_a_data_set(
    kind: str, place: int, junk: bytes, cut: bool, tmp_path: Path
) -> None:
    root = tmp_path / kind
    file = root / ("Annotations/a.xml" if kind == "voc" else "labels/a.txt")
    if not root.exists():
        if kind == "voc":
            voc(root, {"a": [CAT, DOG]})
        else:
            yolo(root, {"a": "1 0.5 0.5 1 1\n0 0.25 0.25 0.5 0.5\n"})
        (root / "whole").write_bytes(file.read_bytes())
    whole = (root / "whole").read_bytes()
    at = place % len(whole)
    file.write_bytes(whole[:at] + junk + (b"" if cut else whole[at + len(junk) :]))
    with suppress(AnnotationError, FormatError):
        dataset = read_dataset(root, "detection")
        assert all(box.w > 0 and box.h > 0 for sample in dataset.samples for box in sample.boxes)


def test_exif_rotation_turns_the_size_that_shares_are_of(tmp_path: Path) -> None:
    from PIL import Image

    root = yolo(tmp_path, {"a": "0 0.5 0.5 1 1"})
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(picture(tmp_path / "x.jpg")) as image:
        image.save(root / "images" / "a.jpg", exif=exif)
    (tmp_path / "x.jpg").unlink()
    dataset = read_dataset(root, "detection")
    assert dataset.samples[0].boxes == (Box(0, 0, 16, 20, 0),)
    assert not check_images(dataset).bad
