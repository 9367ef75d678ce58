"""One file per OpenMMLab toolbox turns (card, data, hyperparameters) into a Recipe; launch.py trains any recipe.

Knows nothing about budgets, search or packages.
"""

from __future__ import annotations

from importlib import import_module

from edge.trainers.recipe import Trainer
from zoo.tasks import TASKS


def trainer(task: str) -> Trainer:
    """The trainer of a task; light, the toolbox itself loads when a recipe is launched."""
    found: Trainer = import_module(f"edge.trainers.{TASKS[task].toolbox}").TRAINER
    return found
