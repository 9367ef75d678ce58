"""ONNX Runtime on the CPU. The only file that imports onnxruntime."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy_targets.base import Array, Backend, Outputs, Session, Status
from deploy_targets.errors import EngineMissing, ModelUnreadable, PlacementRefused

PROVIDER = "CPUExecutionProvider"


class OnnxRuntime:
    name = "onnxruntime"

    def status(self) -> Status:
        if importlib.util.find_spec("onnxruntime") is None:
            return Status(False, "", (), "pip install onnxruntime")
        try:
            import onnxruntime
        except Exception as error:  # a broken installation may raise anything while it loads its libraries
            return Status(False, "", (), f"onnxruntime is installed but cannot be loaded ({error}); install it again")
        return Status(True, onnxruntime.__version__, tuple(onnxruntime.get_available_providers()))

    def convert(self, onnx: Path, folder: Path) -> Path:
        return onnx

    def open(self, model: Path, *, threads: int) -> Session:
        try:
            import onnxruntime
        except ImportError as error:
            missing = EngineMissing("ONNX Runtime is not installed")
            missing.add_note("pip install onnxruntime")
            raise missing from error
        onnxruntime.set_default_logger_severity(3)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        try:
            session = onnxruntime.InferenceSession(str(model), options, providers=[PROVIDER])
        except Exception as error:  # onnxruntime raises its own classes, without a common base
            unreadable = ModelUnreadable(f"{model} is not a model ONNX Runtime can open: {error}")
            unreadable.add_note("The file may be cut short or of another format; make the package again.")
            raise unreadable from error
        if session.get_providers() != [PROVIDER]:
            raise PlacementRefused(f"asked for {PROVIDER}, ONNX Runtime uses {session.get_providers()}")
        return _OpenedModel(session, threads, onnxruntime.__version__)


class _OpenedModel:
    def __init__(self, session: Any, threads: int, version: str) -> None:
        self._session = session
        self._threads = threads
        self._version = version
        self._input = session.get_inputs()[0].name
        self._outputs = [output.name for output in session.get_outputs()]

    def run(self, tensor: Array) -> Outputs:
        return dict(zip(self._outputs, self._session.run(None, {self._input: tensor}), strict=True))

    def bound(self, tensor: Array) -> Callable[[], Any]:
        binding = self._session.io_binding()
        binding.bind_cpu_input(self._input, tensor)
        for name in self._outputs:
            binding.bind_output(name)
        run = self._session.run_with_iobinding
        return lambda: run(binding)

    def placement(self) -> dict[str, Any]:
        return {
            "engine": "onnxruntime",
            "version": self._version,
            "device": self._session.get_providers()[0],
            "threads": self._threads,
        }


if TYPE_CHECKING:
    _fits: Backend = OnnxRuntime()
