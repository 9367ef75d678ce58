"""The plots are well-formed, repeatable, and say something even about nothing."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
import story as made

from edge.records import CurvePoint
from edge.report.plots import forms_hidden, learning_curve_svg, speed_svg, speed_words

CURVES = {
    "empty": (),
    "one point": (CurvePoint(10, 0.5, 0.4),),
    "loss only": (CurvePoint(1, 2.0), CurvePoint(2, 1.0)),
    "validation only": (CurvePoint(0, None, 0.1), CurvePoint(5, None, 1.0)),
    "no numbers": (CurvePoint(1, float("nan"), float("inf")),),
    "flat": (CurvePoint(1, 1.0, 0.0), CurvePoint(2, 1.0, 0.0)),
}


def texts(svg: str) -> list[str]:
    return ["".join(node.itertext()) for node in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("name", CURVES)
def test_any_curve_gives_an_svg(name: str) -> None:
    assert texts(learning_curve_svg(CURVES[name], "top-1 accuracy"))


def test_an_empty_curve_says_so() -> None:
    assert texts(learning_curve_svg((), "top-1 accuracy")) == ["No learning curve was recorded."]


def test_the_best_value_is_labelled() -> None:
    curve = (CurvePoint(10, 1.0, 0.5), CurvePoint(20, 0.5, 0.9), CurvePoint(30, 0.4, 0.8))
    assert "best 90.0 %" in texts(learning_curve_svg(curve, "top-1 accuracy"))


def test_names_are_text_and_never_formulas() -> None:
    svg = learning_curve_svg((CurvePoint(1, 1.0, 0.5),), "price in $a$ <b> 汉字")
    assert "Validation: price in $a$ <b> 汉字" in texts(svg)


def test_every_candidate_has_a_bar_and_the_asked_speed_a_line() -> None:
    told = texts(speed_svg(made.measurements(), 50.0, made.measured()))
    assert {"resnet18 64x64", "mobilenet-v2 64x64", "shufflenet-v2-1x 96x96", "24.2 fps", "not measured"} <= set(told)
    assert "asked: 50 fps" in told
    assert [text for text in told if "chosen" in text] == ["144 fps, chosen"]


def test_those_over_a_limit_have_no_bar() -> None:
    measurements = made.measurements(
        made.measured(), made.measured(side=224, p90_ms=None, verdict="OVER LIMIT", engine="")
    )
    assert "resnet18 224x224" not in texts(speed_svg(measurements, None, None))


def test_candidates_of_one_title_are_told_apart() -> None:
    names = ("resnet18_8xb32_in1k", "resnet18_8xb16_in1k")
    told = texts(speed_svg(made.measurements(*(made.measured(name) for name in names)), None, None))
    assert {f"{name} 64x64" for name in names} <= set(told)


def test_the_packed_form_is_marked_beside_the_chosen_one() -> None:
    story = made.compared()
    packed = next(c for c in story.measurements.candidates if (c.engine, c.precision) == ("onnxruntime", "int8"))
    told = texts(speed_svg(story.measurements, 50.0, story.choice.chosen, packed))
    assert [text for text in told if "chosen" in text or "packed" in text] == ["196 fps, packed", "161 fps, chosen"]


def test_with_very_many_forms_each_network_shows_its_fastest_and_the_chosen_one() -> None:
    many = [item for number in range(8) for item in made.forms(f"net{number}", slower=1 + number / 8)]
    chosen = next(c for c in many if c.card.name == "net3" and c.engine == "torchscript")
    words = speed_words(made.measurements(*many), 50.0, chosen)
    assert [words.count(form) for form in ("OpenVINO bf16", "OpenVINO fp32", "ncnn", "TorchScript")] == [8, 8, 0, 1]
    assert "TorchScript fp32 49.8 fps, chosen" in words
    assert "23 other forms in the table alone" in words
    assert forms_hidden(made.measurements(*many), chosen) == 23


def test_no_candidates_say_so() -> None:
    measurements = made.measurements(made.measured(p90_ms=None, verdict="OVER LIMIT", engine=""))
    assert texts(speed_svg(measurements, 30.0, None)) == ["No candidate was measured."]


def test_the_same_records_give_the_same_bytes() -> None:
    story = made.story()
    assert learning_curve_svg(story.trained.curve, "x") == learning_curve_svg(story.trained.curve, "x")
    assert speed_svg(story.measurements, 50.0, None) == speed_svg(story.measurements, 50.0, None)
