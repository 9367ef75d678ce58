"""Learning from images in which some classes may be seen without a label: what merged data sets are full of.

For such a class an image says nothing. Detectors give each class a score of its own, so there that score is
taken out of the loss. Segmenters let the classes compete for each pixel, so there what is labelled background means
"background or a class that is not labelled here": the loss of the sum of their probabilities (Cermelli et al.,
"Modeling the Background for Incremental Learning in Semantic Segmentation", CVPR 2020, equation 5). Validation leaves
out what nobody can judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edge.errors import DataError
from zoo.datasets.record import Dataset

KEY = "unlabelled"
"""Under which an image's unlabelled classes, as numbers, go through the toolboxes' pipelines."""

NEVER = -20.0
"""A score whose sigmoid is 2e-9: no loss as a negative, and no gradient because it is a constant."""


def occurs(dataset: Dataset) -> bool:
    """Whether there are such images."""
    return any(source.unlabelled for source in dataset.sources)


def pack(keys: Sequence[str], *pipelines: Sequence[dict[str, Any]]) -> None:
    """Let the last transform of each pipeline hand the unlabelled classes on, beside what it hands on anyway."""
    for pipeline in pipelines:
        pipeline[-1]["meta_keys"] = (*keys, KEY)


def register_detection() -> None:
    """`PartlyLabelledCoco` and `PartlyLabelledCocoMetric` for mmdet; an image entry's "unlabelled" is what they add."""
    from mmdet.datasets import CocoDataset
    from mmdet.evaluation import CocoMetric
    from mmdet.registry import DATASETS, METRICS

    if "PartlyLabelledCoco" in DATASETS.module_dict:
        return

    class PartlyLabelledCoco(CocoDataset):  # type: ignore[misc]
        def parse_data_info(self, raw_data_info: dict[str, Any]) -> dict[str, Any]:
            parsed: dict[str, Any] = super().parse_data_info(raw_data_info)
            return {**parsed, KEY: tuple(raw_data_info["raw_img_info"][KEY])}

    class PartlyLabelledCocoMetric(CocoMetric):  # type: ignore[misc]
        def process(self, data_batch: dict[str, Any], data_samples: Sequence[dict[str, Any]]) -> None:
            for sample in data_samples:
                found = sample["pred_instances"]
                known = ~_among(found["labels"], sample[KEY])
                sample["pred_instances"] = {name: values[known] for name, values in found.items()}
            super().process(data_batch, data_samples)

    DATASETS.register_module(module=PartlyLabelledCoco)
    METRICS.register_module(module=PartlyLabelledCocoMetric)


def register_segmentation() -> None:
    """`PartlyLabelledIoU` for mmseg, with the number of the background class, None where there is none."""
    from mmseg.evaluation import IoUMetric
    from mmseg.registry import METRICS

    if "PartlyLabelledIoU" in METRICS.module_dict:
        return

    class PartlyLabelledIoU(IoUMetric):  # type: ignore[misc]
        def __init__(self, background: int | None, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self._background = background

        def process(self, data_batch: dict[str, Any], data_samples: Sequence[dict[str, Any]]) -> None:
            for sample in data_samples:
                truth = sample["gt_sem_seg"]["data"]
                unsaid = _among(sample["pred_sem_seg"]["data"], sample[KEY]) & (truth == self._background)
                sample["gt_sem_seg"]["data"] = truth.masked_fill(unsaid, self.ignore_index)
            super().process(data_batch, data_samples)

    METRICS.register_module(module=PartlyLabelledIoU)


def spare_detection(model: Any) -> None:
    """Make a one-stage detector's loss leave out the unlabelled classes of each image.

    Raises:
        DataError: its head lets the classes compete, which needs another loss.
    """
    head: Any = getattr(model, "bbox_head", None)
    if not getattr(head, "use_sigmoid_cls", False):
        raise DataError(
            f"{type(model).__name__} cannot be trained on data sets that label different classes",
            "Name another model, or use one data set that labels all of them.",
        )
    loss = head.loss_by_feat

    def spared(scores: Sequence[Any], *rest: Any) -> Any:
        metas = next(one for one in rest if isinstance(one, list) and isinstance(one[0], dict))
        return loss([without(level, [meta[KEY] for meta in metas], head.num_classes) for level in scores], *rest)

    head.loss_by_feat = spared


def without(scores: Any, unlabelled: Sequence[Sequence[int]], classes: int) -> Any:
    """Scores (N, anchors * classes, H, W) with a constant in place of each image's unlabelled classes."""
    import torch

    absent = torch.zeros(len(unlabelled), classes, dtype=torch.bool, device=scores.device)
    for number, names in enumerate(unlabelled):
        absent[number, list(names)] = True
    return scores.masked_fill(absent.repeat(1, scores.shape[1] // classes)[:, :, None, None], NEVER)


def spare_segmentation(model: Any, background: int | None) -> None:
    """Make a segmenter's losses take background for what it means in each image."""
    if background is None:
        return  # every pixel of every data set has a class: nothing is unsaid
    for head in (model.decode_head, *_auxiliary(model)):
        _spare_head(head, background)


def _spare_head(head: Any, background: int) -> None:
    from torch.nn import Module, ModuleList

    batch: list[Sequence[int]] = []

    class Spared(Module):  # type: ignore[misc]
        def __init__(self, loss: Any) -> None:
            super().__init__()
            self.loss = loss
            self.loss_name = loss.loss_name

        def forward(self, logits: Any, *rest: Any, **kwargs: Any) -> Any:
            # PIDNet's loss of borders is about one channel that is no class
            named = logits.shape[1] == head.num_classes
            return self.loss(marginal(logits, batch, background) if named else logits, *rest, **kwargs)

    several = isinstance(head.loss_decode, ModuleList)
    head.loss_decode = ModuleList(map(Spared, head.loss_decode)) if several else Spared(head.loss_decode)
    by_feat = head.loss_by_feat

    def noted(logits: Any, samples: Sequence[Any], *rest: Any) -> Any:
        batch[:] = [sample.metainfo[KEY] for sample in samples]
        return by_feat(logits, samples, *rest)

    head.loss_by_feat = noted


def marginal(logits: Any, unlabelled: Sequence[Sequence[int]], background: int) -> Any:
    """Logits (N, classes, H, W) in which the background has the probability of itself and the unlabelled classes."""
    import torch

    planes = []
    for image, names in zip(logits, unlabelled, strict=True):
        others = list(names)
        merged = image.clone()
        merged[background] = torch.logsumexp(image[[background, *others]], dim=0)
        merged[others] = torch.finfo(image.dtype).min
        planes.append(merged)
    return torch.stack(planes)


def _among(labels: Any, numbers: Sequence[int]) -> Any:
    import torch

    return torch.isin(labels, torch.tensor(list(numbers), dtype=labels.dtype, device=labels.device))


def _auxiliary(model: Any) -> list[Any]:
    heads = getattr(model, "auxiliary_head", None)
    if heads is None:
        return []
    from torch.nn import ModuleList

    return list(heads) if isinstance(heads, ModuleList) else [heads]
