"""What the terminal shows, to the letter."""

from __future__ import annotations

import io

import story as made
from rich.console import Console

from edge.records import Origin
from edge.report import terminal


def screen(width: int = 80) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, width=width, highlight=False, markup=False, emoji=False), file


def shown(file: io.StringIO) -> list[str]:
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_checks_to_the_letter() -> None:
    console, file = screen()
    terminal.checks(made.verified(), console)
    assert shown(file) == [
        "Checked",
        "check                 wanted           measured        result",
        "────────────────────────────────────────────────────────────────",
        "speed                 at least 50 fps  138 fps at p90  met",
        "parameters            at most 15 M     11.2 M          met",
        "accuracy              at least 95 %    93.3 %          missed",
        "memory of the device  8 GB             not measured    unchecked",
        "Result: WORKS",
    ]


def test_what_training_starts_from_is_one_sentence() -> None:
    console, file = screen(120)
    terminal.origin(Origin("r18.pth", "given with --weights", matching=120, tensors=122), console)
    terminal.origin(Origin(source="`edge fetch resnet18_8xb32_in1k` would bring weights to start from"), console)
    assert shown(file) == [
        "Training starts from r18.pth (120 of 122 tensors), given with --weights.",
        "Training starts from scratch: `edge fetch resnet18_8xb32_in1k` would bring weights to start from.",
    ]


def test_the_chosen_candidate_is_marked_without_colour() -> None:
    console, file = screen(100)
    terminal.candidates(made.measurements(), made.choice(), console)
    lines = shown(file)
    marked = [line for line in lines if line.startswith("* ")]
    assert len(marked) == 1 and marked[0].startswith("* ONNX Runtime fp32") and marked[0].endswith("chosen")
    assert lines[lines.index(marked[0]) - 1].startswith("resnet18 64x64")
    assert "  - resnet50 224x224: 25.6 M parameters, the request allows 15 M" in lines
    assert "\x1b" not in file.getvalue()


def test_without_a_choice_each_candidate_says_why() -> None:
    console, file = screen(120)
    terminal.candidates(made.measurements(), None, console)
    assert "37 of 400 queries" in file.getvalue()


def test_narrow_terminals_keep_what_decides() -> None:
    console, file = screen(44)
    terminal.candidates(made.measurements(), made.choice(), console)
    assert all(len(line) <= 44 for line in shown(file))
    assert "24.2 fps" in file.getvalue() and "too slow" in file.getvalue()


def test_forms_stand_below_their_network() -> None:
    console, file = screen(120)
    story = made.compared()
    terminal.candidates(story.measurements, story.choice, console, story.exported)
    lines = shown(file)
    own, other = (next(i for i, line in enumerate(lines) if line.startswith(name)) for name in ("resnet", "mobilenet"))
    assert [line[2:19].rstrip() for line in lines[own + 1 : other] if line[2:3].strip()] == [
        "OpenVINO bf16", "ONNX Runtime int8", "OpenVINO fp32", "ONNX Runtime fp32", "ncnn fp32", "TorchScript fp32",
    ]  # fmt: skip
    assert "2 of 5 networks measured, in 12 forms." in lines
    assert "  - TensorRT: there is no NVIDIA card" in lines


def test_lower_precisions_tell_both_figures_and_the_reason() -> None:
    console, file = screen(120)
    terminal.precisions(made.compared().exported, console)
    line = next(line for line in shown(file) if line.startswith("OpenVINO bf16"))
    told = "OpenVINO bf16 93.11 % 95.56 % 1.91× not kept loses 0.0245 of the metric, at most 0.01 allowed"  # noqa: RUF001
    assert " ".join(line.split()) == told


def test_no_lower_precision_no_table() -> None:
    console, file = screen()
    terminal.precisions(made.story().exported, console)
    assert file.getvalue() == ""


def test_endurance_follows_the_checks() -> None:
    console, file = screen(160)
    terminal.checks(made.verified(endured=made.endured()), console)
    assert shown(file)[-2] == (
        "Run for 20 s at 30 fps: 2 of 600 images late (0.3 %), worst 41.0 ms, steady. The median changed by +0.40 % a "
        "minute (95 % interval −0.20 % to +1.01 %)."  # noqa: RUF001
    )


def test_a_request_without_an_engine_says_how_one_is_found() -> None:
    console, file = screen(120)
    terminal.understood(made.request(engine=None, spans={}), console)
    assert any(line.startswith("engine") and "the fastest as measured is taken" in line for line in shown(file))


def test_disagreements_and_wishes_follow_the_reading() -> None:
    console, file = screen(100)
    terminal.understood(made.request(disagreements=(made.disagreement(),), unchecked=("works at night",)), console)
    lines = shown(file)
    assert "  - speed: 50 fps (language model), 50 ms (fixed rules)" in lines
    assert "  - works at night" in lines
    assert any("at least 50 fps" in line and "at least 50 images per second" in line for line in lines)


def test_words_from_outside_are_never_markup_nor_control() -> None:
    console, file = screen()
    terminal.lines("Left out [b]", ["[red]größe[/red]\x1b[2J\udcff.png"], console)
    assert shown(file) == ["Left out [b]", "  - [red]größe[/red]\\x1b[2J\\udcff.png"]


def test_a_step_is_one_line_of_the_width() -> None:
    console, file = screen(60)
    terminal.say_step("measure", "4 of 6 candidates", 74.0, console)
    terminal.say_step("train", "x" * 200, 7200.0, console)
    assert shown(file) == [
        "measure    4 of 6 candidates                     1 min 14 s",
        f"train      {'x' * 36}… 2 h 00 min",
    ]


def test_without_a_console_it_goes_to_stderr(capsys: object) -> None:
    terminal.say_step("train", "done", 1.0)
    out, err = capsys.readouterr()  # type: ignore[attr-defined]
    assert out == ""
    assert err.startswith("train      done")
