"""The libraries that decide what a job gives and how fast it is, with their versions. Imports none of them."""

from __future__ import annotations

import importlib.metadata
import sys

from edge import __version__

LIBRARIES = (
    *("torch", "onedl-mmengine", "onedl-mmcv", "mmdeploy", "optuna", "llama-cpp-python"),
    *("onnx", "onnxruntime", "openvino", "nncf", "ncnn", "pnnx"),
)


def versions() -> dict[str, str]:
    """Of edge, Python and the libraries, as installed."""
    found = {"edge": __version__, "python": sys.version.split()[0]}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
