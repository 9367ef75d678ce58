"""Small drawn datasets, one per task, in the formats that `--data` accepts. Deterministic; not a test."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from zoo.demo import write_digits

WIDTH, HEIGHT, IMAGES = 96, 72, 30
EMPTY = range(0, 30, 6)  # images without any object, enough for each part to get one
SHAPES = ("disc", "square")


def classification(root: Path) -> tuple[str, ...]:
    """Real digits, ten classes."""
    write_digits(root, limit=100)
    return ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def detection(root: Path) -> tuple[str, ...]:
    """Discs and squares on noise, COCO boxes; every sixth without any object."""
    _coco(root, lambda number: [_annotation(number, shape) for shape in range(2)] if number not in EMPTY else [])
    return SHAPES


def segmentation(root: Path) -> tuple[str, ...]:
    """The same as index masks with a class list."""
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    (root / "classes.txt").write_text("background\ndisc\nsquare\n", encoding="utf-8")
    for number in range(IMAGES):
        image, mask = _picture(number)
        cv2.imwrite(str(root / "images" / f"{number:02d}.png"), image)
        cv2.imwrite(str(root / "masks" / f"{number:02d}.png"), mask)
    return SHAPES


def keypoint(root: Path) -> tuple[str, ...]:
    """The corners of the square, one of them never labelled in every third image."""

    def annotate(number: int) -> list[dict[str, Any]]:
        entry = _annotation(number, 1)
        x, y, w, h = entry["bbox"]
        corners = [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
        hidden = number % 3 == 0
        entry["keypoints"] = [
            v for i, (cx, cy) in enumerate(corners) for v in ((0, 0, 0) if hidden and i == 3 else (cx, cy, 2))
        ]
        entry["num_keypoints"] = 3 if hidden else 4
        entry["category_id"] = 1
        return [entry]

    category = {
        "id": 1,
        "name": "square",
        "keypoints": ["top left", "top right", "bottom right", "bottom left"],
        "skeleton": [[1, 2], [2, 3], [3, 4], [4, 1]],
    }
    _coco(root, annotate, [category])
    return ("square",)


WRITERS: dict[str, Callable[[Path], tuple[str, ...]]] = {
    "classification": classification,
    "detection": detection,
    "segmentation": segmentation,
    "keypoint": keypoint,
}


def _corner(number: int, shape: int) -> tuple[int, int, int]:
    """x, y, side of a shape; the disc stays left, the square right."""
    random = np.random.default_rng(1000 * shape + number)
    side = int(random.integers(16, 28))
    return int(random.integers(2, 16)) + 46 * shape, int(random.integers(2, HEIGHT - side - 2)), side


def _picture(number: int) -> tuple[Any, Any]:
    image = np.random.default_rng(number).integers(0, 70, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    x, y, side = _corner(number, 0)
    for canvas, color in ((image, (60, 200, 240)), (mask, 1)):
        cv2.circle(canvas, (x + side // 2, y + side // 2), side // 2, color, -1)
    x, y, side = _corner(number, 1)
    for canvas, color in ((image, (230, 120, 60)), (mask, 2)):
        cv2.rectangle(canvas, (x, y), (x + side, y + side), color, -1)
    return image, mask


def _annotation(number: int, shape: int) -> dict[str, Any]:
    x, y, side = _corner(number, shape)
    return {"bbox": [x, y, side, side], "area": side * side, "iscrowd": 0, "category_id": shape + 1}


def _coco(
    root: Path,
    annotate: Callable[[int], list[dict[str, Any]]],
    categories: list[dict[str, Any]] | None = None,
) -> None:
    (root / "images").mkdir(parents=True)
    (root / "annotations").mkdir()
    images, annotations = [], []
    for number in range(IMAGES):
        name = f"{number:02d}.png"
        cv2.imwrite(str(root / "images" / name), _picture(number)[0])
        images.append({"id": number + 1, "file_name": name, "width": WIDTH, "height": HEIGHT})
        for entry in annotate(number):
            annotations.append({"id": len(annotations) + 1, "image_id": number + 1, **entry})
    document = {
        "images": images,
        "annotations": annotations,
        "categories": categories or [{"id": i + 1, "name": name} for i, name in enumerate(SHAPES)],
    }
    (root / "annotations" / "instances.json").write_text(json.dumps(document), encoding="utf-8")
