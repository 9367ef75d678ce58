"""The pictures a candidate is shown: typical ones of the data, or drawn ones where there is no data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy_targets.base import Array
from edge.predictor.images import Box, preprocess, read, write
from edge.predictor.spec import Preprocess
from zoo.datasets.record import Dataset, Sample

DRAWN = 8
DRAWN_SIZE = (640, 480)  # width, height: VGA, what most small cameras give


@dataclass(frozen=True)
class Picture:
    """An image file, and for keypoints the box that is looked at."""

    image: Path
    box: Box | None = None


def typical(dataset: Dataset) -> Picture:
    """The training image whose area is the median, and its first box for keypoint data."""
    samples = sorted(_usable(dataset, "train"), key=lambda s: ((s.width or 0) * (s.height or 0), str(s.image)))
    return _picture(dataset, samples[len(samples) // 2])


def spread(dataset: Dataset, part: str, count: int) -> list[Picture]:
    """Up to `count` images of a part, evenly spaced."""
    samples = _usable(dataset, part)
    number = min(count, len(samples))
    return [_picture(dataset, samples[i * len(samples) // number]) for i in range(number)]


def drawn(folder: Path, task: str) -> list[Picture]:
    """Pictures of no data: soft blobs and edges, the same on every machine."""
    import cv2
    import numpy as np

    folder.mkdir(parents=True, exist_ok=True)
    width, height = DRAWN_SIZE
    found = []
    for number in range(DRAWN):
        path = folder / f"drawn-{number}.png"
        if not path.is_file():
            random = np.random.default_rng(number)
            coarse = random.integers(0, 256, (6 + number, 8 + number, 3), dtype=np.uint8)
            canvas: Any = cv2.resize(coarse, DRAWN_SIZE, interpolation=cv2.INTER_LINEAR)
            for _ in range(12):
                x, y, r = random.integers(0, width), random.integers(0, height), random.integers(10, 120)
                colour = tuple(int(c) for c in random.integers(0, 256, 3))
                cv2.circle(canvas, (int(x), int(y)), int(r), colour, -1, cv2.LINE_AA)
            write(path, canvas)
        found.append(Picture(path, (160.0, 60.0, 240.0, 320.0) if task == "keypoint" else None))
    return found


def tensors(pictures: Sequence[Picture], how: Preprocess) -> list[Array]:
    """Each picture as the input (1, 3, H, W) of a network."""
    return [preprocess(read(picture.image), how, picture.box)[0] for picture in pictures]


def _usable(dataset: Dataset, part: str) -> list[Sample]:
    return [s for s in dataset.part(part) if s.boxes or not dataset.keypoint_names]


def _picture(dataset: Dataset, sample: Sample) -> Picture:
    box = sample.boxes[0] if dataset.keypoint_names else None
    return Picture(sample.image, (box.x, box.y, box.w, box.h) if box else None)
