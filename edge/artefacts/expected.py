"""Sample pictures with the PyTorch model's own answers: what every exported form is held against."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge.artefacts.blueprint import Blueprint
from edge.artefacts.pictures import Picture
from edge.predictor.images import read
from edge.predictor.parity import shown
from edge.predictor.predictor import Predictor
from edge.predictor.spec import EXPECTED, RECORDED
from edge.trainers.reference import Arrays, answers
from edge.workdir import write_atomic


def write_expected(plan: Blueprint, checkpoint: Path, pictures: Sequence[Picture], folder: Path) -> None:
    """samples/NN.ext with expected.json, which is written last; masks are PNG files beside."""
    network = plan.network
    asked = [(picture.image, picture.box) for picture in pictures]
    found = answers(network.toolbox, network.model, checkpoint, network.test_pipeline, asked)
    (folder / "samples").mkdir(parents=True, exist_ok=True)
    entries = []
    for number, (picture, arrays) in enumerate(zip(pictures, found, strict=True)):
        name = f"samples/{number:02d}{picture.image.suffix.lower()}"
        shutil.copyfile(picture.image, folder / name)
        entries.append({"image": name, "box": picture.box, **_plain(arrays, folder, f"samples/{number:02d}.expected")})
    write_atomic(folder / EXPECTED, json.dumps(entries).encode())


def write_recorded(predictor: Predictor, folder: Path) -> None:
    """What the exported model itself answers to the samples that are there: another machine must answer the same."""
    entries = []
    for number, entry in enumerate(json.loads((folder / EXPECTED).read_text(encoding="utf-8"))):
        image = shown(read(folder / entry["image"]), predictor.spec)
        answer = predictor(image, tuple(entry["box"]) if entry["box"] else None)
        given = {
            name: getattr(answer, name) for name in ("scores", "boxes", "box_scores", "labels", "mask", "keypoints")
        }
        arrays = {name: values for name, values in given.items() if values is not None}
        plain = _plain(arrays, folder, f"samples/{number:02d}.recorded")
        entries.append({"image": entry["image"], "box": entry["box"], **plain})
    write_atomic(folder / RECORDED, json.dumps(entries).encode())


def _plain(arrays: Arrays, folder: Path, mask: str) -> dict[str, Any]:
    """Arrays as JSON; a mask becomes a PNG file, and its name."""
    import cv2

    plain: dict[str, Any] = {name: values.tolist() for name, values in arrays.items() if name != "mask"}
    if "mask" in arrays:
        plain["mask"] = f"{mask}.png"
        write_atomic(folder / plain["mask"], cv2.imencode(".png", arrays["mask"])[1].tobytes())
    return plain
