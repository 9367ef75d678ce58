"""The table of inference engines: name -> where its class is, and how to get its runtime. A backend is one row here."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from deploy_targets.base import Backend
from deploy_targets.errors import EngineUnknown


@dataclass(frozen=True)
class Row:
    location: str  # "module:class"
    install: str


BACKENDS: dict[str, Row] = {
    "onnxruntime": Row("deploy_targets.onnxruntime:OnnxRuntime", "pip install onnxruntime"),
    "openvino": Row("deploy_targets.openvino:OpenVino", "pip install openvino"),
    "ncnn": Row("deploy_targets.ncnn:Ncnn", "pip install ncnn"),
    "torchscript": Row("deploy_targets.torchscript:TorchScript", "pip install torch"),
    "tensorrt": Row("deploy_targets.tensorrt:TensorRt", "install TensorRT and pycuda for the card's driver"),
}

DEFAULT = "onnxruntime"


def backend(name: str) -> Backend:
    """The backend of that name; its runtime loads only when it is used.

    Raises:
        EngineUnknown: there is none; the notes list those there are.
    """
    row = BACKENDS.get(name)
    if row is None:
        error = EngineUnknown(f"there is no backend {name!r}")
        error.add_note(f"Ask for one of: {', '.join(BACKENDS)}.")
        raise error
    module, _, attribute = row.location.partition(":")
    made: Backend = getattr(import_module(module), attribute)()
    return made
