"""The model card says what the model is for and where it ends."""

from __future__ import annotations

from dataclasses import replace

import story as made

from edge.records import Origin
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


def test_it_says_where_the_weights_came_from_or_what_would_bring_some() -> None:
    fetched = made.started(Origin("r18.pth", "fetched from example.org", matching=120, tensors=122))
    assert "Trained from r18.pth (120 of 122 tensors), fetched from example.org, for" in model_card(fetched)
    scratch = model_card(made.started(Origin(source="`edge fetch r18` would bring weights")))
    assert "Trained from scratch (random weights; " in scratch
    assert "edge fetch r18" in scratch


def test_the_forms_of_the_chosen_network_are_compared() -> None:
    card = model_card(made.compared())
    forms = card[card.index("## Engines and precisions") : card.index("## Lower precision")]
    assert "| OpenVINO | fp32 | 5.77 ms | 6.20 ms |  | fast enough | chosen |" in forms
    assert "| OpenVINO | bf16 | 3.07 ms | 3.30 ms | 1.87× | fast enough | Not kept after training" in forms  # noqa: RUF001
    assert "2 of 5 networks measured, in 12 forms. Skipped:" in forms
    assert "- vgg11 64x64, resnet34 96x96: not needed: another holds that is expected to be better" in forms
    assert "- TensorRT: there is no NVIDIA card" in forms
    assert "mobilenet" not in forms


def test_a_lower_precision_tells_what_it_gave_and_cost() -> None:
    card = model_card(made.compared())
    assert "- Engine: ONNX Runtime int8, 2 threads." in card
    assert "| ONNX Runtime int8 | 95.33 % | 95.56 % | 1.34× | kept |" in card  # noqa: RUF001
    assert "## Lower precision" not in model_card(made.story())


def test_it_says_how_long_the_model_ran_and_that_the_timed_files_are_the_packed_ones() -> None:
    card = model_card(made.compared())
    assert "Run for 20 s at 30 fps: 2 of 600 images late (0.3 %), worst 41.0 ms, steady." in card
    assert f"The files that were timed are the files in the package: sha256 {'12' * 32}." in card


def test_words_from_outside_stay_words() -> None:
    evil = "<script>|a`b\n# x\udcff"
    base = made.compared(measurements=made.measurements(*made.forms(), refused=(evil,), not_measured=(evil,)))
    trial = replace(made.TRIALS[0], engine=evil, reason=evil)
    card = model_card(
        replace(
            base,
            gathered=replace(base.gathered, classes=(evil,)),
            request=made.request(text=evil),
            exported=replace(base.exported, trials=(trial,)),
            verified=made.verified(endured=made.endured(trend=evil)),
        )
    )
    assert "<script>" not in card.replace("\\<script\\>", "")
    assert "\n# x" not in card
    card.encode("utf-8")
