"""Seconds and peak memory of `edge zoo check` on a large data set: python benchmarks/large_dataset.py [--images 100000]

Writes a COCO data set into a temporary folder: two documents, nine images of ten in the first, ten boxes an image, each
with an area and a polygon of four corners as COCO's own have. Every image is a file and a picture of its own, a JPEG of
64 x 48, which takes longer to open than to decode: with larger ones the time is that of decoding. The real command runs
in a child process, with the files still in the page cache.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
WIDTH, HEIGHT = 64, 48
CLASSES = 80
BOXES = 10
HELD_OUT = 10  # one image of so many


def write_image(path: Path, rng: np.random.Generator) -> None:
    """A few soft colours, different in each."""
    soft = cv2.resize(rng.integers(0, 255, (4, 5, 3), dtype=np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    path.write_bytes(cv2.imencode(".jpg", soft)[1].tobytes())


def boxes_of(image: int, first: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    corners = rng.uniform(0, 0.6, (BOXES, 2)) * (WIDTH, HEIGHT)
    sizes = rng.uniform(0.05, 0.4, (BOXES, 2)) * (WIDTH, HEIGHT)
    labels = rng.integers(1, CLASSES + 1, BOXES)
    entries = []
    for number, ((x, y), (w, h), label) in enumerate(
        zip(corners.round(2).tolist(), sizes.round(2).tolist(), labels.tolist(), strict=True), start=first
    ):
        polygon = [x, y, round(x + w, 2), y, round(x + w, 2), round(y + h, 2), x, round(y + h, 2)]
        entries.append({"id": number, "image_id": image, "category_id": label, "bbox": [x, y, w, h],
                        "area": w * h, "iscrowd": 0, "segmentation": [polygon]})  # fmt: skip
    return entries


def write(root: Path, images: int) -> int:
    """Writes the data set and returns the bytes of its documents."""
    rng = np.random.default_rng(0)
    categories = [{"id": number, "name": f"class {number}"} for number in range(1, CLASSES + 1)]
    documents: dict[str, dict[str, list[Any]]] = {
        split: {"images": [], "annotations": [], "categories": categories} for split in ("train", "val")
    }
    for split in documents:
        (root / "images" / split).mkdir(parents=True)
    for number in range(images):
        split = "val" if number % HELD_OUT == 0 else "train"
        name = f"{number:012}.jpg"
        write_image(root / "images" / split / name, rng)
        documents[split]["images"].append({"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT})
        documents[split]["annotations"] += boxes_of(number, number * BOXES, rng)
    (root / "annotations").mkdir()
    size = 0
    for split, document in documents.items():
        path = root / "annotations" / f"instances_{split}.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        size += path.stat().st_size
    return size


class Cost(NamedTuple):
    """Of the child process; `cpu_seconds` are those of all its threads, which other programs disturb less."""

    seconds: float
    cpu_seconds: float
    peak_mib: float


def checked(root: Path, cores: int) -> tuple[Cost, dict[str, Any]]:
    """What `edge zoo check` costs on so many cores, and its report."""
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    command = ["taskset", "-c", ",".join(map(str, allowed)), sys.executable, "-m", "edge", "zoo", "check", str(root)]
    start = time.perf_counter()
    with subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT) as child:
        assert child.stdout is not None
        text = child.stdout.read()
        # subprocess tells nothing of the memory of one child among several
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}")
    cost = Cost(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
    return cost, json.loads(text.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="write the data set there, or use the one that is there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = options.keep or Path(scratch) / "set"
        if not root.is_dir():
            size = write(root, options.images)
            print(f"{options.images} images, {options.images * BOXES} boxes, {size / 1e6:.0f} MB of JSON")
        cost, told = checked(root, options.cores)
    print(f"{cost.seconds:.1f} s ({cost.cpu_seconds:.1f} s of CPU), peak {cost.peak_mib:.0f} MiB resident,"
          f" {options.cores} cores, load before and during {os.getloadavg()[1]:.1f}")  # fmt: skip
    print(f"parts {told['parts']}, boxes {sum(one['objects'] for one in told['classes'])}, bad {len(told['bad'])},"
          f" duplicates {told['duplicates']}, look-alikes {len(told['alike'])}")  # fmt: skip


if __name__ == "__main__":
    main()
