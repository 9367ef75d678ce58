"""Small data sets on disk for the tests: one function per format."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np


def picture(path: Path, seed: int = 0, size: tuple[int, int] = (20, 16)) -> Path:
    """Random pixels, `size` is (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    encoded, data = cv2.imencode(path.suffix.lower(), pixels)
    assert encoded
    path.write_bytes(data.tobytes())
    return path


def image_folder(root: Path, counts: dict[str, int], suffix: str = ".png") -> Path:
    """`counts` maps a folder such as `train/cat` to its number of different images."""
    seed = 0
    for folder, count in counts.items():
        (root / folder).mkdir(parents=True)
        for number in range(count):
            seed += 1
            picture(root / folder / f"{number:03}{suffix}", seed)
    return root


def coco_document(names: list[str], annotations: list[dict[str, Any]], **category: Any) -> dict[str, Any]:
    """Images of 20 x 16 with ids from 1; two categories, cat 1 and dog 7."""
    return {
        "images": [{"id": n, "file_name": name, "width": 20, "height": 16} for n, name in enumerate(names, start=1)],
        "annotations": [{"id": n, "iscrowd": 0, **entry} for n, entry in enumerate(annotations, start=1)],
        "categories": [{"id": 7, "name": "dog"}, {"id": 1, "name": "cat", **category}],
    }


def box(image_id: int, category_id: int = 1, bbox: tuple[float, ...] = (1, 2, 5, 6), **more: Any) -> dict[str, Any]:
    return {"image_id": image_id, "category_id": category_id, "bbox": list(bbox), **more}


def coco(root: Path, document: dict[str, Any], json_path: str = "annotations/instances_train.json") -> Path:
    """Writes the document, and every image it names below images/."""
    path = root / json_path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
    for seed, image in enumerate(document["images"]):
        picture(root / "images" / image["file_name"], seed)
    return root


def masks(root: Path, values: list[list[int]], classes: str = "background\nroad\ncar\n", split: str = "") -> Path:
    """One image and mask per list; the mask's columns take the values in turn."""
    for number, row in enumerate(values):
        picture(root / "images" / split / f"{number}.jpg", number)
        mask = np.resize(np.array(row, dtype=np.uint8), (16, 20))
        path = root / "masks" / split / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", mask)[1].tobytes())
    (root / "classes.txt").write_text(classes, encoding="utf-8")
    return root


def voc(root: Path, objects: dict[str, list[tuple[str, tuple[int, ...]]]], folder: str = "Annotations") -> Path:
    """Images of 20 x 16 in JPEGImages/, each with its objects: name and xmin, ymin, xmax, ymax from 1."""
    for seed, (name, some) in enumerate(objects.items()):
        picture(root / "JPEGImages" / f"{name}.jpg", seed)
        described = "".join(
            f"<object><name>{label}</name><bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax>"
            "</bndbox></object>"
            for label, (x1, y1, x2, y2) in some
        )
        size = "<size><width>20</width><height>16</height><depth>3</depth></size>"
        path = root / folder / f"{name}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"<annotation><filename>{name}.jpg</filename>{size}{described}</annotation>", encoding="utf-8")
    return root


def yolo(root: Path, lines: dict[str, str], names: str = "names: [cat, dog]\n") -> Path:
    """Images of 20 x 16 in images/ with the text of each in labels/; None of them where the text is empty."""
    (root / "images").mkdir(parents=True)
    (root / "labels").mkdir()
    (root / "data.yaml").write_text(names, encoding="utf-8")
    for seed, (name, text) in enumerate(lines.items()):
        picture(root / "images" / f"{name}.jpg", seed)
        path = root / "labels" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root
