"""Facts about reading the exports of labelling tools."""

import json
from pathlib import Path
from typing import Any

import pytest
from makers import picture

from zoo.datasets import read_dataset
from zoo.datasets.check import check_images
from zoo.datasets.record import Box
from zoo.errors import AnnotationError

CAT = Box(2, 4, 8, 8, 0)


def labelme(root: Path, shapes: list[dict[str, Any]], name: str = "a", **more: Any) -> Path:
    picture(root / f"{name}.jpg")
    document = {"version": "5.0", "flags": {}, "shapes": shapes, "imagePath": f"{name}.jpg", **more}
    (root / f"{name}.json").write_text(json.dumps({**document, "imageHeight": 16, "imageWidth": 20}))
    return root


def shape(kind: str, points: list[list[float]], label: str = "cat") -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": kind}


def test_labelme_rectangles_polygons_and_circles_give_boxes(tmp_path: Path) -> None:
    shapes = [
        shape("rectangle", [[10, 12], [2, 4]]),
        shape("polygon", [[2, 4], [10, 4], [6, 12]]),
        shape("circle", [[6, 8], [6, 12]]),
    ]
    dataset = read_dataset(labelme(tmp_path, shapes), "detection")
    assert (dataset.format, dataset.classes) == ("labelme", ("cat",))
    assert dataset.samples[0].boxes == (CAT, CAT, CAT)
    assert not check_images(dataset).bad


def test_labelme_finds_images_from_where_the_json_lies(tmp_path: Path) -> None:
    for part in ("one", "two"):
        labelme(tmp_path / part, [shape("rectangle", [[2, 4], [10, 12]])])
    assert len(read_dataset(tmp_path, "detection").samples) == 2


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (shape("point", [[1, 1]]), r"z\.json: shape 1 \(cat\) is a point, which has no box"),
        (shape("rectangle", []), r"shape 1 \(cat\) has points that cannot be read"),
        (shape("rectangle", [["x", 1]]), "has points that cannot be read"),
        ({"points": []}, "shape 1 has no label"),
        (shape("rectangle", [[1, 1], [90, 9]]), "lies outside the image of 20 x 16"),
    ],
)
def test_labelme_faults_name_file_and_shape(tmp_path: Path, given: dict[str, Any], words: str) -> None:
    labelme(tmp_path, [shape("rectangle", [[2, 4], [10, 12]])])
    with pytest.raises(AnnotationError, match=words):
        read_dataset(labelme(tmp_path, [given], "z"), "detection")


def cvat(root: Path, shapes: str, more: str = "") -> Path:
    picture(root / "images" / "a.jpg")
    image = f'<image id="0" name="a.jpg" width="20" height="16">{shapes}</image>'
    (root / "annotations.xml").write_text(f"<annotations><version>1.1</version>{image}{more}</annotations>")
    return root


def test_cvat_boxes_polygons_masks_and_ellipses_give_boxes(tmp_path: Path) -> None:
    shapes = (
        '<box label="cat" xtl="2" ytl="4" xbr="10" ybr="12"/><polygon label="cat" points="2.0,4.0;10,4;6,12"/>'
        '<mask label="cat" left="2" top="4" width="8" height="8" rle="1"/>'
        '<ellipse label="cat" cx="6" cy="8" rx="4" ry="4"/><tag label="indoors"/>'
    )
    dataset = read_dataset(cvat(tmp_path, shapes), "detection")
    assert (dataset.format, dataset.classes) == ("cvat", ("cat",))
    assert dataset.samples[0].boxes == (CAT, CAT, CAT, CAT)
    assert not check_images(dataset).bad


@pytest.mark.parametrize(
    ("shapes", "more", "words"),
    [
        ('<box label="cat" xtl="2" ytl="4" xbr="10"/>', "", "a box of cat cannot be read \\(ybr is missing\\)"),
        ('<box xtl="2" ytl="4" xbr="10" ybr="12"/>', "", "a box has no label"),
        ('<polygon label="cat" points="2,a"/>', "", "a polygon of cat cannot be read"),
        ('<polyline label="cat" points="2,3;4,5"/>', "", "a polyline of cat has no box"),
        ("", '<image id="1" name="b.jpg" width="20" height="16"/>', r"image 2 \(b\.jpg\): there is no image b\.jpg"),
        ("", "<track/>", "it is CVAT's export for video"),
        ("<box", "", "is not valid XML"),
    ],
)
def test_cvat_faults_name_the_image(tmp_path: Path, shapes: str, more: str, words: str) -> None:
    with pytest.raises(AnnotationError, match=words):
        read_dataset(cvat(tmp_path, shapes, more), "detection")


def rectangle(**more: Any) -> dict[str, Any]:
    value = {"x": 10, "y": 25, "width": 40, "height": 50, "rotation": 0, "rectanglelabels": ["cat"], **more}
    return {"original_width": 20, "original_height": 16, "type": "rectanglelabels", "value": value}


def labelstudio(root: Path, *results: list[dict[str, Any]], image: str = "/data/upload/1/0a1b2c3d-a.jpg") -> Path:
    picture(root / "a.jpg")
    annotations = [{"result": some} for some in results]
    tasks = [{"id": 7, "data": {"image": image}, "annotations": annotations}, {"id": 8, "data": {}, "annotations": []}]
    (root / "export.json").write_text(json.dumps(tasks))
    return root


def test_label_studio_percents_become_pixels(tmp_path: Path) -> None:
    polygon = {**rectangle(), "value": {"points": [[10, 25], [50, 25], [30, 75]], "polygonlabels": ["cat"]}}
    choice = {"value": {"choices": ["blurred"]}}
    dataset = read_dataset(labelstudio(tmp_path, [rectangle(), polygon, choice]), "detection")
    assert (dataset.format, dataset.classes) == ("labelstudio", ("cat",))
    assert dataset.samples[0].boxes == (CAT, CAT)
    assert not check_images(dataset).bad


def test_label_studio_takes_the_last_annotation_that_was_not_cancelled(tmp_path: Path) -> None:
    root = labelstudio(tmp_path, [rectangle()], [rectangle(x=0)], [rectangle(x=20)])
    file = root / "export.json"
    document = json.loads(file.read_text())
    document[0]["annotations"][2]["was_cancelled"] = True
    file.write_text(json.dumps(document))
    assert read_dataset(root, "detection").samples[0].boxes == (Box(0, 4, 8, 8, 0),)


@pytest.mark.parametrize("image", ["/data/local-files/?d=photos/a.jpg", "https://example.org/x/a.jpg?sig=1", "a.jpg"])
def test_label_studio_finds_images_by_any_address(tmp_path: Path, image: str) -> None:
    assert len(read_dataset(labelstudio(tmp_path, [rectangle()], image=image), "detection").samples) == 1


@pytest.mark.parametrize(
    ("result", "image", "words"),
    [
        (rectangle(rotation=30), "a.jpg", "export.json: task 7: a box of cat is turned"),
        (
            rectangle(rectanglelabels=["cat", "dog"]),
            "a.jpg",
            r"a rectanglelabels has \['cat', 'dog'\] where one label is",
        ),
        (rectangle(width="wide"), "a.jpg", "a rectanglelabels of cat is no box or polygon"),
        (rectangle(), "b.jpg", "task 7: there is no image b"),
        (rectangle(), "", "task 7: it names no image"),
    ],
)
def test_label_studio_faults_name_the_task(tmp_path: Path, result: dict[str, Any], image: str, words: str) -> None:
    with pytest.raises(AnnotationError, match=words):
        read_dataset(labelstudio(tmp_path, [result], image=image), "detection")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"x": 30, "y": 50, "radiusX": 20, "radiusY": 25, "ellipselabels": ["cat"]}, CAT),
        ({"x": 10, "y": 25, "width": 40, "height": 50, "labels": ["cat"]}, CAT),
        ({"format": "rle", "rle": [1], "brushlabels": ["cat"]}, "has no label where one label is"),
        ({"x": 10, "y": 25, "width": 40, "height": 50}, "has no label where one label is"),
        ({"x": 10, "y": 25, "width": 0.5, "keypointlabels": ["cat"]}, "has no label where one label is"),
    ],
)
def test_label_studio_shapes_are_read_or_refused_but_never_lost(
    tmp_path: Path, value: dict[str, Any], told: Box | str
) -> None:
    root = labelstudio(tmp_path, [rectangle(), {**rectangle(), "value": value}])
    if isinstance(told, str):
        with pytest.raises(AnnotationError, match=told):
            read_dataset(root, "detection")
    else:
        assert read_dataset(root, "detection").samples[0].boxes == (CAT, told)


def test_two_exports_of_label_studio_are_refused(tmp_path: Path) -> None:
    root = labelstudio(tmp_path, [rectangle()])
    (root / "newer.json").write_text((root / "export.json").read_text())
    with pytest.raises(AnnotationError, match=r"has 2 exports of Label Studio: export\.json, newer\.json"):
        read_dataset(root, "detection")


def test_cvat_boxes_that_are_turned_are_taken_around(tmp_path: Path) -> None:
    shapes = '<box label="cat" xtl="2" ytl="6" xbr="10" ybr="10" rotation="90"/>'
    assert read_dataset(cvat(tmp_path, shapes), "detection").samples[0].boxes == (Box(4, 4, 4, 8, 0),)


def test_files_of_other_tools_are_left_alone(tmp_path: Path) -> None:
    labelme(tmp_path, [shape("rectangle", [[2, 4], [10, 12]])])
    (tmp_path / ".vscode").mkdir()
    (tmp_path / ".vscode" / "settings.json").write_text("{}")
    (tmp_path / "0_config.json").write_text("{}")
    (tmp_path / "gone.json").symlink_to(tmp_path / "nothing")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "gone.xml").symlink_to(tmp_path / "nothing")
    assert len(read_dataset(tmp_path, "detection").samples) == 1


def test_two_files_about_one_image_are_refused(tmp_path: Path) -> None:
    labelme(tmp_path, [shape("rectangle", [[2, 4], [10, 12]])])
    (tmp_path / "b.json").write_text((tmp_path / "a.json").read_text())
    with pytest.raises(AnnotationError, match=r"1 image\(s\) are described twice"):
        read_dataset(tmp_path, "detection")
