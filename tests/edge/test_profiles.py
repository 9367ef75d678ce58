"""The database of measured speeds and the file it travels in: what is kept, what is refused, what is never lost."""

from __future__ import annotations

import gzip
import hashlib
import json
import multiprocessing
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.errors import DataError, StorageError
from edge.profiling.database import Database, Filter, default_path
from edge.profiling.exchange import Imported, export, import_
from edge.profiling.row import Key, Row, Subject
from profiler.record import Profile, Window
from profiler.stats import verdict

MACHINE = {"key": "feedfacefeedface", "cpu_model": "Cortex-A76", "logical_cores": 4}
OTHER = {"key": "0123456789abcdef", "cpu_model": "Xeon", "logical_cores": 2}


def profile(median_ms: float = 10.0, queries: int = 64) -> Profile:
    times = tuple(median_ms + 0.01 * (n % 7) for n in range(queries))
    window = Window("pipeline", queries, sum(times) / 1000, 1.0, 0.0, 0, None, True)
    return Profile(
        name="resnet18 64x64",
        scope="pipeline",
        threads=1,
        limit_ms=20.0,
        samples_ms={"pipeline": times, "runtime": tuple(time / 2 for time in times)},
        stable=True,
        verdict=verdict(times, 20.0),
        windows=(window,),
        warmup_ms={"pipeline": times[:3]},
        facts={"nodes": {"CPUExecutionProvider": 42}},
    )


def row(model: str = "resnet18_8xb32_in1k", **changes: Any) -> Row:
    """A measured row; changes may name parts of its key, of its subject, or of the row."""
    key = Key(
        hashlib.sha256(model.encode()).hexdigest(), MACHINE["key"], "onnxruntime", "1.31.1", "fp32", 1, "unavailable"
    )
    subject = Subject(f"{model} ☀", "classification", model, "resnet", "mmpretrain", 64, 64, 11_000_000, 150_000_000)
    made = Row(key, subject, "measured", "2026-11-02T10:00:00.000+00:00", "run-1", profile=profile(),
               parity={"largest_difference": 3e-8}, parity_holds=True, model_bytes=44_000_000,
               versions={"edge": "0.1.0"})  # fmt: skip
    of_key = {name: value for name, value in changes.items() if hasattr(key, name)}
    of_subject = {name: value for name, value in changes.items() if hasattr(subject, name)}
    rest = {name: value for name, value in changes.items() if name not in {*of_key, *of_subject}}
    return replace(made, key=replace(key, **of_key), subject=replace(subject, **of_subject), **rest)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database.open(tmp_path / "profiles.db") as opened:
        opened.add_machine(MACHINE)
        opened.add_machine(OTHER)
        yield opened


# ------------------------------------------------------------------------------------------------------------ one row


def test_a_row_comes_back_from_json_as_it_was() -> None:
    made = row()
    assert Row.from_json(json.loads(json.dumps(made.to_json()))) == made


def test_speed_is_quoted_in_pipeline_else_runtime_else_not_at_all() -> None:
    made = row()
    assert made.scope == "pipeline"
    assert (made.median_ms(), made.p90_ms(), made.median_ms("runtime")) == (10.03, 10.06, 5.015)
    assert made.fps() == pytest.approx(99.4, abs=0.1)
    bare = replace(profile(), samples_ms={"runtime": (4.0,), "device": (3.0,)})
    assert row(profile=bare).scope == "runtime"
    assert row(profile=bare).median_ms("pipeline") is None
    assert row(profile=replace(bare, samples_ms={"device": (3.0,)})).p90_ms() is None
    assert row(state="failed", reason="refused", profile=None).fps() is None


@pytest.mark.parametrize(
    ("changes", "fact"),
    [
        ({"profile": None}, "measured, but without latencies"),
        ({"state": "failed"}, "failed, but without a reason"),
        ({"state": "guessed"}, "the state is 'guessed', neither measured nor failed"),
        ({"artefact_sha256": ""}, "measured, but the file has no sha256"),
        ({"measured_at": "yesterday"}, "measured_at is 'yesterday', no time of ISO 8601"),
        ({"measured_at": "2026-11-02T10:00:00"}, "measured_at is '2026-11-02T10:00:00', not in UTC"),
        (
            {"profile": replace(profile(), samples_ms={"runtime": (1.0, float("nan"))})},
            "a latency is no positive number",
        ),
    ],
)
def test_a_row_that_contradicts_itself_cannot_be_made(changes: dict[str, Any], fact: str) -> None:
    with pytest.raises(ValueError, match=fact.replace("+", r"\+")):
        row(**changes)


# ------------------------------------------------------------------------------------------------------- the database


def test_rows_are_kept_whole_with_every_sample(tmp_path: Path) -> None:
    made = [row(), row(precision="int8", state="failed", reason="no int8 kernels", profile=None, parity_holds=None)]
    with Database.open(tmp_path / "folder" / "profiles.db") as database:
        database.add_machine(MACHINE)
        assert [database.add(one) for one in made] == [True, True]
    with Database.open(tmp_path / "folder" / "profiles.db") as database:
        assert database.rows() == made
        assert database.machines() == {MACHINE["key"]: MACHINE}


def test_the_same_row_twice_is_one(database: Database) -> None:
    assert [database.add(row()), database.add(row())] == [True, False]
    assert len(database.rows()) == 1


def test_a_machine_is_stored_once_and_comes_before_its_rows(database: Database) -> None:
    database.add_machine({**MACHINE, "kernel": "6.1"})
    assert database.machines()[MACHINE["key"]] == MACHINE
    with pytest.raises(ValueError, match="the machine 00 of a row is unknown"):
        database.add(row(hardware="00"))


def test_filters_pick_rows(database: Database) -> None:
    rows = [
        row(),
        row("rtmdet_tiny", task="detection", engine="openvino"),
        row("rtmdet_s", task="detection", precision="bf16", run="run-2"),
        row("mine.onnx", task=None, toolbox="", hardware=OTHER["key"]),
    ]
    for one in rows:
        database.add(one)
    for where, expected in (
        (Filter(task="detection"), rows[1:3]),
        (Filter(engine="openvino"), rows[1:2]),
        (Filter(precision="bf16"), rows[2:3]),
        (Filter(model="rtmdet_*"), rows[1:3]),
        (Filter(model="rtmdet_* ☀", run="run-2"), rows[2:3]),
        (Filter(model="tiny"), []),
        (Filter(hardware=OTHER["key"]), rows[3:]),
    ):
        assert database.rows(where) == expected
    assert database.hardware_keys(Filter(task="detection")) == [MACHINE["key"]]


def test_newest_drops_what_was_measured_again_on_any_version(database: Database) -> None:
    old, other = row(), row(threads=2)
    new = row(engine_version="1.32.0", measured_at="2026-12-01T00:00:00+00:00")
    for one in (new, old, other):
        database.add(one)
    assert database.rows() == [old, other, new]
    assert database.rows(Filter(newest=True)) == [other, new]


def test_two_files_of_one_name_do_not_replace_each_other(database: Database) -> None:
    for sha in ("aa", "bb"):
        database.add(row("best.onnx", toolbox="", artefact_sha256=sha))
    assert len(database.rows(Filter(newest=True))) == 2


def test_an_imported_row_is_not_among_those_measured_here_and_hides_none_of_them(database: Database) -> None:
    later = row(measured_at="2026-12-03T10:00:00+00:00", run="of a twin")
    database.add(later, imported=True)
    assert len(database.rows()) == 1
    assert database.rows(Filter(imported=False)) == []
    database.add(row())
    assert database.rows(Filter(newest=True, imported=False)) == [row()]
    assert database.rows(Filter(newest=True)) == [later]


def test_a_row_with_a_verdict_of_an_older_edge_is_read(database: Database) -> None:
    document = row().to_json()
    document["profile"]["verdict"] = {
        **{"outcome": "PASS", "limit_ms": 20.0, "quantile": 0.9, "confidence": 0.99, "queries": 64, "over": 0},
        **{"within_low": 0.92, "within_high": 1.0},
    }
    found = Row.from_json(document).profile
    assert found is not None and found.verdict is not None
    assert found.verdict.counted == "64 of 64 queries within 20.00 ms"


def test_the_latest_run_is_found_again_by_its_arguments_until_it_is_finished(database: Database) -> None:
    arguments = {"tasks": ["detection"], "threads": 1}
    assert database.unfinished_run(arguments) is None
    first, second = database.begin_run(arguments), database.begin_run(arguments)
    assert database.unfinished_run({"threads": 1, "tasks": ["detection"]}) == second
    database.finish_run(first)
    assert database.unfinished_run(arguments) == second
    database.finish_run(second)
    assert database.unfinished_run(arguments) is None
    assert database.unfinished_run({"tasks": ["detection"], "threads": 2}) is None
    with pytest.raises(ValueError, match="there is no run 'x'"):
        database.finish_run("x")


def test_a_transaction_keeps_all_or_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), database.transaction():
        database.add(row())
        raise RuntimeError("killed")
    assert database.rows() == []


def _write_rows(path: Path, name: str, gate: Any) -> None:
    gate.wait()
    with Database.open(path) as database:
        database.add_machine(MACHINE)
        for number in range(20):
            database.add(row(f"{name}-{number}"))


def test_two_processes_write_a_new_file_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    gate = context.Barrier(3)
    writers = [context.Process(target=_write_rows, args=(tmp_path / "profiles.db", name, gate)) for name in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    with Database.open(tmp_path / "profiles.db") as database:
        assert len(database.rows()) == 60


def test_a_killed_writer_leaves_its_finished_rows(tmp_path: Path) -> None:
    code = f"""
import os, sys
sys.path[:0] = [{str(Path(__file__).parent)!r}]
from test_profiles import MACHINE, Database, Path, row
with Database.open(Path({str(tmp_path / "profiles.db")!r})) as database:
    database.add_machine(MACHINE)
    database.add(row())
    database._connection.execute("BEGIN IMMEDIATE")
    database.add(row("half"))
    os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    with Database.open(tmp_path / "profiles.db") as database:
        assert database.rows() == [row()]


def test_a_damaged_file_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "profiles.db"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StorageError, match="is damaged or no profile database") as caught, Database.open(path):
        pass
    assert f"mv {path} {path}.bad" in caught.value.__notes__[0]
    assert path.read_bytes() == b"no database at all" * 100


def test_a_damaged_profile_is_told_with_its_row(database: Database) -> None:
    database.add(row())
    database._connection.execute("UPDATE results SET profile = substr(profile, 1, 40)")
    with pytest.raises(StorageError, match=r"row 1 of .*profiles\.db cannot be read back"):
        database.rows()


def test_the_database_of_another_program_is_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "photos.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE photos (id INTEGER)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match="is a database of another program"), Database.open(path):
        pass
    assert path.read_bytes() == before


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "profiles.db"
    with Database.open(path) as database:
        database._connection.execute("PRAGMA user_version = 9")
    with pytest.raises(StorageError, match="newer edge: its schema is 9, this edge knows 2"), Database.open(path):
        pass


def test_a_file_of_an_older_edge_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "profiles.db"
    with Database.open(path) as database:
        database.add_machine(MACHINE)
        database.add(row())
        database._connection.execute("ALTER TABLE results ADD COLUMN key TEXT NOT NULL DEFAULT 'old'")
        database._connection.execute("CREATE INDEX results_by_key ON results (key)")
        database._connection.execute("PRAGMA user_version = 1")
    with Database.open(path) as database:
        database.add(row("rtmdet_tiny"))
        assert [kept.subject.model for kept in database.rows()] == [row().subject.model, "rtmdet_tiny"]


def test_a_full_disk_is_told_and_earlier_rows_stay(database: Database) -> None:
    database.add(row())
    pages = database._connection.execute("PRAGMA page_count").fetchone()[0]
    database._connection.execute(f"PRAGMA max_page_count = {pages}")
    many = replace(profile(), samples_ms={"runtime": tuple(1 + n * 0.123456789 % 1 for n in range(5000))})
    with pytest.raises(StorageError, match="full") as caught:
        database.add(row("large", profile=many))
    assert "rows written so far are kept" in caught.value.__notes__[0]
    assert database.rows() == [row()]


def test_a_folder_without_write_permission_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    with Database.open(folder / "profiles.db"):
        pass
    # root may write anywhere, so a folder in the way stands for a disk that refuses
    path = folder / "profiles.db" / "below.db" if os.geteuid() == 0 else folder / "new.db"
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(StorageError, match="cannot"), Database.open(path):
            pass
    finally:
        folder.chmod(stat.S_IRWXU)


def test_the_default_place_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_path() == tmp_path / "edge" / "profiles.db"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_path() == tmp_path / ".local" / "share" / "edge" / "profiles.db"


# ----------------------------------------------------------------------------------------------------------- exchange


@pytest.fixture
def exported(database: Database, tmp_path: Path) -> Path:
    database.add(row())
    database.add(row("rtmdet_tiny", task="detection", hardware=OTHER["key"]))
    database.add(row("bad", state="failed", reason="no kernel", profile=None, parity={"largest": float("nan")}))
    file = tmp_path / "speeds.jsonl"
    assert export(database, file) == 3
    return file


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Database]:
    with Database.open(tmp_path / "empty.db") as opened:
        yield opened


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_rows_travel_whole_and_keep_their_machine(
    database: Database, exported: Path, empty: Database, tmp_path: Path, suffix: str
) -> None:
    file = tmp_path / f"out{suffix}"
    export(database, file)
    assert import_(empty, file) == Imported(new=3, known=0, machines=2)
    assert [one.to_json() for one in empty.rows(Filter(task="detection"))] == [
        one.to_json() for one in database.rows(Filter(task="detection"))
    ]
    assert {one.key.hardware for one in empty.rows()} == {MACHINE["key"], OTHER["key"]}
    assert empty.machines() == database.machines()
    assert not list(tmp_path.glob(".*.partial"))


def test_importing_twice_changes_nothing(exported: Path, empty: Database, database: Database) -> None:
    import_(empty, exported)
    assert import_(empty, exported) == Imported(new=0, known=3, machines=2)
    assert import_(database, exported).new == 0
    assert row() in database.rows(Filter(imported=False))


def test_an_export_may_be_a_part(database: Database, exported: Path, empty: Database, tmp_path: Path) -> None:
    assert export(database, tmp_path / "part.jsonl", Filter(task="detection")) == 1
    assert import_(empty, tmp_path / "part.jsonl") == Imported(1, 0, 1)
    assert list(empty.machines()) == [OTHER["key"]]
    with pytest.raises(DataError, match="there is no row to export"):
        export(database, tmp_path / "none.jsonl", Filter(task="keypoint"))
    assert not (tmp_path / "none.jsonl").exists()


def _sealed(lines: list[bytes]) -> bytes:
    """The lines with a trailer that fits."""
    body = b"".join(line + b"\n" for line in lines)
    trailer = {"rows": len(lines) - 1, "sha256": hashlib.sha256(body).hexdigest()}
    return body + json.dumps(trailer).encode() + b"\n"


def _changed(line: bytes, change: Any) -> bytes:
    document = json.loads(line)
    change(document)
    return json.dumps(document).encode()


def test_all_faults_are_told_with_their_lines(exported: Path, empty: Database) -> None:
    header, *rows, _ = exported.read_bytes().splitlines()
    rows[0] = _changed(rows[0], lambda row: (row["key"].update(threads="1"), row["subject"].pop("family")))
    rows[1] = _changed(rows[1], lambda row: (row.update(rating=5), row["profile"]["windows"][0].update(moon="full")))
    rows[2] = _changed(rows[2], lambda row: (row.update(reason=""), row["key"].update(hardware="00")))
    rows.append(_changed(rows[1], lambda row: row["key"].update(hardware="00")))
    exported.write_bytes(_sealed([header, *rows]))
    with pytest.raises(DataError) as caught:
        import_(empty, exported)
    assert str(caught.value) == f"{exported} has 8 faults; nothing was imported"
    assert caught.value.__notes__ == [
        "line 2: key.threads: Input should be a valid integer",
        "line 2: subject.family: Field required",
        "line 3: profile.windows.0.moon: there is no such field",
        "line 3: rating: there is no such field",
        "line 4: the line: Value error, failed, but without a reason",
        "line 5: profile.windows.0.moon: there is no such field",
        "line 5: rating: there is no such field",
        "line 5: key.hardware: the header has no machine 00",
    ]
    assert empty.rows() == [] and empty.machines() == {}


def test_an_edited_file_is_refused(exported: Path, empty: Database) -> None:
    exported.write_bytes(exported.read_bytes().replace(b"[10.0,", b"[1.00,", 1))
    with pytest.raises(DataError) as caught:
        import_(empty, exported)
    assert "their sha256 is another one" in caught.value.__notes__[0]
    assert empty.rows() == [] and empty.machines() == {}


def test_a_file_cut_short_is_refused_wherever_it_is_cut(exported: Path, empty: Database) -> None:
    whole = exported.read_bytes()
    packed = gzip.compress(whole)
    ends = [position + 1 for position, sign in enumerate(whole) if sign == 10][:-1]
    for end in (*ends, *(end + 9 for end in ends), len(whole) - 1):
        exported.write_bytes(whole[:end])
        with pytest.raises(DataError):
            import_(empty, exported)
    half = exported.with_suffix(".jsonl.gz")
    half.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataError, match="is cut short: its last line is missing"):
        import_(empty, half)
    assert empty.rows() == [] and empty.machines() == {}


def test_a_line_left_out_or_moved_is_refused(exported: Path, empty: Database) -> None:
    header, first, second, third, trailer = exported.read_bytes().splitlines(keepends=True)
    for lines in ([header, first, third, trailer], [header, second, first, third, trailer]):
        exported.write_bytes(b"".join(lines))
        with pytest.raises(DataError):
            import_(empty, exported)
    assert empty.rows() == []


def test_a_newer_version_is_refused(exported: Path, empty: Database) -> None:
    header, *rows, _ = exported.read_bytes().splitlines()
    newer = _changed(header, lambda header: header.update(version=2, signature="x"))
    exported.write_bytes(_sealed([newer, *rows]))
    with pytest.raises(DataError, match="newer edge: its version is 2, this edge reads 1"):
        import_(empty, exported)


def test_what_is_no_export_is_refused(tmp_path: Path, empty: Database) -> None:
    for name, data, fact in (
        ("picture.jsonl", b"\x89PNG\r\n\x1a\n\x00", "is no export of measured speeds"),
        ("nothing.jsonl", b"", "is no export of measured speeds"),
        ("deep.jsonl", b"[" * 100_000 + b"\n", "is no export of measured speeds"),
        ("picture.jsonl.gz", b"\x89PNG\r\n", "is damaged"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match=fact):
            import_(empty, tmp_path / name)
    with pytest.raises(DataError, match=r"cannot read .*: No such file"):
        import_(empty, tmp_path / "absent.jsonl")


def test_an_export_that_cannot_be_written_leaves_the_old_one(
    database: Database, exported: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"End it in|is no name for an export"):
        export(database, tmp_path / "speeds.csv")
    blocked = tmp_path / "blocked.jsonl"
    blocked.mkdir()
    with pytest.raises(StorageError, match="cannot write"):
        export(database, blocked)
    assert not list(tmp_path.glob(".*.partial"))
