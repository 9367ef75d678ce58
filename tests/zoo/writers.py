"""A data set written in every format there is a reader for: one function per format, from the record to files."""

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from zoo.datasets.record import Box, Dataset, Sample

Writer = Callable[[Path, Dataset], Path]


def place(folder: Path, sample: Sample) -> Path:
    """The image in a folder of its own part."""
    path = folder / (sample.split or "") / sample.image.name
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(sample.image, path)
    return path


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def corners(box: Box) -> tuple[float, float, float, float]:
    return box.x, box.y, box.x + box.w, box.y + box.h


def coco(root: Path, dataset: Dataset) -> Path:
    """A document per part; categories are numbered from 1, backwards."""
    numbers = {label: len(dataset.classes) - label for label in range(len(dataset.classes))}
    for split in sorted({sample.split or "all" for sample in dataset.samples}):
        document: dict[str, list[dict[str, Any]]] = {"images": [], "annotations": [], "categories": []}
        document["categories"] = [{"id": numbers[n], "name": name} for n, name in enumerate(dataset.classes)]
        for number, sample in enumerate(s for s in dataset.samples if (s.split or "all") == split):
            place(root / "images", sample)
            size = {"width": sample.width, "height": sample.height}
            document["images"].append({"id": number, "file_name": sample.image.name, **size})
            for box in sample.boxes:
                entry = {"image_id": number, "category_id": numbers[box.label], "bbox": [box.x, box.y, box.w, box.h]}
                document["annotations"].append({"id": len(document["annotations"]) + 1, "iscrowd": 0, **entry})
        put(root / "annotations" / f"instances_{split}.json", json.dumps(document))
    return root


def voc(root: Path, dataset: Dataset) -> Path:
    """Whole pixels counted from 1, the last one included; the parts as lists."""
    lists: dict[str, list[str]] = {}
    for sample in dataset.samples:
        place(root / "JPEGImages", replace(sample, split=None))
        lists.setdefault(sample.split or "train", []).append(sample.image.stem)
        objects = ""
        for box in sample.boxes:
            x1, y1, x2, y2 = (round(value) for value in corners(box))
            sides = (("xmin", x1 + 1), ("ymin", y1 + 1), ("xmax", x2), ("ymax", y2))
            bounds = "".join(f"<{side}>{value}</{side}>" for side, value in sides)
            objects += f"<object><name>{dataset.classes[box.label]}</name><bndbox>{bounds}</bndbox></object>\n"
        size = f"<size><width>{sample.width}</width><height>{sample.height}</height><depth>3</depth></size>"
        text = f"<annotation><filename>{sample.image.name}</filename>\n{size}\n{objects}</annotation>\n"
        put(root / "Annotations" / f"{sample.image.stem}.xml", text)
    for split, names in lists.items():
        put(root / "ImageSets" / "Main" / f"{split}.txt", "\n".join(names) + "\n")
    return root


def yolo(root: Path, dataset: Dataset) -> Path:
    """Middle and size as shares of the image, with six digits as Ultralytics writes them."""
    for sample in dataset.samples:
        place(root / "images", sample)
        assert sample.width and sample.height
        lines = ""
        for box in sample.boxes:
            x, y = (box.x + box.w / 2) / sample.width, (box.y + box.h / 2) / sample.height
            lines += f"{box.label} {x:.6f} {y:.6f} {box.w / sample.width:.6f} {box.h / sample.height:.6f}\n"
        put(root / "labels" / (sample.split or "") / f"{sample.image.stem}.txt", lines)
    put(root / "data.yaml", "names:\n" + "".join(f"  {n}: {name}\n" for n, name in enumerate(dataset.classes)))
    return root


def cvat(root: Path, dataset: Dataset) -> Path:
    """CVAT for images 1.1, with two digits."""
    entries = ""
    for number, sample in enumerate(dataset.samples):
        path = place(root / "images", sample)
        shapes = "".join(
            f'<box label="{dataset.classes[box.label]}" xtl="{x1:.2f}" ytl="{y1:.2f}" xbr="{x2:.2f}" ybr="{y2:.2f}"/>\n'
            for box in sample.boxes
            for x1, y1, x2, y2 in (corners(box),)
        )
        name = path.relative_to(root / "images").as_posix()
        size = f'width="{sample.width}" height="{sample.height}"'
        entries += f'<image id="{number}" name="{name}" subset="{sample.split or ""}" {size}>\n{shapes}</image>\n'
    put(root / "annotations.xml", f"<annotations><version>1.1</version>\n{entries}</annotations>\n")
    return root


def labelme(root: Path, dataset: Dataset) -> Path:
    """A JSON file beside each image; rectangles by two corners."""
    for sample in dataset.samples:
        path = place(root, sample)
        shapes = [
            {"label": dataset.classes[box.label], "points": [[x1, y1], [x2, y2]], "shape_type": "rectangle"}
            for box in sample.boxes
            for x1, y1, x2, y2 in (corners(box),)
        ]
        size = {"imageWidth": sample.width, "imageHeight": sample.height}
        document = {"version": "5.0", "flags": {}, "shapes": shapes, "imagePath": path.name, **size}
        put(path.with_suffix(".json"), json.dumps(document))
    return root


def labelstudio(root: Path, dataset: Dataset) -> Path:
    """One export; shapes in percent."""
    tasks = []
    for number, sample in enumerate(dataset.samples, start=1):
        path = place(root, sample)
        assert sample.width and sample.height
        result = []
        for box in sample.boxes:
            value = {"x": 100 * box.x / sample.width, "width": 100 * box.w / sample.width, "rotation": 0}
            value |= {"y": 100 * box.y / sample.height, "height": 100 * box.h / sample.height}
            value |= {"rectanglelabels": [dataset.classes[box.label]]}
            size = {"original_width": sample.width, "original_height": sample.height}
            result.append({**size, "type": "rectanglelabels", "value": value})
        address = f"/data/local-files/?d={path.relative_to(root).as_posix()}"
        tasks.append({"id": number, "data": {"image": address}, "annotations": [{"result": result}]})
    put(root / "export.json", json.dumps(tasks))
    return root


def painted(dataset: Dataset, sample: Sample) -> np.ndarray[Any, Any]:
    """The boxes as a mask: 0 is background, later boxes cover earlier ones."""
    mask = np.zeros((sample.height or 0, sample.width or 0), np.uint8)
    for box in sample.boxes:
        x1, y1, x2, y2 = (round(value) for value in corners(box))
        mask[y1:y2, x1:x2] = box.label + 1
    return mask


def masks(root: Path, dataset: Dataset) -> Path:
    """Palette PNGs of the boxes, below a class called background."""
    for sample in dataset.samples:
        place(root / "images", sample)
        path = root / "masks" / (sample.split or "") / f"{sample.image.stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(painted(dataset, sample)).convert("P")
        image.putpalette([value for number in range(256) for value in (number * 37 % 256, number * 91 % 256, number)])
        image.save(path)
    put(root / "classes.txt", "\n".join(["background", *dataset.classes]) + "\n")
    return root


def named(sample: Sample, dataset: Dataset) -> list[str]:
    """The classes in an image, each once."""
    return [dataset.classes[label] for label in sorted(set(sample.shown))]


def table(path: Path, rows: list[list[object]], delimiter: str = ",") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


def tags(root: Path, dataset: Dataset) -> Path:
    """One table for all parts, `name,subset,labels`, with | between labels."""
    rows: list[list[object]] = [["image_name", "subset", "labels"]]
    for sample in dataset.samples:
        path = place(root / "images", sample)
        rows.append([path.relative_to(root).as_posix(), sample.split, "|".join(named(sample, dataset))])
    table(root / "labels.csv", rows)
    return root


def one_hot(root: Path, dataset: Dataset) -> Path:
    """Roboflow's way: a table in each part's folder, with blanks before the names of the classes."""
    rows: dict[str, list[list[object]]] = {}
    for sample in dataset.samples:
        path = place(root, sample)
        part = rows.setdefault(path.parent.name, [["filename", *(f" {name}" for name in dataset.classes)]])
        part.append([path.name, *(int(name in named(sample, dataset)) for name in dataset.classes)])
    for split, lines in rows.items():
        table(root / split / "_classes.csv", lines)
    return root


def one_label(root: Path, dataset: Dataset) -> Path:
    """Kaggle's way: a table per part, ids without ending, one label."""
    rows: dict[str, list[list[object]]] = {}
    for sample in dataset.samples:
        path = place(root, sample)
        rows.setdefault(path.parent.name, [["id", "label"]]).append([path.stem, dataset.classes[sample.shown[0]]])
    for split, lines in rows.items():
        table(root / f"{split}.csv", lines, ";")
    return root


def folders(root: Path, dataset: Dataset) -> Path:
    """Each image in the folder of the first class it shows."""
    for sample in dataset.samples:
        folder = root / (sample.split or "") / dataset.classes[sample.shown[0]]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(sample.image, folder / sample.image.name)
    return root


BOXES: dict[str, tuple[Writer, float]] = {
    "coco": (coco, 0.0),
    "voc": (voc, 0.5),
    "yolo": (yolo, 0.001),
    "cvat": (cvat, 0.01),
    "labelme": (labelme, 1e-9),
    "labelstudio": (labelstudio, 1e-9),
}
"""Formats of boxes, with how far a corner may move, in pixels: what the format or its tool rounds."""

ALL: dict[str, Writer] = {
    **{name: writer for name, (writer, _) in BOXES.items()},
    "masks": masks,
    "imagefolder": folders,
    "csv": tags,
    "csv one hot": one_hot,
    "csv one label": one_label,
}


def scene(path: Path, seed: int, size: tuple[int, int]) -> Path:
    """A picture with structure, unlike noise: a few blurred discs; `size` is (width, height)."""
    rng = np.random.default_rng(seed)
    pixels = np.full((size[1], size[0], 3), rng.integers(40, 200, 3), np.uint8)
    for _ in range(8):
        middle = (int(rng.integers(size[0])), int(rng.integers(size[1])))
        colour = tuple(int(value) for value in rng.integers(20, 215, 3))
        cv2.circle(pixels, middle, int(rng.integers(2, max(3, min(size) // 3))), colour, -1)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.GaussianBlur(pixels, (3, 3), 0))
    return path


def small(folder: Path, split_sizes: dict[str, int] | None = None) -> Dataset:
    """A valid data set of boxes in no format yet: different scenes of 40 x 32, cats and dogs."""
    rng = np.random.default_rng(7)
    samples = []
    for split, count in (split_sizes or {"train": 4, "test": 2}).items():
        for number in range(count):
            path = scene(folder / f"{split}{number}.png", len(samples), (40, 32))
            boxes = [Box(*(float(v) for v in rng.integers(0, 15, 2)), *(float(v) for v in rng.integers(4, 16, 2)), n)
                     for n in ((0, 1) if number % 2 else (1,) if split == "train" and number else (0,))]  # fmt: skip
            samples.append(Sample(path, 40, 32, split, boxes=tuple(boxes)))
    return Dataset("made", ("detection",), folder, ("cat", "dog"), tuple(samples))
