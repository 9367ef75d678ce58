"""The model card says what the model is for and where it ends."""

from __future__ import annotations

from dataclasses import replace

import story as made

from edge.report.card import model_card


def test_limits_of_use_are_listed() -> None:
    card = model_card(made.story())
    limits = card[card.index("## Limits of use") : card.index("## What was not checked")]
    assert "- Missed: accuracy. Wanted at least 95 %, measured 93.3 %." in limits
    assert "- It knows the classes above and no other" in limits
    assert "- The speed holds for the machine named above." in limits


def test_what_was_not_checked_is_listed() -> None:
    card = model_card(made.story(request=made.request(unchecked=("works at night",))))
    assert "- Memory of the device: wanted 8 GB; not measured." in card
    assert "- Asked for, but nothing that can be checked: works at night." in card


def test_a_wish_that_stands_among_the_checks_is_told_once() -> None:
    card = model_card(made.story(request=made.request(unchecked=("memory of the device",))))
    assert card.count("emory of the device") == 3  # headline, table, list


def test_it_says_how_to_run_and_whose_code_it_is() -> None:
    card = model_card(made.story())
    assert "```sh\nedge run . IMAGE\n```" in card
    assert "Apache-2.0" in card
    assert "Trained from scratch (random weights) for 400 of 400 planned iterations" in card


def test_the_weights_file_is_named() -> None:
    base = made.story()
    card = model_card(replace(base, trained=replace(base.trained, start="resnet18.pth")))
    assert "Trained from resnet18.pth for" in card


def test_words_from_outside_stay_words() -> None:
    base = made.story()
    evil = "<script>|a`b\n# x\udcff"
    card = model_card(replace(base, gathered=replace(base.gathered, classes=(evil,)), request=made.request(text=evil)))
    assert "<script>" not in card.replace("\\<script\\>", "")
    assert "\n# x" not in card
    card.encode("utf-8")
