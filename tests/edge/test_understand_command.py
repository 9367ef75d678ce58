"""`edge understand` and `edge bench requests` as a user types them, with the shipped model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge.errors import Exit

pytest.importorskip("llama_cpp")
MOST_SECONDS, MOST_MIB = 2.5, 400
TRAM = "Detect guide dogs and wheelchairs at the tram stop with at least 20 fps on the CPU"


def edge(*arguments: str | Path, given: bytes = b"") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "edge", *map(str, arguments)]
    done = subprocess.run(command, input=given, capture_output=True, check=False)
    return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())


def batch_file(folder: Path, *requests: str, gold: bool = False) -> Path:
    path = folder / "requests.jsonl"
    rows = [{"id": str(i), "request": request} for i, request in enumerate(requests)]
    if gold:
        for row in rows:
            row["config"] = json.loads(edge("understand", row["request"], "--json").stdout)
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def test_one_request_is_shown_field_by_field_and_printed_as_json() -> None:
    done = edge("understand", TRAM, "--json")
    assert done.returncode == Exit.OK
    config = json.loads(done.stdout)
    assert config["data"]["object"] == ["guide dogs", "wheelchairs"]
    assert config["model"]["speed"] == {"value": 20, "unit": "fps"}
    assert config["deploy"]["gpu"] == "cpu"
    for words in ("from the words", "readings", "guide dogs; wheelchairs", "agree", "% sure of the whole reading"):
        assert words in done.stderr


def test_the_command_is_quick_and_small() -> None:
    """Processor time, since wall time on a busy machine measures the others; memory as the process itself sees it,

    since what wait4 tells also counts the parent that it was forked from.
    """
    told = "print('used', sum(os.times()[:2]), re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    code = f"import atexit, os, re, sys; atexit.register(lambda: {told}); from edge.cli import main; main()"
    command = [sys.executable, "-P", "-c", code, "understand", TRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    _, seconds, kib = done.stdout.split()
    assert float(seconds) <= MOST_SECONDS
    assert int(kib) / 1024 <= MOST_MIB


def test_what_edge_cannot_make_is_still_understood() -> None:
    done = edge(
        "understand", "Tag photos with all that apply: beach, sunset, crowd. TensorRT on an RTX 4090.", "--json"
    )
    assert done.returncode == Exit.OK
    config = json.loads(done.stdout)
    assert config["model"]["task"] == "multilabel-classification"
    assert config["deploy"] == {"gpu": "gpu", "inference_engine": "tensorrt"}


def test_a_dash_reads_standard_input() -> None:
    done = edge("understand", "-", "--json", given=TRAM.encode())
    assert json.loads(done.stdout)["data"]["object"] == ["guide dogs", "wheelchairs"]
    assert edge("understand", "-", given=b"\xff\xfe\x00detect").returncode == Exit.BAD_REQUEST
    huge = edge("understand", "-", given=b"detect cars " * 100_000)
    assert (huge.returncode, huge.stderr.count("\n")) == (Exit.BAD_REQUEST, 2)


def test_a_batch_gives_a_line_for_every_request_and_says_why_one_has_none(tmp_path: Path) -> None:
    path = batch_file(tmp_path, TRAM, "Write me a poem about the sea", "")
    done = edge("understand", "--batch", path, "--json")
    first, second, third = map(json.loads, done.stdout.splitlines())
    assert done.returncode == Exit.OK
    assert (first["id"], first["config"]["model"]["task"]) == ("0", "detection")
    assert (second["id"], second["config"]) == ("1", None)
    assert "picture" in second["error"]
    assert third["error"] == "the request is empty"
    assert "3 requests read, 2 refused" in done.stderr


@pytest.mark.parametrize("arguments", [(), ("detect cars", "--batch", "x.jsonl")])
def test_neither_or_both_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    done = edge("understand", *arguments)
    assert done.returncode == Exit.USAGE
    assert "either one request or --batch FILE" in done.stderr


def test_a_batch_file_that_is_not_there_is_named() -> None:
    done = edge("understand", "--batch", "gone.jsonl")
    assert done.returncode == Exit.BAD_REQUEST
    assert done.stderr.startswith("Error: gone.jsonl cannot be read")


def test_a_file_of_requests_is_scored(tmp_path: Path) -> None:
    path = batch_file(tmp_path, TRAM, "Segment sky and ground in dashcam frames", gold=True)
    done = edge("bench", "requests", path, "--json")
    assert done.returncode == Exit.OK
    score = json.loads(done.stdout)["score"]
    assert (score["requests"], score["request_level"], score["key_level"], score["invented"]) == (2, 1.0, 1.0, 0.0)
    assert "By task" in done.stderr
    rules = json.loads(edge("bench", "requests", path, "--by", "rules", "--json").stdout)["score"]
    assert rules["request_level"] == 0.0


def test_a_file_without_answers_cannot_be_scored(tmp_path: Path) -> None:
    done = edge("bench", "requests", batch_file(tmp_path, TRAM))
    assert done.returncode == Exit.BAD_REQUEST
    assert "no gold configuration" in done.stderr
