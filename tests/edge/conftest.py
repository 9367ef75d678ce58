"""A tiny package that really runs: shared by the tests of the commands and of verification."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

CLASSES = ("dunkel", "hell ☀")
WEIGHTS = np.array([[-1.0, 1.0]] * 3, np.float32) / 100


@pytest.fixture(autouse=True, scope="session")
def own_profiles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests measure stays out of the database of whoever runs them, and what was fetched there out of tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGE_PROFILES", str(tmp_path_factory.mktemp("profiles") / "profiles.db"))
        patch.setenv("EDGE_WEIGHTS_HOME", str(tmp_path_factory.mktemp("weights")))
        yield


def picture(value: int, seed: int = 0) -> Any:
    """A square of about one brightness."""
    grain = np.random.default_rng(seed).integers(-10, 11, (24, 24, 3))
    return (value + grain).clip(0, 255).astype(np.uint8)


def scores(image: Any) -> list[float]:
    """What the model below says of an image, in numpy."""
    resized = cv2.resize(image, (16, 16), interpolation=cv2.INTER_LINEAR).astype(np.float32) - np.float32(127)
    logits = resized.mean(axis=(0, 1)) @ WEIGHTS
    shifted = np.exp(logits - logits.max())
    found: list[float] = (shifted / shifted.sum()).tolist()
    return found


def brightness_model(path: Path) -> None:
    """Dark or bright: the mean of the pixels, a matrix, softmax."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["input"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
            helper.make_node("Gemm", ["flat", "weights"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["output"], axis=1),
        ],
        "brightness",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 16, 16])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 2])],
        [numpy_helper.from_array(WEIGHTS, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    onnx.checker.check_model(model)


def build_package(folder: Path) -> Path:
    """Everything that `edge produce` puts into a package and that verification reads."""
    from edge.predictor.images import write
    from edge.predictor.spec import PackageSpec, Postprocess, Preprocess
    from edge.records import Limits, Request
    from edge.workdir import to_json

    package, data = folder / "package", folder / "data"
    package.mkdir(parents=True)
    brightness_model(package / "model.onnx")
    spec = PackageSpec(
        task="classification",
        engine="onnxruntime",
        model_file="model.onnx",
        classes=CLASSES,
        preprocess=Preprocess(
            resize="stretch", width=16, height=16, mean=(127, 127, 127), std=(1, 1, 1), channels="rgb"
        ),
        postprocess=Postprocess(kind="scores"),
    )
    (package / "model.json").write_text(spec.model_dump_json(indent=1), encoding="utf-8")
    expected = []
    for number, value in enumerate((40, 200)):
        name = f"samples/{number:02d}.png"
        write(package / name, picture(value, number))
        expected.append({"image": name, "box": None, "scores": scores(picture(value, number))})
    (package / "expected.json").write_text(json.dumps(expected))
    samples = []
    for number in range(8):
        name, label = f"{number}.png", number % 2
        write(data / name, picture(200 if label else 40, number))
        split = "test" if number < 4 else "train"
        samples.append({"image": name, "width": 24, "height": 24, "split": split, "label": label})
    truth = {
        "format": "imagefolder", "tasks": ["classification"], "root": str(data), "classes": CLASSES,
        "keypoint_names": [], "skeleton": [], "ignore_index": None, "remap": [], "notes": [], "leaks": [],
        "samples": samples,
    }  # fmt: skip
    (package / "truth.json").write_text(json.dumps(truth))
    request = Request(
        text="Tell dark from bright, at least 1 fps",
        task="classification",
        objects=CLASSES,
        engine="onnxruntime",
        device="cpu",
        specific_model=None,
        limits=Limits(min_fps=1.0, max_parameters=100.0),
        targets=(),
        unchecked=(),
        disagreements=(),
        confidence=1.0,
        config={},
        spans={},
    )
    promise = {"request": json.loads(to_json(request)), "parameters": 6, "flops": 6}
    (package / "request.json").write_text(json.dumps(promise))
    seal(package)
    return package


def seal(package: Path) -> None:
    """Write the manifest over what is there."""
    from edge.workdir import sha256_file

    (package / "manifest.json").unlink(missing_ok=True)
    files = {p.relative_to(package).as_posix(): sha256_file(p) for p in sorted(package.rglob("*")) if p.is_file()}
    (package / "manifest.json").write_text(json.dumps({"format": 1, "overall": "perfect", "files": files}))


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built once; never to be written to."""
    return build_package(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def package(original: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    shutil.copytree(original, tmp_path / "package")
    return tmp_path / "package"


@pytest.fixture
def reseal() -> Callable[[Path], None]:
    """For packages that lie in everything but their hashes."""
    return seal
