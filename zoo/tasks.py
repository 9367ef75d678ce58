"""The tasks a model can be made for: toolbox, score and trivial baseline of each. Knows no data and no model."""

from dataclasses import dataclass

from zoo.errors import UnknownTask


@dataclass(frozen=True)
class Task:
    """One kind of question asked of an image.

    `toolbox` is the import name of the training library, `metric_name` the key under which scores are recorded,
    `metric_title` and `baseline_title` are the words shown to a reader.
    """

    name: str
    toolbox: str
    metric_name: str
    metric_title: str
    baseline_title: str
    higher_is_better: bool = True


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("classification", "mmpretrain", "accuracy", "top-1 accuracy", "always the majority class"),
        Task("detection", "mmdet", "AP50", "box AP at IoU 0.5", "empty prediction"),
        Task("segmentation", "mmseg", "mIoU", "mean IoU", "every pixel is the most frequent class"),
        Task(
            "keypoint",
            "mmpose",
            "PCK",
            "PCK at 0.1 of the longer box side",
            "mean pose of the training set in box coordinates",
        ),
    )
}

READ_ONLY = ("multilabel-classification",)
"""Tasks whose data sets are read and counted, though no model can be made for them yet."""


def task(name: str) -> Task:
    """The task called `name`; UnknownTask lists the names there are."""
    try:
        return TASKS[name]
    except KeyError:
        raise UnknownTask.because(f"There is no task {name!r}.", f"The tasks are {', '.join(TASKS)}.") from None
