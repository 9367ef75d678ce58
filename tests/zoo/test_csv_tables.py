"""Facts about labels in CSV tables."""

import json
import shutil
from pathlib import Path

import pytest
from makers import box, coco, coco_document, image_folder, picture, yolo

from zoo.datasets import Dataset, from_json, read_dataset, to_json
from zoo.datasets.check import check_images
from zoo.datasets.overview import overview
from zoo.errors import AnnotationError, FormatError


def pictures(root: Path, *names: str) -> Path:
    for seed, name in enumerate(names):
        picture(root / name, seed)
    return root


def csv(root: Path, text: str, name: str = "labels.csv", images: tuple[str, ...] = ("a.png", "b.png", "c.png")) -> Path:
    pictures(root, *(f"pictures/{image}" for image in images))
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return root


def told(dataset: Dataset) -> dict[str, list[str]]:
    return {s.image.name: [dataset.classes[label] for label in s.shown] for s in dataset.samples}


@pytest.mark.parametrize(
    "text",
    [
        "image,label\na.png,cat\nb.png,dog\nc.png,cat\n",
        "\ufeffimage;label\r\na.png;cat\r\nb.png;dog\r\n\r\nc.png;cat\r\n",
        'filename\tClass Name\n"a.png"\tcat\npictures/b.png\tdog\nC:\\old\\c.png\tcat\n',
        "id,breed\na,cat\nb,dog\nc,cat\n",
        "img_path , width, species\na.png, 20, cat\nb.png, 20, dog\nc.PNG, 20, cat\n",
        "path,cat,dog\na.png,1,0\nb.png,0,1\nc.png,1,0\n",
        ",id,label\n0,a,cat\n1,b,dog\n2,c,cat\n",
    ],
)
def test_a_column_of_images_and_one_label_each_is_classification(tmp_path: Path, text: str) -> None:
    dataset = read_dataset(csv(tmp_path, text))
    assert (dataset.format, dataset.tasks, dataset.classes) == ("csv", ("classification",), ("cat", "dog"))
    assert told(dataset) == {"a.png": ["cat"], "b.png": ["dog"], "c.png": ["cat"]}
    assert not check_images(dataset).bad


@pytest.mark.parametrize(
    "text",
    [
        "image_name,tags\na,cat dog\nb,dog\nc,\n",
        "image,label\na.png,cat|dog\nb.png,dog\nc.png,\n",
        "image,labels\na.png,cat;dog\nb.png,dog\nc.png,\n",
        'image,labels\na.png,"dog, cat"\nb.png,dog\nc.png,\n',
        "filename, cat, dog\na.png, 1, 1\nb.png, 0, 1\nc.png, 0, 0\n",
    ],
)
def test_several_labels_or_none_are_read_and_counted_but_serve_no_training(tmp_path: Path, text: str) -> None:
    root = csv(tmp_path, text)
    dataset = read_dataset(root)
    assert dataset == read_dataset(root, "multilabel-classification")
    assert dataset.tasks == ("multilabel-classification",)
    assert told(dataset) == {"a.png": ["cat", "dog"], "b.png": ["dog"], "c.png": []}
    assert from_json(json.loads(json.dumps(to_json(dataset)))) == dataset
    checked = check_images(dataset)
    counts = overview(checked.dataset, checked.hashes, checked.looks)
    assert [(one.name, one.images, one.objects) for one in counts.classes] == [("cat", 1, 1), ("dog", 2, 2)]
    assert counts.unlabelled == 1
    with pytest.raises(FormatError) as caught:
        read_dataset(root, "classification")
    assert str(caught.value).endswith("(csv) holds annotations for multilabel-classification, none for classification.")
    assert caught.value.__notes__[0] == (
        "1 image(s) have several labels and 1 have none: data for multilabel-classification,"
        " which edge reads and counts but cannot train yet"
    )


def test_a_column_the_name_of_the_table_or_a_folder_says_the_part(tmp_path: Path) -> None:
    by_column = csv(tmp_path / "1", "image,label,Subset\na,cat,train\nb,dog,training\nc,cat,VAL\n")
    assert [s.split for s in read_dataset(by_column).samples] == ["train", "train", "test"]
    by_name = csv(tmp_path / "2", "image,label\na,cat\nb,dog\n", "train.csv")
    (by_name / "val_labels.csv").write_text("image,label\nc,cat\n")
    assert [s.split for s in read_dataset(by_name).samples] == ["train", "train", "test"]
    by_folder = tmp_path / "3"
    for split, label in (("train", "1, 0"), ("valid", "0, 1")):
        picture(by_folder / split / "same.png", len(split))
        (by_folder / split / "_classes.csv").write_text(f"filename, cat, dog\nsame.png, {label}\n")
    assert [(s.image.parent.name, s.split, s.label) for s in read_dataset(by_folder).samples] == [
        ("train", "train", 0),
        ("valid", "test", 1),
    ]
    images = pictures(tmp_path / "4", "train_images/a.png", "test_images/b.png")
    (images / "labels.csv").write_text("image,label\na,cat\nb,dog\n")
    assert [s.split for s in read_dataset(images).samples] == ["test", "train"]


def test_kaggles_layout_is_read_from_the_table_of_train_alone(tmp_path: Path) -> None:
    pictures(tmp_path, "train/1.png", "train/2.png", "test/1.png", "test/3.png")
    (tmp_path / "train.csv").write_text("id,breed\n1,cat\n2,dog\n")
    (tmp_path / "test.csv").write_text("id\n1\n3\n")
    (tmp_path / "sample_submission.csv").write_text("id,breed\n1,cat\n3,cat\n")
    for task in (None, "classification"):
        dataset = read_dataset(tmp_path, task)
        assert [(s.image.parent.name, s.image.name, s.split) for s in dataset.samples] == [
            ("train", "1.png", "train"),
            ("train", "2.png", "train"),
        ]
        assert dataset.notes[:3] == (
            "ignored sample_submission.csv: it is the form of a submission, whose labels are made up",
            "ignored test.csv: it has no column of labels",
            "2 image(s) are in no table of labels and were ignored",
        )


def test_numbers_are_classes_in_their_own_order_and_classes_txt_decides(tmp_path: Path) -> None:
    root = csv(tmp_path, "image,label\na,10\nb,9\nc,9\n")
    assert read_dataset(root).classes == ("9", "10")
    (root / "classes.txt").write_text("10\n9\n")
    assert read_dataset(root).classes == ("10", "9")
    (root / "classes.txt").write_text("10\n")
    with pytest.raises(AnnotationError, match=r"9: used, but not in classes\.txt"):
        read_dataset(root)


def test_names_with_blanks_are_one_label(tmp_path: Path) -> None:
    root = csv(tmp_path, "image,label\na,golden retriever\nb,great tit\nc,cat\n")
    assert read_dataset(root).classes == ("cat", "golden retriever", "great tit")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("photograph,label\na.png,cat\n", r"labels\.csv: no column is called image, filename or the like"),
        ("a.png,cat\nb.png,dog\n", r"no column is called image, filename or the like \(a\.png, cat\)"),
        ("image,label\nx.png,cat\ny.png,dog\n", r"no image is there that its column 'image' names, the first 'x\.png'"),
        ("image,label\na.png,cat\ny.png,dog\n", r"1 image\(s\) are not there: 'y\.png'"),
        ("image,file,label\na.png,b.png,cat\nb.png,a.png,dog\n", "two columns may name the images: image, file"),
        ("image,label\na.png,\nb.png,\n", "its column 'label' is empty"),
        ("image,label\na.png,cat\nb.png,\n", r"1 row\(s\) have no label: line 3"),
        ("image,label\na.png,cat\nb.png,dog\na.png,dog\n", r"1 row\(s\) contradict an earlier one: pictures/a\.png "
         r"\(labels\.csv, line 2: cat; labels\.csv, line 4: dog\)"),
        ("image,label,class\na.png,cat,x\nb.png,dog,y\n", "two columns may hold the labels: label, class"),
        ("image,colour,size\na.png,red,big\nb.png,blue,big\n", "none of its columns is called label, class or tags"),
        ("image,brightness\na.png,0.5\nb.png,0.25\n", "its column 'brightness' holds numbers; call it label if they"),
        ("image,label,split\na.png,cat,train\nb.png,dog,trian\n", "its column 'split' holds 'trian', which is none of"),
        ("image,label,set\na.png,cat,train\nb.png,dog,\n", "its column 'set' holds '', which is none of train"),
        ("image,labels\na.png,cat dog\nb.png,dog\n", "'cat dog', which may be one label or several: put | between"),
        ("image,label\na.png,0 16\nb.png,3\n", "'0 16', which may be one label or several"),
        ('image,label\na.png,"tench, Tinca"\nb.png,dog\n', "'tench, Tinca', which may be one label or several"),
        ("image,label\na.png,a|b;c\nb.png,dog\n", r"has both \| and ; between labels"),
        ("image,label\na.png,cat,x\nb.png,dog\n", "there are 2 columns, but line 2 has 3"),
        ("image,label,label\na.png,cat,x\n", "two columns are called label"),
        ("image,label\n", "it has no row below the names of its columns"),
        ("", "it has no row below the names of its columns"),
        ("image;label,kind\na.png;x,y\n", "its first line may be divided by ',' or by ';'"),
        ('image,label\n"a.png,cat\n', r"line 2 cannot be read \(unexpected end of data\)"),
        ("image,label\na.png,c\0t\n", "it has null bytes"),
        ("image,label\na.png,cat\nb.png,cat\n", "have one class only, 'cat'"),
        ("image,xmin,ymin,xmax,ymax,label\na.png,1,1,5,5,cat\n", r"it has boxes \(xmin, ymin, xmax, ymax\), which are"),
    ],
)  # fmt: skip
def test_what_a_table_does_not_say_for_certain_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(AnnotationError, match=words):
        read_dataset(csv(tmp_path, text))


def test_text_that_is_not_utf8_and_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    root = csv(tmp_path / "1", "")
    (root / "labels.csv").write_bytes("image,label\na.png,käfer\n".encode("latin-1"))
    with pytest.raises(AnnotationError, match=r"labels\.csv: it is not UTF-8 text"):
        read_dataset(root)
    twice = csv(tmp_path / "2", "image,label\na,cat\nb,dog\n", images=("a.png", "a.jpg", "b.png"))
    with pytest.raises(AnnotationError, match=r"1 name\(s\) mean more than one image: 'a'"):
        read_dataset(twice)
    columns = tmp_path / "3"
    for split, names in (("train", "cat, dog"), ("valid", "cat, cow")):
        picture(columns / split / f"{split}.png")
        (columns / split / "_classes.csv").write_text(f"filename, {names}\n{split}.png, 1, 0\n")
    with pytest.raises(AnnotationError, match="the tables have different columns of classes"):
        read_dataset(columns)


def test_a_row_that_is_there_twice_is_read_once_and_told(tmp_path: Path) -> None:
    root = csv(tmp_path, "image,label\na,cat\nb,dog\na,cat\nc,dog\n")
    assert "1 row(s) say what another says and were ignored" in read_dataset(root).notes


@pytest.mark.parametrize(
    "text",
    [
        "image,width,height\n000.png,20,16\n",
        "image,brightness\n000.png,0.5\n",
        "class,images\ncat,2\ndog,2\n",
        "image,label\n",
        "epoch,loss\n1,0.5\n",
        "image,label\ngone.png,cat\n",
    ],
)
def test_a_table_beside_class_folders_steals_nothing(tmp_path: Path, text: str) -> None:
    image_folder(tmp_path, {"cat": 2, "dog": 2})
    (tmp_path / "statistics.csv").write_text(text)
    for task in (None, "classification"):
        dataset = read_dataset(tmp_path, task)
        assert (dataset.format, dataset.notes) == ("imagefolder", ())


def test_a_table_of_labels_beside_another_layout_is_told_and_left(tmp_path: Path) -> None:
    folders = image_folder(tmp_path / "1", {"train/cat": 1, "train/dog": 1})
    shutil.move(folders / "train/dog/000.png", folders / "train/dog/001.png")
    (folders / "list.csv").write_text("filepath,label\ntrain/cat/000.png,cat\ntrain/dog/001.png,dog\n")
    boxes = coco(tmp_path / "2", coco_document(["a.png", "b.png"], [box(1), box(2)]))
    (boxes / "list.csv").write_text("image,label\na.png,cat\nb.png,dog\n")
    for root, form in ((folders, "imagefolder"), (boxes, "coco")):
        dataset = read_dataset(root)
        assert dataset.format == form
        assert f"read as {form}; it could be csv as well" in dataset.notes
    assert read_dataset(boxes, "classification").format == "csv"
    assert not any("csv" in note for note in read_dataset(boxes, "detection").notes)
    lines = yolo(tmp_path / "3", {"a": "0 0.5 0.5 1 1"})
    (lines / "results.csv").write_text("epoch,label\n1,cat\n")
    assert read_dataset(lines).notes == ("1 class(es) have no annotation: dog",)


def test_folders_called_as_parts_are_no_classes(tmp_path: Path) -> None:
    pictures(tmp_path, "train/a.png", "test/b.png")
    with pytest.raises(AnnotationError, match=r"The folders test, train of .* are called as parts of a data set are"):
        read_dataset(tmp_path)
