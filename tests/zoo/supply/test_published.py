"""Which checkpoint is published for a model, and what its name says of its hash."""

from __future__ import annotations

from typing import Any

import pytest

from zoo.errors import ZooError
from zoo.models import find, profiled, shortlisted
from zoo.supply import published
from zoo.supply.published import checkpoint, checkpoints, hash_in
from zoo.tasks import TASKS


@pytest.mark.parametrize(
    ("file", "begins"),
    [
        ("resnet18_8xb32_in1k_20210831-fbbb1da6.pth", "fbbb1da6"),
        ("cpm_mpii_368x368-116e62b8_20200822.pth", "116e62b8"),
        ("cid_hrnet-w32_8xb20-140e_coco-512x512_42b7e6e6-20230207.pth", "42b7e6e6"),
        ("rtmw-dw-l-m_simcc-cocktail14_270e-256x192-20231122.pth", None),
        ("ddq_detr_swinl_30e.pth", None),
        ("something_20210831.pth", None),
        ("something_fbbb1da6.pth", None),
        ("something-fbbb1da.pth", None),
        ("something-FBBB1DA6.pth", None),
        ("something-fbbb1da6.pth.part", None),
    ],
)
def test_hash_in_a_name_is_found_and_a_date_is_none(file: str, begins: str | None) -> None:
    assert hash_in(file) == begins


@pytest.mark.parametrize("task", TASKS)
def test_every_model_on_the_short_list_has_a_checkpoint_whose_name_holds_its_hash(task: str) -> None:
    found, without = checkpoints(shortlisted(task))
    assert without == {}
    assert [one.file for one in found if one.hash_begins is None] == []
    assert all(one.address.startswith("https://") for one in found)


def test_models_of_one_file_share_it_and_each_file_comes_once() -> None:
    cards = [card for task in TASKS for card in profiled(task)]
    found, _ = checkpoints([*cards, *cards])
    assert len({one.address for one in found}) == len(found) == len({one.file for one in found})
    assert all(card.name in name for card in cards for one in found for name in one.names if card.name == name)


def entries(**weights: Any) -> Any:
    return lambda _: {name: {"Name": name, "Weights": address} for name, address in weights.items()}


def test_a_model_without_a_checkpoint_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    (card,) = find(["resnet18"])
    for address in (None, "", ["https://a/x.pth", "https://a/y.pth"]):
        monkeypatch.setattr(published, "metafile_entries", entries(**{card.name: address}))
        with pytest.raises(ZooError) as caught:
            checkpoint(card)
        assert str(caught.value) == f"mmpretrain publishes no checkpoint of {card.name}."


@pytest.mark.parametrize("end", ["", "x.zip", ".x.pth", "..%2Fx.pth", "a%2Fb.pth", "index.json", "x" * 200 + ".pth"])
def test_an_address_that_ends_in_no_name_of_a_checkpoint_is_refused(monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    (card,) = find(["resnet18"])
    monkeypatch.setattr(published, "metafile_entries", entries(**{card.name: f"https://example.org/{end}"}))
    with pytest.raises(ZooError, match="does not end in the name of one"):
        checkpoint(card)


def test_all_models_that_publish_a_file_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    (card,) = find(["resnet18"])
    address = " https://example.org/x-01234567.pth "
    monkeypatch.setattr(published, "metafile_entries", entries(**{card.name: address, "b": address.strip(), "c": "no"}))
    assert checkpoint(card).names == (card.name, "b")
