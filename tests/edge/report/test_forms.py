"""Networks and their forms: which one is chosen, what became of the others, what could not take part."""

from __future__ import annotations

from dataclasses import replace

import pytest
import story as made

from edge.records import Measured
from edge.report import forms, tables
from edge.report.forms import FormRow


def rows_of(candidates: list[Measured], **changes: object) -> dict[str, FormRow]:
    story = made.compared(measurements=made.measurements(*candidates), **changes)
    row = forms.chosen_row(story)
    assert row is not None
    return {form.name: form for form in row.forms}


def test_a_form_is_chosen_and_not_the_whole_network() -> None:
    rows = rows_of(made.forms())
    assert [name for name, row in rows.items() if row.chosen] == ["OpenVINO fp32"]
    assert [name for name, row in rows.items() if row.packed] == ["ONNX Runtime int8"]


def test_the_chosen_network_comes_first_and_its_fastest_form() -> None:
    story = made.compared()
    first, second = story.measurements.candidates[:6], story.measurements.candidates[6:]
    turned = replace(story.measurements, candidates=(*second, *first))
    networks = forms.network_rows(turned, story.choice, story.exported)
    assert [(row.name, row.chosen) for row in networks] == [("resnet18 64x64", True), ("mobilenet-v2 96x96", False)]
    assert networks[0].forms[0].name == "OpenVINO bf16"


def test_speed_up_is_over_fp32_on_the_same_engine() -> None:
    rows = rows_of(made.forms())
    assert rows["OpenVINO bf16"].speedup == "1.87×"  # noqa: RUF001
    assert rows["OpenVINO fp32"].speedup == ""


def test_without_fp32_on_the_same_engine_there_is_no_speed_up() -> None:
    rows = rows_of([form for form in made.forms() if (form.engine, form.precision) != ("onnxruntime", "fp32")])
    assert rows["ONNX Runtime int8"].speedup == "not measured"


def test_the_note_of_a_lower_precision_is_what_came_of_it() -> None:
    rows = rows_of(made.forms())
    assert rows["OpenVINO bf16"].remark == "Not kept after training: loses 0.0245 of the metric, at most 0.01 allowed."
    assert rows["ONNX Runtime int8"].remark.startswith("packed, kept after training: 1.34 times as fast")
    untried = rows_of(made.forms(), exported=made.story().exported)
    assert untried["OpenVINO bf16"].note == "Faster in a lower precision; not tried on the trained network."


def test_before_the_export_a_faster_lower_precision_is_still_to_be_proven() -> None:
    story = made.compared()
    row = forms.network_rows(story.measurements, story.choice)[0].forms[0]
    assert row.note == "Faster in a lower precision; to be proven on the trained network."


def test_other_forms_of_the_chosen_network_say_how_much_slower_they_are() -> None:
    assert rows_of(made.forms())["ncnn fp32"].note == "Takes 1.90 times as long."


def test_a_reason_that_holds_for_all_forms_is_told_once() -> None:
    story = made.compared()
    row = forms.network_rows(story.measurements, story.choice)[1]
    assert row.note == "Only 12 training updates fit into the time."
    assert {form.note for form in row.forms} == {""}


def test_a_network_that_was_only_counted_has_no_forms_and_says_why() -> None:
    counted = made.measured(
        "vgg11", p90_ms=None, verdict="OVER LIMIT", engine="", explanation="132.86 M parameters, at most 15 M wanted"
    )
    row = forms.network_rows(made.measurements(*made.forms(), counted), made.compared().choice)[1]
    assert (row.forms, row.verdict_words) == ((), "over a limit")
    assert row.note == "132.86 M parameters, at most 15 M wanted."


def test_networks_of_one_title_are_told_apart() -> None:
    candidates = [*made.forms("resnet18_8xb32_in1k"), *made.forms("resnet18_8xb16_in1k")]
    names = [row.name for row in forms.network_rows(made.measurements(*candidates), None)]
    assert names == ["resnet18_8xb32_in1k 64x64", "resnet18_8xb16_in1k 64x64"]


def test_coverage_counts_networks_and_forms_that_were_timed() -> None:
    failed = made.measured("vgg11", p90_ms=None, verdict="ERROR")
    assert (
        forms.coverage(made.measurements(*made.forms(), failed, networks=7)) == "1 of 7 networks measured, in 6 forms"
    )
    assert forms.coverage(made.measurements(*made.forms(), networks=0)) == "1 network measured, in 6 forms"


def test_what_cannot_run_is_one_line_per_engine() -> None:
    lines = forms.refused_lines(made.measurements(*made.forms(), refused=made.REFUSED))
    assert lines == [
        "ONNX Runtime fp16: its CPU provider casts float16 convolutions to float32, so nothing is gained; "
        "bf16: its CPU provider has no bfloat16 convolutions",
        "TensorRT: there is no NVIDIA card",
    ]


def test_precisions_refused_for_one_reason_stand_together() -> None:
    refused = ("openvino fp16: no such instructions", "openvino bf16: no such instructions")
    lines = forms.refused_lines(made.measurements(*made.forms(), refused=refused))
    assert lines == ["OpenVINO fp16, bf16: no such instructions"]


def test_doubts_name_forms_only_where_not_all_are_concerned() -> None:
    noisy = made.forms(warnings=("others used the CPU",))
    some = [replace(form, disturbed=form.engine == "openvino") for form in noisy]
    assert forms.doubts(made.measurements(*some)) == [
        "resnet18 64x64: others used the CPU",
        "resnet18 64x64 (OpenVINO fp32, OpenVINO bf16): some of what counts was timed beside other work",
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"fps": None, "missed": 0}, "Run for 20 s back to back: 600 images, worst 41.0 ms, steady."),
        ({"trend": "SLOWER"}, "Run for 20 s at 30 fps: 2 of 600 images late (0.3 %), worst 41.0 ms, getting slower."),
        ({"queries": 0}, "Run for 20 s at 30 fps: no image was answered."),
    ],
)
def test_endurance_in_words(changes: dict[str, object], expected: str) -> None:
    assert tables.endurance(made.endured(drift=None, drift_interval=None, **changes)) == expected


def test_parity_is_told_for_each_form_that_has_it() -> None:
    rows = forms.parity_rows(made.compared())
    assert len(rows) == 6
    assert rows[0] == ("OpenVINO bf16", "largest difference 3.1e-06, same class 1")


def test_timings_before_training_are_those_of_the_chosen_and_of_the_packed_form() -> None:
    whats = list(dict.fromkeys(row.what for row in tables.timing_rows(made.compared())))
    assert whats == [
        "OpenVINO fp32, before training", "ONNX Runtime int8, before training", "the packed file, ONNX Runtime int8",
    ]  # fmt: skip
