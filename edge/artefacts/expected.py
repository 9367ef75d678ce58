"""Sample pictures with the PyTorch model's own answers: what every exported form is held against."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge.artefacts.blueprint import Blueprint
from edge.artefacts.pictures import Picture
from edge.predictor.spec import EXPECTED
from edge.trainers.reference import answers
from edge.workdir import write_atomic


def write_expected(plan: Blueprint, checkpoint: Path, pictures: Sequence[Picture], folder: Path) -> None:
    """samples/NN.ext with expected.json, which is written last; masks are PNG files beside."""
    import cv2

    network = plan.network
    asked = [(picture.image, picture.box) for picture in pictures]
    found = answers(network.toolbox, network.model, checkpoint, network.test_pipeline, asked)
    (folder / "samples").mkdir(parents=True, exist_ok=True)
    entries = []
    for number, (picture, arrays) in enumerate(zip(pictures, found, strict=True)):
        name = f"{number:02d}{picture.image.suffix.lower()}"
        shutil.copyfile(picture.image, folder / "samples" / name)
        entry: dict[str, Any] = {"image": f"samples/{name}", "box": picture.box}
        for key, values in arrays.items():
            if key == "mask":
                entry[key] = f"samples/{number:02d}.expected.png"
                write_atomic(folder / entry[key], cv2.imencode(".png", values)[1].tobytes())
            else:
                entry[key] = values.tolist()
        entries.append(entry)
    write_atomic(folder / EXPECTED, json.dumps(entries).encode())
