"""What trainings start from: stored weights of the chosen model, decided once, and really used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
import small_data

from edge.errors import DataError, StorageError
from edge.records import Choice, Limits, Measured, Origin, Request, Trained, Tuned
from edge.registry import Registry
from edge.settings import Given
from edge.steps import gather, train, tune
from edge.trainers import trainer
from edge.trainers.origin import settle
from edge.workdir import from_json, sha256_file, to_json
from zoo.datasets.record import Dataset
from zoo.datasets.record import from_json as dataset_from_json
from zoo.models import ModelCard, find
from zoo.supply.errors import DamagedError
from zoo.supply.published import checkpoint
from zoo.supply.store import Held, Store

pytestmark = pytest.mark.slow

MARK = 3.0  # no training of ten iterations gets a weight there, or away from there
FIRST = "backbone.conv1.conv.weight"


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return find(["shufflenet-v2-1x 64x64"])[0]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A hundred digits in ten classes."""
    root = tmp_path_factory.mktemp("digits")
    objects = small_data.WRITERS["classification"](root / "data")
    request = Request("digits", "classification", objects, None, "cpu", None, Limits(), (), (), (), 1.0, {}, {})
    gather.run(request, [Given("small", root / "data")], Registry(root / "none"), root, skip_bad=False, seed=0)
    return dataset_from_json(json.loads((root / gather.DATASET).read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def published(card: ModelCard, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as OpenMMLab publishes it: for other classes, and with the curves of its training beside it."""
    import numpy as np
    import torch
    from mmengine.logging import HistoryBuffer

    from edge.trainers.reference import build

    state = build(trainer(card.task).network(card, None).model).state_dict()
    state[FIRST].fill_(MARK)
    curves = {"train/loss": HistoryBuffer([0.5, 0.25], [1, 1]), "lr": np.float64(0.1), "seen": np.arange(3)}
    held = {"state_dict": state, "message_hub": {"log_scalars": curves}, "meta": {"epoch": 300, "CLASSES": ["a"]}}
    path = tmp_path_factory.mktemp("published") / checkpoint(card).file
    torch.save(held, path)
    return path


def stored(store: Store, card: ModelCard, file: Path) -> Path:
    """Puts a file into the store as if it had been fetched."""
    wanted = checkpoint(card)
    store.folder.mkdir(parents=True, exist_ok=True)
    place = store.path(wanted.file)
    place.write_bytes(file.read_bytes())
    facts = {"file": wanted.file, "sha256": sha256_file(place), "size_bytes": place.stat().st_size}
    rest = {"address": wanted.address, "toolbox": wanted.toolbox, "names": wanted.names, "licence": wanted.licence}
    store.record(Held.model_validate(facts | rest))
    return place


Settle = Callable[..., Origin]


@pytest.fixture
def settled(card: ModelCard, dataset: Dataset, tmp_path: Path) -> Settle:
    """Settles in a job's folder of that name."""

    def run(store: Store, given: Path | Literal["scratch"] | None = None, job: str = "job") -> Origin:
        folder = tmp_path / job / "work" / "tune"
        folder.mkdir(parents=True, exist_ok=True)
        return settle(given, store, card, trainer(card.task).network(card, dataset).model, folder)

    return run


def test_a_stored_checkpoint_is_taken_and_what_fits_of_it_kept_with_the_job(
    settled: Settle, card: ModelCard, published: Path, tmp_path: Path
) -> None:
    import torch

    store = Store(tmp_path / "store")
    stored(store, card, published)
    origin = settled(store)
    assert (origin.name, origin.sha256) == (published.name, sha256_file(published))
    assert origin.tensors - origin.matching == 2  # weight and bias of the last layer
    assert origin.source == f"fetched from {checkpoint(card).host}"
    assert origin.words == f"{published.name} ({origin.matching} of {origin.tensors} tensors)"
    kept = torch.load(tmp_path / "job" / origin.file, weights_only=True)["state_dict"]
    assert len(kept) == origin.matching
    assert kept[FIRST].eq(MARK).all()


def test_an_empty_store_means_scratch_and_names_the_command(settled: Settle, card: ModelCard, tmp_path: Path) -> None:
    origin = settled(Store(tmp_path / "store"))
    assert (origin.words, origin.file) == ("from scratch", "")
    assert origin.source == f"`edge fetch {card.name} --folder {tmp_path}/store` would bring weights to start from"


def test_scratch_means_scratch_whatever_is_stored(
    settled: Settle, card: ModelCard, published: Path, tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    stored(store, card, published)
    assert settled(store, "scratch") == Origin(source="as asked for")


def test_a_job_keeps_its_decision_when_the_store_changes(
    settled: Settle, card: ModelCard, published: Path, tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    before = settled(store)
    place = stored(store, card, published)
    assert settled(store) == before
    fetched = settled(store, job="other")
    place.unlink()
    assert settled(store, job="other") == fetched
    assert from_json(Origin, to_json(fetched)) == fetched


def test_a_damaged_checkpoint_stops_the_job_until_it_is_fetched_anew(
    settled: Settle, card: ModelCard, published: Path, tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    place = stored(store, card, published)
    data = bytearray(published.read_bytes())
    for spoilt in (data[:-1], data[:-1] + b"x"):
        place.write_bytes(spoilt)
        with pytest.raises(DamagedError) as caught:
            settled(store)
        assert caught.value.__notes__[0].startswith(f"`edge fetch {card.name}")
    place.write_bytes(data)
    assert settled(store).name == published.name


@pytest.mark.parametrize("content", ["another", "unreadable"])
def test_a_stored_checkpoint_that_is_of_no_use_is_left_and_that_is_said(
    settled: Settle, card: ModelCard, tmp_path: Path, content: str
) -> None:
    import torch

    torch.save({"state_dict": {"a": torch.zeros(2)}}, tmp_path / "x")
    if content == "unreadable":
        (tmp_path / "x").write_bytes(b"PK\x03\x04 and so on")
    store = Store(tmp_path / "store")
    place = stored(store, card, tmp_path / "x")
    origin = settled(store)
    assert origin.words == "from scratch"
    assert origin.source.startswith(f"what was fetched for it is of no use: {place} ")


def test_given_weights_of_another_model_are_an_error(settled: Settle, tmp_path: Path) -> None:
    import torch

    torch.save({"state_dict": {"a": torch.zeros(2)}}, tmp_path / "x")
    with pytest.raises(DataError, match="fits 0 of the"):
        settled(Store(tmp_path / "store"), tmp_path / "x")


def trained(
    card: ModelCard, dataset: Dataset, root: Path, store: Store, told: list[Origin], search_s: float
) -> tuple[Tuned, Trained, Any]:
    """Search and training, as short as they get."""
    import torch

    measured = Measured(card, 1, 1, 0, "", (), "UNCHECKED", "", True, "onnxruntime", update_s=0.05)
    choice = Choice(measured, (), (), ())
    for step in ("tune", "train"):
        (root / "work" / step).mkdir(parents=True)
    tuned = tune.run(
        choice,
        dataset,
        root / "work" / "tune",
        budget_s=search_s,
        seed=0,
        balance=False,
        weights=None,
        store=store,
        say=lambda _: None,
        begins=told.append,
    )
    done = train.run(choice, tuned, dataset, root / "work" / "train", budget_s=0.5, seed=0, say=lambda _: None)
    state = torch.load(root / done.checkpoint, weights_only=True)["state_dict"]
    return tuned, done, state[FIRST]


def test_search_and_training_start_from_what_was_fetched(
    card: ModelCard, dataset: Dataset, published: Path, tmp_path: Path
) -> None:
    store, told = Store(tmp_path / "store"), list[Origin]()
    place = stored(store, card, published)
    tuned, done, first = trained(card, dataset, tmp_path / "job", store, told, search_s=5.5)
    assert told == [tuned.origin]
    assert [trial.note for trial in tuned.trials] == ["", ""]
    assert done.start == tuned.origin.words
    assert done.start.startswith(f"{place.name} (")
    assert (first - MARK).abs().max() < 0.5

    plain = tmp_path / "job" / tuned.origin.file
    plain.unlink()
    with pytest.raises(StorageError, match="is gone"):
        train._start(tmp_path / "job", tuned)


def test_training_starts_from_scratch_without_it(card: ModelCard, dataset: Dataset, tmp_path: Path) -> None:
    told: list[Origin] = []
    tuned, done, first = trained(card, dataset, tmp_path / "job", Store(tmp_path / "store"), told, search_s=1.0)
    assert done.start == tuned.origin.words == told[0].words == "from scratch"
    assert first.abs().max() < MARK / 2
