"""How fast a model trains on this machine: a few real updates, on one thread and on all, the faster counts.

Where other work runs, one thread can beat two (docs/LOG.md), so both ends are tried.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from edge.trainers import trainer
from edge.trainers.launch import Schedule, train
from zoo.datasets.record import Dataset
from zoo.models import ModelCard

PROBE_ITERATIONS = 4  # the first one warms up and does not count

# From random weights a network needs some hundred updates before it tells anything apart, whatever the epochs:
# 75 updates of RTMDet-s gave AP50 0.03, 230 of RTMPose-s less than the mean pose; 400 of RTMPose-t were above it
# (docs/LOG.md).
LEAST_UPDATES = 400


def validation_s(update_s: float, batch: int, images: int) -> float:
    """About how long one validation takes, in seconds.

    A forward pass is a third of an update (the backward pass costs two), reading and scoring about as much again.
    """
    return images * update_s / batch / 3 * 2


@dataclass(frozen=True)
class Pace:
    seconds_per_iteration: float
    threads: int


def pace(
    card: ModelCard, dataset: Dataset, folder: Path, *, seed: int, threads: int, useful_s: float = float("inf")
) -> Pace:
    """Train a few iterations with the default hyperparameters.

    Args:
        threads: the most to try.
        useful_s: slower than this is of no use; if one thread is so slow that even a perfect speed-up by `threads`
            would not get there, the rest is not tried.
    """
    import torch

    toolbox = trainer(card.task)
    hyper = toolbox.default(len(dataset.part("train")))
    schedule = Schedule(PROBE_ITERATIONS, PROBE_ITERATIONS, 600.0, seed, keep_checkpoints=False, validate=False)
    found = []
    for count in sorted({1, threads}):
        torch.set_num_threads(count)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        recipe = toolbox.recipe(card, dataset, folder, hyper)
        found.append((train(recipe, hyper, schedule, folder).seconds_per_iteration, count))
        if min(found)[0] / threads > useful_s:
            break
    return Pace(*min(found))
