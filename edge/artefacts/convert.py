"""Blueprint and checkpoint -> a folder per engine and precision that opens as a predictor. Times nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy_targets.base import INT8, Array, Source
from deploy_targets.mmdeploy import export_onnx, export_torchscript
from deploy_targets.registry import backend
from edge.artefacts.blueprint import Blueprint
from edge.artefacts.variant import Variant
from edge.predictor.spec import SPEC_FILE
from edge.workdir import write_atomic

CALIBRATION = 64
"""Pictures that int8 takes its ranges from: some hundred are usual for ImageNet's variety, small data has less."""

_EXPORTERS = {"onnx": export_onnx, "torchscript": export_torchscript}


class Exports:
    """The files that engines convert from, each exported by MMDeploy once, when it is first asked for."""

    def __init__(self, plan: Blueprint, checkpoint: Path, folder: Path) -> None:
        self._plan, self._checkpoint, self._folder = plan, checkpoint, folder
        self._made: dict[Source, Path] = {}

    def path(self, source: Source) -> Path:
        """Raises ConversionFailed."""
        if source not in self._made:
            card, network = self._plan.card, self._plan.network
            self._made[source] = _EXPORTERS[source](
                network.export_config(),
                self._checkpoint,
                card.task,
                card.toolbox,
                (card.width, card.height),
                network.outputs,
                self._folder / source,
            )
        return self._made[source]


def convert(
    plan: Blueprint, exports: Exports, variant: Variant, folder: Path, calibration: Callable[[], Sequence[Array]]
) -> None:
    """Fill `folder` with the model's files and its description, which is written last.

    Args:
        calibration: gives the inputs that int8 takes its ranges from; asked for int8 only.

    Raises:
        ConversionFailed, EngineMissing: from the engine's own converter.
    """
    if (folder / SPEC_FILE).is_file():
        return
    engine, scratch = backend(variant.engine), folder / "conversion"
    scratch.mkdir(parents=True, exist_ok=True)
    shown = calibration() if variant.precision == INT8 else ()
    main = engine.convert(exports.path(engine.source), scratch, precision=variant.precision, calibration=shown)
    for file in engine.files(main):
        shutil.copyfile(file, folder / file.name)
    shutil.rmtree(scratch)
    named = {"engine": variant.engine, "precision": variant.precision, "model_file": main.name}
    write_atomic(folder / SPEC_FILE, plan.spec.model_copy(update=named).model_dump_json(indent=1).encode())
