"""A model card, for some data or for none -> everything about the network besides weights and engine."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge.predictor.spec import PackageSpec, Postprocess, Preprocess
from edge.trainers import trainer
from edge.trainers.recipe import Network
from edge.trainers.reference import Counted, count
from zoo.datasets.record import Dataset
from zoo.models import ModelCard


@dataclass(frozen=True)
class Blueprint:
    """`spec` describes the package to be; its engine, precision and file are filled in when there is one."""

    card: ModelCard
    network: Network
    spec: PackageSpec

    @property
    def slug(self) -> str:
        """The card as a folder's name; titles are not unique."""
        return re.sub(r"[^a-z0-9]+", "-", f"{self.card.name}-{self.card.width}x{self.card.height}".lower())

    def counted(self) -> Counted:
        """Parameters, operations and the kinds of work, counted on the network itself."""
        return count(self.card.toolbox, self.network.model, self.card.width, self.card.height)


def blueprint(card: ModelCard, dataset: Dataset | None, threads: int) -> Blueprint:
    """The card's network for the classes or keypoints of the data; without data it keeps those of its own config."""
    toolbox = trainer(card.task)
    network = toolbox.network(card, dataset)
    names = tuple(f"{'keypoint' if card.task == 'keypoint' else 'class'} {i}" for i in range(network.categories))
    spec = PackageSpec(
        task=card.task,  # type: ignore[arg-type]  # pydantic checks the word
        engine="",
        model_file="",
        classes=dataset.classes if dataset else names if card.task != "keypoint" else ("object",),
        keypoint_names=dataset.keypoint_names if dataset else names if card.task == "keypoint" else (),
        skeleton=dataset.skeleton if dataset else (),
        preprocess=Preprocess(**toolbox.preprocess(network.model, card)),
        postprocess=Postprocess(**toolbox.postprocess(network.model)),
        threads=threads,
    )
    return Blueprint(card, network, spec)
