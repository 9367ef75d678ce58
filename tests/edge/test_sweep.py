"""Sweeps over models and files: rows, what fails, stopping and going on, and the commands on top."""

from __future__ import annotations

import errno
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import edge.profiling.sweep as sweeping
from deploy_targets.errors import ConversionFailed
from edge.artefacts.variant import Offer, offered
from edge.cli import app
from edge.errors import BadRequest, StorageError
from edge.profiling.database import Database, Filter
from edge.profiling.heat import _refuse_disk, pytorch_explained
from edge.profiling.onnxfile import input_shape, profile_file
from edge.profiling.results import Circumstances
from edge.profiling.row import Key, Row, Subject, now
from edge.profiling.sweep import TIMES, Entry, Progress, in_turn, sweep
from edge.trainers.reference import Counted
from profiler.hardware import fingerprint
from profiler.record import Profile, Window
from zoo.models import ModelCard, find

HERE = fingerprint()


def card(name: str, task: str = "classification", quality: float = 70.0) -> ModelCard:
    return ModelCard(name, task, "mmpretrain", "c.py", 64, 64, quality, "ImageNet Top 1", "Apache-2.0")


def failed_row(of: ModelCard, run: str) -> Row:
    key = Key("", HERE.key, "onnxruntime", "1", "fp32", 1, HERE.power_mode)
    subject = Subject(of.title, of.task, of.name, "", of.toolbox, of.width, of.height)
    return Row(key, subject, "failed", now(), run, reason="no reason to run in this test")


class Heats:
    """Stands in for the measuring of models; remembers what it did in which order, and can be stopped somewhere."""

    def __init__(self, stop_at: str = "") -> None:
        self.did: list[str] = []
        self.open: set[str] = set()
        self.stop_at = stop_at

    @property
    def converted(self) -> list[str]:
        return [did.split()[1] for did in self.did if did.startswith("convert ")]

    def __call__(self, entry: Entry, _offer: Offer, where: Circumstances) -> FakeHeat:
        self.open.add(entry.card.name)
        return FakeHeat(self, entry.card, where.run)


@dataclass
class FakeHeat:
    heats: Heats
    card: ModelCard
    run: str

    def convert(self, _say: Any) -> None:
        self._do(f"convert {self.card.name}")

    def time(self, turn: int, _say: Any) -> None:
        self._do(f"time {self.card.name} {turn}")

    def _do(self, what: str) -> None:
        if what == self.heats.stop_at:
            raise KeyboardInterrupt
        self.heats.did.append(what)

    def rows(self) -> list[Row]:
        return [failed_row(self.card, self.run)]

    def close(self) -> None:
        self.heats.open.discard(self.card.name)


def swept(database: Database, cards: list[ModelCard], run: str, budget_s: float | None = None) -> sweeping.Ended:
    where = Circumstances(run, HERE, 1)
    return sweep(cards, Offer((), ()), database, where, budget_s=budget_s, told=lambda _: None, say=lambda *_: None)


def entry(name: str, task: str, flops: int) -> Entry:
    return Entry(card(name, task), None, Counted(1, flops))


def test_light_models_come_first_and_tasks_take_turns() -> None:
    entries = [
        entry("a", "classification", 80),
        entry("b", "classification", 60),
        entry("c", "detection", 40),
        entry("d", "detection", 30),
    ]
    assert [found.card.name for found in in_turn(entries)] == ["d", "b", "c", "a"]


def test_a_model_that_pytorch_cannot_make_is_a_row_with_the_reason(tmp_path: Path) -> None:
    offer = offered(["onnxruntime"], ["fp32"])
    with Database.open(tmp_path / "profiles.db") as database:
        where = Circumstances("run", HERE, 1)
        sweep([card("no such")], offer, database, where, budget_s=None, told=lambda _: None, say=lambda *_: None)
        assert [row.state for row in database.rows()] == ["failed"]
        assert database.rows()[0].reason.startswith("PyTorch could not run no such 64x64: ")


def models(count: int) -> list[ModelCard]:
    return [card("abcdefgh"[number], quality=number) for number in range(count)]


def test_between_two_times_of_a_model_come_those_of_its_neighbours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heats = Heats()
    monkeypatch.setattr(sweeping, "Heat", heats)
    with Database.open(tmp_path / "profiles.db") as database:
        swept(database, models(5), "one")
    times = [f"time {name} {turn}" for turn in (1, 2, 3) for name in "abcd"]
    last = ["convert e", *(f"time e {turn}" for turn in (1, 2, 3))]
    assert heats.did == [*(f"convert {name}" for name in "abcd"), *times, *last]
    assert not heats.open


def test_a_stopped_sweep_keeps_its_rows_and_goes_on_behind_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Database.open(tmp_path / "profiles.db") as database:
        stopped = Heats(stop_at="time c 3")
        monkeypatch.setattr(sweeping, "Heat", stopped)
        with pytest.raises(KeyboardInterrupt):
            swept(database, models(3), "one")
        assert [row.subject.model for row in database.rows(Filter(run="one"))] == ["a", "b"]
        assert not stopped.open
        resumed = Heats()
        monkeypatch.setattr(sweeping, "Heat", resumed)
        ended = swept(database, models(3), "one")
    assert resumed.converted == ["c"]
    assert (ended.measured, ended.failed, ended.left) == (0, 1, ())


def test_no_model_but_the_first_is_begun_after_the_budget_and_the_rest_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heats = Heats()
    monkeypatch.setattr(sweeping, "Heat", heats)
    with Database.open(tmp_path / "profiles.db") as database:
        ended = swept(database, models(2), "one", budget_s=-1.0)
    assert heats.did == ["convert a", "time a 1", "time a 2", "time a 3"]
    assert ended.left == ("b 64x64",)


def test_a_model_that_another_process_measured_for_the_same_sweep_is_not_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Heats()
    with Database.open(tmp_path / "profiles.db") as database, Database.open(tmp_path / "profiles.db") as another:

        def heat(*given: Any) -> FakeHeat:
            monkeypatch.setattr(sweeping, "Heat", here)
            swept(another, [card("b")], "one")
            return here(*given)

        monkeypatch.setattr(sweeping, "Heat", heat)
        swept(database, [card("a"), card("b")], "one")
    assert here.converted == ["b", "a"]


def test_the_time_left_is_that_of_all_steps() -> None:
    progress = Progress(total=3, steps=6, began=time.monotonic() - 60)
    assert progress.left_s == pytest.approx(60, abs=1)
    assert Progress(total=3).left_s is None


@pytest.mark.slow
def test_a_real_model_is_measured_on_two_engines_with_its_proofs(tmp_path: Path) -> None:
    with Database.open(tmp_path / "profiles.db") as database:
        sweep(
            find(["mobilenet-v3-small 64x64"]),
            offered(["onnxruntime", "openvino"], ["fp32"]),
            database,
            Circumstances("run", HERE, 1),
            budget_s=None,
            told=lambda _: None,
            say=lambda *_: None,
        )
        rows = database.rows()
        assert [row.key.engine for row in rows] == ["onnxruntime", "openvino"]
        for row in rows:
            assert row.state == "measured", row.reason
            assert row.parity_holds is True
            assert row.subject.work["depthwise"] > 0
            assert row.profile is not None
            assert set(row.profile.samples_ms) == {"pipeline", "runtime", "device"}
            assert {window.process for window in row.profile.windows} == set(range(TIMES))
            assert row.profile.facts["precision"] == "fp32"
            assert sum(row.profile.facts["nodes"].values()) > 10
            assert row.key.artefact_sha256


def onnx_file(path: Path, shape: tuple[Any, ...] = (1, 3, 16, 16), kind: str = "FLOAT", inputs: int = 1) -> Path:
    """One convolution."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    names = [f"image{i}" for i in range(inputs)]
    given = [helper.make_tensor_value_info(name, getattr(TensorProto, kind), shape) for name in names]
    nodes = [helper.make_node("Cast", ["image0"], ["float"], to=TensorProto.FLOAT)]
    nodes.append(helper.make_node("Conv", ["float", "kernel"], ["output"]))
    kernel = numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "kernel")
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "net", given, [output], [kernel])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


def test_a_free_batch_size_becomes_one(tmp_path: Path) -> None:
    assert input_shape(onnx_file(tmp_path / "a.onnx", ("batch", 3, 16, 16))) == (1, 3, 16, 16)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"shape": (1, 3, "height", 16)}, "of shape (1, 3, height, 16)"),
        ({"shape": (1, 3, 16)}, "of shape (1, 3, 16)"),
        ({"kind": "INT64"}, "takes INT64 values"),
        ({"inputs": 2}, "has 2 inputs (image0, image1)"),
    ],
)
def test_a_file_that_cannot_be_fed_is_refused_with_the_reason(given: dict[str, Any], told: str, tmp_path: Path) -> None:
    file = onnx_file(tmp_path / "a.onnx", **given)
    with pytest.raises(BadRequest) as caught:
        input_shape(file)
    assert told in str(caught.value)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.onnx"
    file.write_bytes(b"not a model")
    with pytest.raises(BadRequest, match="is not an ONNX model"):
        input_shape(file)


def test_any_onnx_file_is_measured_without_pictures(tmp_path: Path) -> None:
    file = onnx_file(tmp_path / "mine.onnx")
    rows = profile_file(file, offered(["onnxruntime"], ["fp32"]), Circumstances("run", HERE, 1), lambda _: None)
    assert [(row.subject.title, row.state, row.reason) for row in rows] == [("mine.onnx", "measured", "")]
    assert rows[0].scope == "runtime"
    assert rows[0].profile is not None
    assert set(rows[0].profile.samples_ms) == {"runtime", "device"}
    assert {window.process for window in rows[0].profile.windows} == set(range(TIMES))


def edge(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["profile", *arguments])


def test_a_file_is_measured_shown_compared_and_carried_to_another_machine(tmp_path: Path) -> None:
    here, there = f"--profiles={tmp_path / 'a.db'}", f"--profiles={tmp_path / 'b.db'}"
    files = [onnx_file(tmp_path / "one.onnx"), onnx_file(tmp_path / "two.onnx", (1, 3, 320, 320))]
    for file in files:
        form = ["--backend", "onnxruntime", "--precision", "fp32"]
        done = edge("--model", str(file), *form, "--out", str(tmp_path / "o"), here, "--json")
        assert done.exit_code == 0, done.stderr
        told = json.loads(done.stdout.splitlines()[-1])
        assert told[0]["figures"]["runtime"]["median_ms"] > 0
    assert (tmp_path / "o" / "leaderboard.csv").read_text().startswith("task,model,")
    assert "one.onnx" in edge("show", here).stderr

    compared = edge("compare", "one.onnx", "two.onnx:onnxruntime:fp32", "--scope", "runtime", here, "--json")
    assert compared.exit_code == 0, compared.stderr
    found = json.loads(compared.stdout.splitlines()[-1])
    assert found["outcome"] == "FASTER"
    assert found["doubts"][0] == "they were measured in different sweeps, and from one to the next 3 % is usual"
    assert f"  Mind: {found['doubts'][0]}.\n" in compared.stderr

    carried = tmp_path / "speeds.jsonl.gz"
    assert "2 rows written" in edge("export", str(carried), here).stderr
    assert "2 new rows" in edge("import", str(carried), there).stderr
    assert "0 new rows, 2 known" in edge("import", str(carried), there).stderr


def test_of_a_file_that_was_exported_again_the_newest_is_compared(tmp_path: Path) -> None:
    with Database.open(tmp_path / "a.db") as database:
        database.add_machine(HERE.to_json())
        for sha, ms, at in (("aa", 9.0, "2026-11-02"), ("bb", 5.0, "2026-11-03")):
            database.add(file_row("mine.onnx", sha, ms, at))
        database.add(file_row("other.onnx", "cc", 5.0, "2026-11-03"))
    done = edge("compare", "mine.onnx", "other.onnx", "--scope", "runtime", f"--profiles={tmp_path / 'a.db'}")
    assert done.exit_code == 0, done.stderr
    assert "mine.onnx on onnxruntime fp32 (5 ms) is SAME beside other.onnx" in done.stderr


def file_row(name: str, sha: str, ms: float, day: str) -> Row:
    windows = tuple(Window("runtime", 16, 16 * ms / 1000, 1.0, 0.0, 0, None, True) for _ in range(4))
    times = tuple(ms + 0.001 * (n % 3) for n in range(64))
    profile = Profile(name, "runtime", 1, None, {"runtime": times}, True, windows=windows)
    key = Key(sha, HERE.key, "onnxruntime", "1", "fp32", 1, HERE.power_mode)
    subject = Subject(name, None, name, "", "", 16, 16)
    return Row(key, subject, "measured", f"{day}T10:00:00+00:00", day, profile=profile)


@pytest.mark.parametrize("chained", [False, True])
def test_a_full_disk_is_no_fact_about_a_network(chained: bool) -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "/scratch/model.onnx")
    with pytest.raises(StorageError, match=r"^cannot write /scratch/model\.onnx: No space left"):
        if chained:
            try:
                raise ConversionFailed("MMDeploy could not export the model") from full
            except ConversionFailed as error:
                _refuse_disk(error)
        with pytorch_explained("net"):
            raise full


def test_a_name_is_an_argument_unless_it_is_a_command(tmp_path: Path) -> None:
    done = edge("resnet1800", f"--profiles={tmp_path / 'a.db'}")
    assert done.exception is not None
    assert "resnet1800" in str(done.exception)


def test_engines_that_cannot_run_here_are_named(tmp_path: Path) -> None:
    done = edge("resnet18", "--backend", "tensorrt", f"--profiles={tmp_path / 'a.db'}")
    assert "tensorrt cannot run on this machine: tensorrt fp32: " in str(done.exception)


def test_comparing_what_was_never_measured_names_what_was(tmp_path: Path) -> None:
    done = edge("compare", "one", "two", f"--profiles={tmp_path / 'a.db'}")
    assert str(done.exception) == "nothing named one was measured"
