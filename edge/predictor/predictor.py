"""Opens a package folder and answers images."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from deploy_targets.base import Session
from deploy_targets.registry import backend
from edge.errors import BadRequest, VerificationFailed
from edge.predictor.answers import Answer, postprocess
from edge.predictor.images import Box, Image, preprocess, use_threads
from edge.predictor.spec import SPEC_FILE, PackageSpec


class Predictor:
    """A package's model, loaded once, answering one image at a time."""

    def __init__(self, spec: PackageSpec, session: Session) -> None:
        self.spec = spec
        self.session = session

    @classmethod
    def open(cls, folder: Path, threads: int | None = None) -> Predictor:
        """Load `folder`/model.json and its model file; `threads` bind the whole process, by default the package's own.

        Raises:
            VerificationFailed: the description is missing or malformed.
            DeployError: the engine is missing or cannot open the file.
        """
        spec = read_spec(folder)
        threads = threads or spec.threads
        use_threads(threads)
        session = backend(spec.engine).open(folder / spec.model_file, threads=threads, precision=spec.precision)
        return cls(spec, session)

    def __call__(self, image: Image, box: Box | None = None) -> Answer:
        """Predict; `box` (x, y, w, h) is for keypoint models, None takes the whole image."""
        tensor, frame = preprocess(image, self.spec.preprocess, box, into=self.session.input_memory)
        return postprocess(self.session.run(tensor), self.spec.postprocess, frame)


def read_spec(folder: Path) -> PackageSpec:
    """The package's model.json."""
    from pydantic import ValidationError

    path = folder / SPEC_FILE
    try:
        return PackageSpec.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise VerificationFailed(
            f"{folder} is no package of edge: {SPEC_FILE} cannot be read", "Give the folder that `edge produce` named."
        ) from error
    except (ValidationError, UnicodeDecodeError) as error:
        raise VerificationFailed(f"{path} is malformed: {error}", "Make the package again.") from error


def parse_box(text: str) -> Box:
    """ "x,y,w,h" in pixels.

    Raises:
        BadRequest: anything else.
    """
    try:
        x, y, w, h = (float(part) for part in text.split(","))
    except ValueError as error:
        raise BadRequest(f"--box {text} is not x,y,w,h", "Give four numbers in pixels: --box 10,20,200,150.") from error
    if not all(map(math.isfinite, (x, y, w, h))):
        raise BadRequest(f"--box {text} is not x,y,w,h", "Give four numbers in pixels: --box 10,20,200,150.")
    if w <= 0 or h <= 0:
        raise BadRequest(f"--box {text} has no area", "Width and height are positive.")
    return (x, y, w, h)


def describe(answer: Answer, spec: PackageSpec, threshold: float | None = None) -> dict[str, Any]:
    """An answer as JSON-ready data with class names."""
    if answer.scores is not None and answer.label is not None:
        scores = {name: round(float(score), 5) for name, score in zip(spec.classes, answer.scores, strict=True)}
        return {"label": spec.classes[answer.label], "scores": scores}
    if answer.boxes is not None:
        kept = answer.confident(spec.postprocess.score_threshold if threshold is None else threshold)
        return {"boxes": _boxes(kept, spec)}
    if answer.mask is not None:
        total = answer.mask.size
        shares = {name: round(float((answer.mask == i).sum()) / total, 5) for i, name in enumerate(spec.classes)}
        return {"height": answer.mask.shape[0], "width": answer.mask.shape[1], "shares": shares}
    return {"keypoints": _keypoints(answer, spec)}


def _boxes(answer: Answer, spec: PackageSpec) -> list[dict[str, Any]]:
    assert answer.boxes is not None and answer.box_scores is not None and answer.labels is not None
    return [
        {
            "label": spec.classes[int(label)],
            "score": round(float(score), 4),
            "box": [round(float(v), 2) for v in (x1, y1, x2 - x1, y2 - y1)],
        }
        for (x1, y1, x2, y2), score, label in zip(answer.boxes, answer.box_scores, answer.labels, strict=True)
    ]


def _keypoints(answer: Answer, spec: PackageSpec) -> list[dict[str, Any]]:
    assert answer.keypoints is not None and answer.keypoint_scores is not None
    return [
        {"name": name, "x": round(float(x), 2), "y": round(float(y), 2), "score": round(float(score), 4)}
        for name, (x, y), score in zip(spec.keypoint_names, answer.keypoints, answer.keypoint_scores, strict=True)
    ]
