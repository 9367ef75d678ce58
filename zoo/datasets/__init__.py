"""Data sets on disk, one file per format; `read_dataset` finds out which. Knows no training and no request."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType

from zoo.datasets import coco, cvat, imagefolder, labelme, labelstudio, masks, voc, yolo
from zoo.datasets.record import Box, Dataset, Sample, from_json, to_json
from zoo.errors import FormatError, listed
from zoo.tasks import task as task_called

__all__ = ["READERS", "Box", "Dataset", "Sample", "from_json", "read_dataset", "to_json"]

READERS: dict[str, ModuleType] = {
    reader.NAME: reader for reader in (imagefolder, coco, voc, yolo, cvat, labelme, labelstudio, masks)
}
"""Format -> its reader: NAME, TASKS, LOOKED_FOR, looks_like(root), read(root, task). Where several fit, the first."""


def read_dataset(root: Path, task: str | None = None) -> Dataset:
    """The data set in `root`, in whichever format it is; `task` decides where several formats fit.

    Raises FormatError when no format, or more than one, fits, AnnotationError when the content contradicts itself.
    """
    if task is not None:
        task_called(task)
    if not root.is_dir():
        raise FormatError.because(f"There is no folder {root}.", "Give the folder that holds the data set.")
    fitting = [reader for reader in READERS.values() if reader.looks_like(root)]
    serving = [reader for reader in fitting if task is None or task in reader.TASKS]
    if not fitting:
        looked_for = (f"{name}: {reader.LOOKED_FOR}" for name, reader in READERS.items())
        raise FormatError.because(
            f"{root} is in no known data set format.", *(f"Looked for {line}." for line in looked_for)
        )
    if not serving:
        raise FormatError.because(
            f"{root} is in the format {_names(fitting)}, which serves"
            f" {listed(name for reader in fitting for name in reader.TASKS)}, not {task}.",
            *(f"For {task}: {reader.LOOKED_FOR}." for reader in READERS.values() if task in reader.TASKS),
        )
    if task is None and len({reader.TASKS for reader in serving}) > 1:
        raise FormatError.because(
            f"{root} could be read as {_names(serving)}.", "Name the task, or keep one layout in the folder."
        )
    dataset: Dataset = serving[0].read(root, task)
    if len(serving) > 1:
        others = _names(serving[1:])
        dataset = replace(dataset, notes=(*dataset.notes, f"read as {dataset.format}; it could be {others} as well"))
    if task is not None and task not in dataset.tasks:
        raise FormatError.because(
            f"{root} ({dataset.format}) holds annotations for {listed(dataset.tasks)}, none for {task}.", *dataset.notes
        )
    return dataset


def _names(readers: list[ModuleType]) -> str:
    return " or ".join(reader.NAME for reader in readers)
