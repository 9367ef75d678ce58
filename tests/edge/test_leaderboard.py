"""Leaderboards, the table of support, published against measured speed, and the picture of the front."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from edge.errors import StorageError
from edge.profiling.row import Key, Row, Subject
from edge.report.leaderboard import board_title, boards, csv_text, show, support_table, write_csv
from edge.report.pareto import Chart, Point, charts, front, pareto_png, pareto_svg, write_charts
from edge.report.published import ANY_FORM, comparison_text, static_comparison
from profiler.record import Profile, Window

MACHINE = {"key": "feedfacefeedface", "cpu_model": "Cortex-A76", "logical_cores": 4}
MACHINES = {MACHINE["key"]: MACHINE}
WINDOW = Window("pipeline", 1, 0.01, 1.0, 0.0, 0, None, counted=True)


def row(title: str = "resnet18 64x64", milliseconds: float = 10.0, **changes: Any) -> Row:
    """A measured row; changes may name parts of its key, of its subject, of its profile, or of the row."""
    model = title.split()[0]
    key = Key("ab" * 32, "feedfacefeedface", "onnxruntime", "1.31.1", "fp32", 1, "unavailable")
    subject = Subject(title, "classification", model, "resnet", "mmpretrain", 64, 64, 11_200_000, 150_000_000,
                      quoted_quality=69.9, quality_source="ImageNet-1k Top 1 Accuracy")  # fmt: skip
    times = (milliseconds,) * 64
    profile = Profile(title, "pipeline", 1, None, {"pipeline": times, "runtime": times}, True)
    made = Row(key, subject, "measured", "2026-11-02T10:00:00.000+00:00", "run-1", profile=profile, parity_holds=True,
               model_bytes=44_000_000, versions={"edge": "0.1.0"})  # fmt: skip
    parts: dict[str, dict[str, Any]] = {"key": {}, "subject": {}, "profile": {}, "row": {}}
    for name, value in changes.items():
        owner = next((part for part in ("key", "subject", "profile") if hasattr(getattr(made, part), name)), "row")
        parts["row" if name in ("profile",) else owner][name] = value
    made = replace(made, key=replace(key, **parts["key"]), subject=replace(subject, **parts["subject"]),
                   profile=replace(profile, **parts["profile"]))  # fmt: skip
    return replace(made, **parts["row"])


def failed(title: str, reason: str, **changes: Any) -> Row:
    return replace(row(title, **changes), state="failed", reason=reason, profile=None, parity_holds=None)


def runtime_only(title: str, milliseconds: float, **changes: Any) -> Row:
    return row(title, samples_ms={"runtime": (milliseconds,) * 64}, scope="runtime", **changes)


def shown(rows: list[Row], width: int = 150) -> list[str]:
    file = io.StringIO()
    show(boards(rows), MACHINES, Console(file=file, width=width, highlight=False, markup=False, emoji=False))
    return [line.rstrip() for line in file.getvalue().splitlines()]


# -------------------------------------------------------------------------------------------------------- leaderboard


def test_each_model_stands_in_its_fastest_form() -> None:
    (board,) = boards(
        [
            row("a 64x64", 10.0),
            row("a 64x64", 6.0, engine="openvino", precision="int8"),
            row("b 64x64", 8.0),
            row("b 64x64", 9.0, engine="ncnn"),
        ]
    )
    assert [(e.rank, e.name, e.row.key.engine, e.row.p90_ms()) for e in board.entries] == [
        (1, "a 64x64", "openvino", 6.0),
        (2, "b 64x64", "onnxruntime", 8.0),
    ]


def test_a_newer_measurement_takes_the_place_of_the_older() -> None:
    (board,) = boards([row("a 1x1", 5.0), row("a 1x1", 7.0, measured_at="2026-12-01T00:00:00+00:00")])
    assert [entry.row.p90_ms() for entry in board.entries] == [7.0]


def test_tasks_machines_power_modes_and_scopes_do_not_mix() -> None:
    made = boards(
        [
            row("a 1x1"),
            row("b 1x1", task="detection"),
            row("a 1x1", hardware="00"),
            row("a 1x1", power_mode="15W"),
            runtime_only("c 1x1", 1.0),
            runtime_only("c 1x1", 2.0, engine="ncnn"),
            runtime_only("mine.onnx 1x1", 2.0, task=None, toolbox=""),
        ]
    )
    assert [(b.task, b.hardware[:2], b.power_mode, b.scope, len(b.entries)) for b in made] == [
        ("classification", "00", "unavailable", "pipeline", 1),
        ("classification", "fe", "15W", "pipeline", 1),
        ("classification", "fe", "unavailable", "pipeline", 1),
        ("classification", "fe", "unavailable", "runtime", 1),
        ("detection", "fe", "unavailable", "pipeline", 1),
        (None, "fe", "unavailable", "runtime", 1),
    ]


def test_the_whole_way_counts_before_the_network_alone() -> None:
    (board,) = boards([row("a 1x1", 10.0), runtime_only("a 1x1", 1.0, engine="ncnn")])
    assert (board.scope, board.entries[0].row.key.engine) == ("pipeline", "onnxruntime")


def test_other_answers_and_failures_have_no_rank() -> None:
    (board,) = boards(
        [
            row("a 1x1", 2.0, precision="int8", parity_holds=False),
            row("a 1x1", 9.0),
            row("b 1x1", 1.0, parity_holds=False, stable=False),
            failed("c 1x1", "no kernel for Einsum"),
            row("d 1x1", 8.0, parity_holds=None),
        ]
    )
    assert [(entry.rank, entry.name, entry.row.key.precision, entry.notes) for entry in board.entries] == [
        (1, "d 1x1", "fp32", ""),
        (2, "a 1x1", "fp32", ""),
        (None, "b 1x1", "fp32", "unstable; answers differ from PyTorch's"),
        (None, "c 1x1", "fp32", "no kernel for Einsum"),
    ]


def test_a_median_that_varied_from_window_to_window_says_how_far_it_may_be_off() -> None:
    varied, steady = ((10.0, 11.0, 10.0, 11.5), (10.0, 10.1, 10.0, 10.1))
    entries = [
        boards([row(samples_ms={"pipeline": times}, windows=tuple(WINDOW for _ in times))])[0].entries[0]
        for times in (varied, steady)
    ]
    assert [entry.notes for entry in entries] == ["median ± 12%", ""]
    assert entries[1].row.uncertainty() == pytest.approx(0.009, abs=0.001)


def test_a_task_where_nothing_ran_still_has_a_board() -> None:
    (board,) = boards([failed("a 1x1", "refused")])
    assert (board.scope, board.entries[0].rank) == (None, None)
    assert shown([failed("a 1x1", "refused")])[0].endswith("Cortex-A76, 4 cores; nothing could be timed")


def test_models_of_one_title_are_told_apart() -> None:
    (board,) = boards([row("a 64x64", model="a_8xb32"), row("a 64x64", 20.0, model="a_16xb64")])
    assert [entry.name for entry in board.entries] == ["a_8xb32 64x64", "a_16xb64 64x64"]


def test_the_terminal_to_the_letter() -> None:
    rows = [row(), row("mobilenet-v2 64x64", 2.5, engine="openvino", precision="int8", parity_holds=None)]
    assert shown([*rows, failed("vit 64x64", "out of memory")]) == [
        "Image classification on Cortex-A76, 4 cores; the whole way from image to answer: decode, prepare, run the network, interpret",  # noqa: E501
        "rank  model               engine       precision  threads   median  ±      p90  fps p90  parameters  FLOPs  quoted  parity     notes",  # noqa: E501
        "────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────",
        "   1  mobilenet-v2 64x64  openvino     int8             1  2.50 ms  -  2.50 ms      400      11.2 M  150 M    69.9  unchecked",  # noqa: E501
        "   2  resnet18 64x64      onnxruntime  fp32             1  10.0 ms  -  10.0 ms      100      11.2 M  150 M    69.9  holds",  # noqa: E501
        "   -  vit 64x64           onnxruntime  fp32             1                          none      11.2 M  150 M    69.9  unchecked  out of memory",  # noqa: E501
        "",
    ]


def test_a_narrow_terminal_keeps_what_ranks() -> None:
    lines = shown([row(), failed("vit 64x64", "out of memory")], width=60)
    assert all(len(line) <= 60 for line in lines)
    assert any("resnet18" in line and "100" in line for line in lines)
    assert lines[-3:] == ["Noted:", "  - vit 64x64: out of memory", ""]


def test_an_empty_database_is_said_in_words() -> None:
    assert shown([]) == ["No speeds have been measured yet."]


def test_csv_has_every_row_with_machine_and_versions(tmp_path: Path) -> None:
    rows = [row(), row(measured_at="2026-12-01T00:00:00+00:00"), failed("vit 64x64", "out of\nmemory, 4 GB")]
    write_csv(rows, tmp_path / "speeds.csv")
    lines = list(csv.DictReader(io.StringIO((tmp_path / "speeds.csv").read_text(encoding="utf-8"))))
    assert [line["title"] for line in lines] == ["resnet18 64x64", "resnet18 64x64", "vit 64x64"]
    first, last = lines[0], lines[-1]
    assert (first["median_ms"], first["fps_p90"], first["scope"]) == ("10.0", "100.0", "pipeline")
    assert (first["hardware"], first["engine_version"], first["versions"]) == (
        "feedfacefeedface",
        "1.31.1",
        '{"edge": "0.1.0"}',
    )
    assert (last["state"], last["median_ms"], last["stable"], last["reason"]) == (
        "failed",
        "",
        "",
        "out of memory, 4 GB",
    )
    assert csv_text([]) == ""
    with pytest.raises(StorageError):
        write_csv(rows, tmp_path / "speeds.csv" / "below.csv")


# -------------------------------------------------------------------------------------------------------- support table


def test_support_counts_models_and_says_why_not() -> None:
    rows = [
        row("a 1x1"),
        row("a 1x1", threads=2),
        row("b 1x1", parity_holds=False),
        failed("c 1x1", "Einsum | no kernel"),
        failed("a 1x1", "no VNNI", precision="int8"),
        failed("b 1x1", "no VNNI", precision="int8"),
        row("d 1x1", engine="openvino", task="detection"),
    ]
    assert support_table(rows).splitlines() == [
        "| Engine | Precision | Image classification | Object detection |",
        "|---|---|---|---|",
        "| ONNX Runtime | fp32 | measured 2 models, 1 with other answers, 1 failed | not tried |",
        "| ONNX Runtime | int8 | none of 2 models | not tried |",
        "| OpenVINO | fp32 | not tried | measured 1 model |",
        "",
        "Why not:",
        "",
        "- ONNX Runtime fp32, image classification: Einsum \\| no kernel (1 model, such as c 1x1)",
        "- ONNX Runtime int8, image classification: no VNNI (2 models, such as a 1x1)",
    ]
    assert support_table([]) == "Nothing has been measured yet.\n"


# ---------------------------------------------------------------------------------------------- published and measured


def published(title: str, published_ms: float, milliseconds: float, quality: float, **changes: Any) -> Row:
    given = {"published_on": "V100 FP32", **changes}
    return row(title, milliseconds, published_ms=published_ms, quoted_quality=quality, **given)


def test_a_choice_by_published_speed_is_held_against_this_machine() -> None:
    rows = [
        published("large 1x1", 10.0, 200.0, 50.0),  # published 100 fps, here 5
        published("middle 1x1", 5.0, 20.0, 40.0),  # published 200 fps, here 50
        published("small 1x1", 2.0, 40.0, 30.0),  # published 500 fps, here 25
        row("unpublished 1x1", 1.0),
    ]
    compared = static_comparison(rows, (4.0, 40.0, 150.0, 450.0))
    assert [one.form for one in compared] == [ANY_FORM, "onnxruntime fp32"]
    one = compared[0]
    assert (one.models, one.scope, one.rank_correlation) == (3, "pipeline", pytest.approx(0.5))
    assert [(c.limit_fps, c.by_published, c.by_measured, c.outcome) for c in one.choices] == [
        (4.0, "large 1x1", "large 1x1", "right"),
        (40.0, "large 1x1", "middle 1x1", "misses"),
        (150.0, "middle 1x1", None, "misses"),
        (450.0, "small 1x1", None, "misses"),
    ]
    assert one.wrong == 3
    assert "| Image classification | V100 FP32 | fastest form of each, pipeline | 3 | 0.50 | 4 | 3 | 3 | 0 | 0 |" in (
        comparison_text(compared).splitlines()
    )


def test_a_slower_publisher_finds_nothing_or_something_poorer() -> None:
    rows = [published("large 1x1", 100.0, 10.0, 50.0), published("small 1x1", 50.0, 5.0, 30.0)]
    one = static_comparison(rows, (5.0, 15.0, 50.0, 150.0, 500.0))[0]
    assert [choice.outcome for choice in one.choices] == ["right", "poorer", "finds nothing", "finds nothing", "right"]
    assert (one.rank_correlation, one.wrong, one.count("poorer")) == (None, 2, 1)


def test_only_what_was_published_alike_is_compared() -> None:
    rows = [
        published("a 1x1", 10.0, 10.0, 50.0, published_at="1x1"),
        published("at another input 1x1", 10.0, 10.0, 50.0, published_at="2x2"),
        published("on another card 1x1", 10.0, 10.0, 50.0, published_on="T4 FP32"),
        published("b 1x1", 10.0, 10.0, 50.0, quality_source="CIFAR10"),
        published("c 1x1", 10.0, 10.0, 50.0, parity_holds=False),
    ]
    assert [one.models for one in static_comparison(rows) if one.form == ANY_FORM] == [2, 1, 1]
    assert static_comparison([row()]) == []
    assert comparison_text([]) == "No model has both a published and a measured speed yet.\n"


# --------------------------------------------------------------------------------------------------------------- front


def test_the_front_holds_what_nothing_beats() -> None:
    a, b, c = Point("a", "ncnn", "fp32", 10, 50), Point("b", "ncnn", "fp32", 20, 40), Point("c", "ncnn", "fp32", 30, 30)
    beaten = [replace(a, fps=9), replace(b, quality=39), replace(c, fps=20, quality=30), a]
    assert front([*beaten, c, a, b]) == [a, b, c]
    assert front([]) == []
    assert front([a]) == [a]


def test_charts_split_what_cannot_be_compared() -> None:
    rows = [
        row("a 1x1"),
        row("a 1x1", precision="int8", parity_holds=False),
        row("b 1x1", quality_source="CIFAR10"),
        row("c 1x1", quoted_quality=None),
        failed("d 1x1", "refused"),
    ]
    made = charts(rows, MACHINES)
    assert [(chart.quality_source, [p.name for p in chart.points]) for chart in made] == [
        ("CIFAR10", ["b 1x1"]),
        ("ImageNet-1k Top 1 Accuracy", ["a 1x1"]),
    ]
    assert made[0].machine == "Cortex-A76, 4 cores"


def many_points() -> tuple[Point, ...]:
    """Thirty models, all on the front, on two engines."""
    return tuple(
        Point(f"model-with-a-long-name-{n} $x$ 224x224", engine, precision, 2.0 * 1.17**n * faster, 80.0 - n)
        for n in range(30)
        for engine, precision, faster in (("onnxruntime", "fp32", 1.0), ("unheard-of", "int8", 1.3))
    )


@pytest.mark.parametrize("points", [(), many_points()[:1], many_points()])
def test_a_chart_of_any_number_of_points_is_drawn_alike_every_time(points: tuple[Point, ...]) -> None:
    chart = Chart("detection", "Cortex-A76 <&> " * 9, "15W", 1, "COCO box AP", "pipeline", points)
    drawn = pareto_svg(chart)
    root = ElementTree.fromstring(drawn)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "Scatter chart" in root.attrib["aria-label"] or "No speed has been measured yet." in drawn
    assert pareto_svg(chart) == drawn
    assert pareto_png(chart).startswith(b"\x89PNG")


def test_names_that_find_no_room_are_counted() -> None:
    drawn = pareto_svg(Chart("detection", "board", "unavailable", 1, "COCO", "pipeline", many_points()))
    # each name also stands in the words for those who do not see the picture
    named = sum(drawn.count(f"model-with-a-long-name-{n} $") > 1 for n in range(30))
    assert 0 < named < 30
    assert f"{30 - named} models of the front not named here for lack of room" in drawn


def test_charts_are_written_as_svg_and_png(tmp_path: Path) -> None:
    files = write_charts(charts([row("a 1x1"), row("b 1x1", 2.0, quoted_quality=60.0)], MACHINES), tmp_path)
    assert [file.name for file in files] == [
        "pareto-classification-imagenet-1k-top-1-accuracy-pipeline-cortex-a76-4-cores.svg",
        "pareto-classification-imagenet-1k-top-1-accuracy-pipeline-cortex-a76-4-cores.png",
    ]
    assert sorted(tmp_path.iterdir()) == sorted(files)


def test_two_machines_of_one_name_get_two_charts(tmp_path: Path) -> None:
    twins = {"feedfacefeedface": MACHINES["feedfacefeedface"], "0" * 16: MACHINES["feedfacefeedface"]}
    files = write_charts(charts([row("a 1x1"), row("a 1x1", hardware="0" * 16)], twins), tmp_path)
    assert len({file.name for file in files}) == 4


def test_speeds_of_more_threads_are_on_a_board_of_their_own() -> None:
    made = boards([row("a 1x1"), row("a 1x1", 6.0, threads=2)])
    assert [(board.threads, [entry.rank for entry in board.entries]) for board in made] == [(1, [1]), (2, [1])]
    assert board_title(made[1], {}).startswith("Image classification on machine feedfacefeedface, 2 threads; ")
    assert [chart.threads for chart in charts([row("a 1x1"), row("a 1x1", 6.0, threads=2)], MACHINES)] == [1, 2]
