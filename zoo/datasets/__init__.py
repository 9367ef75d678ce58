"""Data sets on disk, one file per format; `read_dataset` finds out which. Knows no training and no request."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType

from zoo.datasets import (
    boxlines,
    coco,
    csvtable,
    cvat,
    flowers102,
    imagefolder,
    labelme,
    labelstudio,
    lists,
    masks,
    mpii,
    openimages,
    pairs,
    voc,
    widerface,
    yolo,
)
from zoo.datasets.common import files_below, is_image
from zoo.datasets.record import Box, Dataset, Sample, from_json, to_json
from zoo.datasets.wordnetids import readable
from zoo.errors import AnnotationError, FormatError, listed
from zoo.tasks import READ_ONLY
from zoo.tasks import task as task_called

__all__ = ["READERS", "Box", "Dataset", "Sample", "from_json", "read_dataset", "to_json"]

PUBLISHED: tuple[ModuleType, ...] = (pairs, lists, boxlines, openimages, widerface, mpii, flowers102)
"""The readers of layouts that public sets alone have."""

READERS: dict[str, ModuleType] = {
    reader.NAME: reader
    for reader in (imagefolder, coco, voc, yolo, cvat, labelme, labelstudio, masks, *PUBLISHED, csvtable)
}
"""Format -> its reader: NAME, TASKS, LOOKED_FOR, looks_like(root), read(root, task). Where several fit, the first."""


def read_dataset(root: Path, task: str | None = None) -> Dataset:
    """The data set in `root`, in whichever format it is; `task` decides where several formats fit.

    Raises FormatError when no format, or more than one, fits, AnnotationError when the content contradicts itself.
    """
    if task is not None and task not in READ_ONLY:
        task_called(task)
    if not root.is_dir():
        raise FormatError.because(f"There is no folder {root}.", "Give the folder that holds the data set.")
    fitting = _fitting(root)
    serving = [reader for reader in fitting if task is None or task in reader.TASKS]
    if not fitting:
        looked_for = (f"{name}: {one.LOOKED_FOR}" for name, one in READERS.items() if one not in PUBLISHED)
        raise FormatError.because(
            f"{root} is in no known data set format.",
            *(f"Looked for {line}." for line in looked_for),
            "Looked for layouts of public data sets: docs/PUBLIC_DATASETS.md.",
            f"It holds {_contents(root)}.",
        )
    if not serving:
        raise FormatError.because(
            f"{root} is in the format {_names(fitting)}, which serves"
            f" {listed(name for reader in fitting for name in reader.TASKS)}, not {task}.",
            *(f"For {task}: {reader.LOOKED_FOR}." for reader in READERS.values() if task in reader.TASKS),
        )
    # a table may lie beside anything: it does not make a layout doubtful, the note below tells of it
    if task is None and len({reader.TASKS for reader in serving if reader is not csvtable}) > 1:
        raise FormatError.because(
            f"{root} could be read as {_names(serving)}.", "Name the task, or keep one layout in the folder."
        )
    dataset: Dataset = readable(serving[0].read(root, task))
    if len(serving) > 1:
        others = _names(serving[1:])
        dataset = replace(dataset, notes=(*dataset.notes, f"read as {dataset.format}; it could be {others} as well"))
    if task is not None and task not in dataset.tasks:
        raise FormatError.because(
            f"{root} ({dataset.format}) holds annotations for {listed(dataset.tasks)}, none for {task}.", *dataset.notes
        )
    _refuse_unwritable(dataset)
    lost = [dataset.relative(path) for path in files_below(root) if not is_image(path) and not path.is_file()]
    if lost:
        note = f"{len(lost)} link(s) and folder(s) are no files and were ignored: {listed(sorted(lost))}"
        dataset = replace(dataset, notes=(*dataset.notes, note))
    return dataset


def _contents(root: Path) -> str:
    """What there is instead of a data set: how many images, and the other files with their sizes."""
    images, others = 0, list[Path]()
    for path in files_below(root):
        if is_image(path):
            images += 1
        else:
            others.append(path)
    sizes = (f"{path.relative_to(root).as_posix()} ({_size(path)})" for path in sorted(others))
    return f"{images} image(s) and {listed(sizes) or 'no other file'}"


def _size(path: Path) -> str:
    return f"{path.stat().st_size} bytes" if path.is_file() else "no file"


def _refuse_unwritable(dataset: Dataset) -> None:
    """AnnotationError for names of classes that no UTF-8 file can hold, or no line of one."""
    odd = [name for name in dataset.classes if not _is_writable(name)]
    if odd:
        raise AnnotationError.because(
            f"{len(odd)} class(es) of {dataset.root} have names that are no text: {listed(map(ascii, odd))}.",
            "Name them in one line of plain characters.",
        )


def _is_writable(name: str) -> bool:
    return not any(sign in "\n\r\0" or "\ud800" <= sign <= "\udfff" for sign in name)


def _fitting(root: Path) -> list[ModuleType]:
    """The readers whose layout the folder has.

    Folders that name no class (`train`, `images`) are none to imagefolder where something else describes their images.
    Where nothing fits, a table is read for what is wrong with it.
    """
    fitting = [reader for reader in READERS.values() if reader.looks_like(root)]
    bare = not imagefolder.tells_classes(root) or any(reader in PUBLISHED for reader in fitting)
    telling = [reader for reader in fitting if reader is not imagefolder or not bare]
    return telling or ([csvtable] if csvtable.has_tables(root) else fitting)


def _names(readers: list[ModuleType]) -> str:
    return " or ".join(reader.NAME for reader in readers)
