"""timm's models among those of the metafiles: every line of the list, without loading timm."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from zoo.errors import ZooError
from zoo.models import ModelCard, config_path, description, find, metafile_entries, profiled, shortlisted
from zoo.models.catalogue import catalogue, faults
from zoo.models.timm_entries import FILE, entries
from zoo.supply.published import checkpoint

ROWS: list[dict[str, Any]] = yaml.safe_load(
    (Path(sys.modules["zoo.models"].__file__ or "").with_name(FILE)).read_text()
)["models"]


def cards() -> list[ModelCard]:
    return [card for card in profiled("classification") if card.config == FILE]


def test_all_of_them_can_be_measured_and_none_is_chosen_unasked() -> None:
    assert {card.name for card in cards()} == {row["name"] for row in ROWS}
    assert 20 <= len(ROWS) <= 65
    assert not any(card.config == FILE for card in shortlisted("classification"))


def test_no_model_of_a_toolbox_has_the_same_name() -> None:
    for row in ROWS:
        assert metafile_entries("mmpretrain")[row["name"]]["Config"] == FILE


def test_a_card_quotes_the_figure_at_the_size_it_is_measured_at() -> None:
    by_name = {row["name"]: row for row in ROWS}
    for card in cards():
        row = by_name[card.name]
        assert (card.width, card.height) == (row["size"], row["size"]), card.name
        assert (card.quoted_quality, card.quality_source) == (row["top1"], "ImageNet-1k Top 1 Accuracy")
        assert card.licence == "Apache-2.0"


def test_a_card_finds_its_description_and_the_file_with_it() -> None:
    (card,) = find(["GhostNetV2_100"])
    assert card.title == "ghostnetv2_100 224x224"
    assert config_path(card).name == FILE
    told = description(card)
    assert told is not None
    assert told["backbone"] == {"type": "TimmTrunk", "architecture": "ghostnetv2_100"}
    assert description(find(["resnet18"])[0]) is None


def test_the_catalogue_has_them_with_published_sizes_and_no_fault() -> None:
    ours = [entry for entry in catalogue() if entry.config == FILE]
    wrong = faults(catalogue())
    assert len(ours) == len(ROWS)
    assert {entry.tasks for entry in ours} == {("classification",)}
    assert all(entry.parameters and 1e6 < entry.parameters < 2e7 for entry in ours)
    assert not {entry.name for entry in ours} & set(wrong)


def test_they_are_trained_from_scratch() -> None:
    with pytest.raises(ZooError, match=r"publishes no checkpoint of tinynet_e\.") as caught:
        checkpoint(find(["tinynet_e"])[0])
    assert caught.value.__notes__ == ["It is trained from scratch; name another model."]


def test_every_line_says_which_weights_its_figure_is_of() -> None:
    assert all(re.fullmatch(r"(tf_efficientnet_lite\d\.)?[a-z0-9_]*in1k", row["weights"]) for row in ROWS)


def test_an_entry_has_the_form_of_a_metafile() -> None:
    row = {"name": "a", "family": "A", "features": 8, "parameters": 1.5, "weights": "in1k", "size": 64, "top1": 50.0}
    (entry,) = entries({"models": [row]})
    assert entry["In Collection"] == "A"
    assert entry["Metadata"] == {"Parameters": 1_500_000}
    assert entry["Model"]["head"]["in_channels"] == 8


def test_listing_them_loads_neither_timm_nor_torch() -> None:
    code = (
        "import sys; from zoo.models.catalogue import catalogue; catalogue();"
        " print([name for name in ('timm', 'torch', 'mmengine') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
