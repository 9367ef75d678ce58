"""Files of requests: every line is read, bad lines are named, and one refusal stops nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from llm_gguf import batch
from llm_gguf.errors import BatchFileError, EmptyRequestError


def written(path: Path, *rows: Any) -> Path:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def config(task: str = "detection") -> dict[str, Any]:
    none = {"value": 0, "unit": "none"}
    return {
        "data": {"object": ["cars"], "specific_dataset": "none"},
        "model": {"task": task, "specific_model": "none", "metrics": []} | dict.fromkeys(
            ("speed", "flops", "parameters"), none
        ),
        "deploy": {"gpu": "none", "inference_engine": "none"},
    }  # fmt: skip


def reader(text: str) -> dict[str, Any]:
    if not text:
        raise EmptyRequestError("the request is empty", "write one")
    return config("segmentation" if "segment" in text else "detection")


def test_blank_lines_are_passed_over_and_ids_kept(tmp_path: Path) -> None:
    path = written(tmp_path / "r.jsonl", {"id": 7, "request": "käse"}, "", {"id": "b", "request": "x", "config": {}})
    first, second = batch.rows(path)
    assert (first.id, first.request, first.gold, second.gold) == ("7", "käse", None, {})


def test_every_bad_line_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "r.jsonl", {"id": "a", "request": "x"}, "{oops", {"id": "b"}, {"id": "c", "request": 5})
    with pytest.raises(BatchFileError, match=r"line 2.*line 3.*line 4"):
        batch.rows(path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", None])
def test_an_unusable_file_is_a_clear_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "r.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BatchFileError, match=r"r\.jsonl"):
        batch.rows(path)


def test_a_refused_request_stops_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "r.jsonl", {"id": "a", "request": ""}, {"id": "b", "request": "cars"})
    refused, read = batch.read(batch.rows(path), reader)
    assert (refused.config, refused.refusal) == (None, "the request is empty")
    assert (read.config, read.refusal) == (config(), "")


def test_a_scored_file_counts_refusals_as_wrong(tmp_path: Path) -> None:
    path = written(
        tmp_path / "r.jsonl",
        {"id": "a", "request": "cars", "config": config()},
        {"id": "b", "request": "", "config": config()},
        {"id": "c", "request": "segment cars", "config": config()},
    )
    done = batch.score(list(batch.read(batch.rows(path), reader)))
    assert done.score.request_level == pytest.approx(1 / 3)
    assert [o.wrong for o in done.outcomes][2] == ("task",)
    assert done.outcomes[1].refusal == "the request is empty"
    assert done.peak_mib > 0


@pytest.mark.parametrize("gold", [None, {"data": {}}, "text"])
def test_a_line_without_usable_gold_cannot_be_scored(tmp_path: Path, gold: Any) -> None:
    path = written(tmp_path / "r.jsonl", {"id": "a", "request": "cars", "config": gold})
    with pytest.raises(BatchFileError, match=r"\ba\b"):
        batch.score(list(batch.read(batch.rows(path), reader)))


def test_the_benchmark_of_edge_is_well_formed() -> None:
    rows = batch.rows(batch.OWN_BENCHMARK)
    assert len(rows) >= 150
    assert len({row.id for row in rows}) == len(rows)
    for row in rows:
        assert row.gold is not None
        named = [*row.gold["data"]["object"], row.gold["model"]["specific_model"], row.gold["data"]["specific_dataset"]]
        assert [name for name in named if name != "none" and name not in row.request] == []
