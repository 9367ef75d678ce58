"""The job's folder: what is recorded is kept, what is half-written is never believed, and nobody else's is touched."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import edge.records
from edge.errors import Busy, StorageError
from edge.records import (
    Check,
    Choice,
    CurvePoint,
    DataSource,
    Disagreement,
    Endured,
    Exported,
    Gathered,
    Hyperparameters,
    Limits,
    Measured,
    Measurements,
    MetricTarget,
    Origin,
    Packed,
    Picture,
    PrecisionTrial,
    Rejection,
    Request,
    Story,
    Timing,
    Trained,
    Trial,
    Tuned,
    Verified,
)
from edge.workdir import STEPS, Workdir, from_json, publish, sha256_file, to_json, write_atomic
from zoo.models import ModelCard

IDENTITY = {"request": "tell cats from dogs", "data": "/data", "seed": 0}

CARD = ModelCard("r18_8xb32", "classification", "mmpretrain", "c/r.py", 64, 48, 69.9, "ImageNet Top 1", "Apache-2.0")
TIMING = Timing("pipeline", 400, 6.5, 6.9, 8.25)
MEASURED = Measured(
    CARD, 11_181_642, 149_300_000, 44, "ab", (TIMING,), "PASS", "all in time", True, "openvino", "bf16", ("NOISE",),
    {"same class": 1.0}, 180.5, 0.02, True, 0.1, 2, 400,
)  # fmt: skip
ENDURED = Endured(30.0, 20.0, 600, 2, 41.5, 20.0, 25.0, "STEADY", 0.001, (-0.01, 0.01))
PROVEN = PrecisionTrial("openvino", "int8", 1.9, 0.98, 0.985, True, "kept")
ORIGIN = Origin("r18.pth", "given with --weights", "ab", "work/tune/start.pth", 120, 122)
HYPER = Hyperparameters(0.002, 0.05, 64, True, 0.1)
EVERY_STORED_RECORD = (
    Limits(30.0, None, 1.5e9),
    MetricTarget("accuracy", 0.95),
    Disagreement("model.speed", "50 fps", "50 ms"),
    Request(
        text="Erkenne Äpfel, ≥ 30 fps\n",
        task="detection",
        objects=("Äpfel", "りんご"),
        engine="onnxruntime",
        device="cpu",
        specific_model=None,
        limits=Limits(min_fps=30.0),
        targets=(MetricTarget("AP50", 0.5),),
        unchecked=("data set COCO: the data given is used",),
        disagreements=(Disagreement("a", "b", "c"),),
        confidence=0.97,
        config={"data": {"object": ["Äpfel"], "modality": None}, "n": 1.5},
        spans={"data.object.0": "Äpfel"},
    ),
    DataSource("site", "/data/site", "coco", "CC0", ("a",), 8, "ef"),
    Gathered(
        "coco",
        ("a", "b"),
        {"x": ("a",)},
        {"train": 8},
        640,
        480,
        ("bad.png: broken",),
        ("b (a)",),
        "cd",
        (DataSource("site", "/data/site", "coco", "CC0", ("a",), 8, "ef"),),
        {"a": 8},
    ),
    TIMING,
    MEASURED,
    Measurements({"cpu_model": "c", "isa": ["avx2"]}, 1, "pipeline", (MEASURED,), ("big: too big",)),
    Rejection("big 224x224", ("FAIL: too slow",)),
    Choice(MEASURED, ("best",), (Rejection("x", ("FAIL",)),), ("y",)),
    HYPER,
    Trial(1, HYPER, 60, 12.5, None, "the loss was not finite"),
    ORIGIN,
    Tuned(HYPER, (Trial(0, HYPER, 60, 12.5, 0.5),), 0.25, ORIGIN),
    CurvePoint(10, loss=0.5),
    Trained("work/train/best.pth", "ef", 400, 500, 300, 0.9, 120.5, "from scratch", (CurvePoint(10, None, 0.4),)),
    PROVEN,
    Exported("work/export/package", "openvino", "int8", "ab", 44, 8, 3.25, (PROVEN,)),
    ENDURED,
    Check("speed", "at least 30 fps", "31.0 fps", "met"),
    Verified(
        "works",
        (Check("a", "b", "c", "unchecked"),),
        "AP",
        None,
        None,
        "empty",
        {"x": 1e-6},
        (TIMING,),
        ENDURED,
        "ab",
        {"n": [1]},
    ),
    Packed("/out/package", "perfect", 12, 5_000_000),
)


@pytest.mark.parametrize("record", EVERY_STORED_RECORD, ids=lambda record: type(record).__name__)
def test_record_survives_json(record: Any) -> None:
    assert from_json(type(record), to_json(record)) == record


def test_a_tuple_of_cards_survives_json() -> None:
    cards = (CARD, dataclasses.replace(CARD, width=96))
    assert from_json(tuple[ModelCard, ...], to_json(cards)) == cards


def test_every_record_is_tried_except_those_that_live_in_memory_only() -> None:
    kinds = {kind for kind in vars(edge.records).values() if dataclasses.is_dataclass(kind) and kind is not ModelCard}
    assert kinds - {type(record) for record in EVERY_STORED_RECORD} == {Picture, Story}


def test_json_with_an_unknown_verdict_type_is_refused() -> None:
    with pytest.raises(ValueError, match="min_fps"):
        from_json(Limits, '{"min_fps": "fast"}')


class Diary:
    """Remembers the states that a job reported."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str]] = []

    def __call__(self, step: str, state: str) -> None:
        self.entries.append((step, state))


class Work:
    """A step's work that counts its calls."""

    def __init__(self, result: Any) -> None:
        self.result = result
        self.folders: list[Path] = []

    def __call__(self, folder: Path) -> Any:
        self.folders.append(folder)
        return self.result


def ignore(_step: str, _state: str) -> None:
    """A listener that wants to know nothing."""


def test_step_is_done_once_and_kept_on_the_second_call(tmp_path: Path) -> None:
    diary, work = Diary(), Work(TIMING)
    for _ in range(2):
        with Workdir.locked(tmp_path / "job", IDENTITY, diary) as job:
            assert job.step("measure", Timing, work) == TIMING
    assert work.folders == [tmp_path / "job" / "work" / "measure"]
    assert diary.entries == [("measure", "start"), ("measure", "done"), ("measure", "kept")]
    assert list(job.seconds_spent()) == ["measure"]
    states = [json.loads(line)["state"] for line in (tmp_path / "job" / "journal.jsonl").read_text().splitlines()]
    assert states == ["start", "done"]


def test_step_whose_work_fails_is_done_again_in_the_same_folder(tmp_path: Path) -> None:
    def fails_after_a_checkpoint(folder: Path) -> Timing:
        (folder / "checkpoint").write_text("half way")
        raise RuntimeError("power cut")

    def goes_on(folder: Path) -> Timing:
        assert (folder / "checkpoint").read_text() == "half way"
        return TIMING

    with Workdir.locked(tmp_path, IDENTITY, ignore) as job:
        with pytest.raises(RuntimeError, match="power cut"):
            job.step("train", Timing, fails_after_a_checkpoint)
        assert job.step("train", Timing, goes_on) == TIMING


def test_documents_are_numbered_in_the_order_of_the_flow(tmp_path: Path) -> None:
    names = [Workdir(tmp_path, ignore).document(step).name for step in STEPS]
    assert names == sorted(names)
    assert names[0] == "01-understand.json"
    assert names[-1] == "10-pack.json"


def test_half_written_document_beside_the_final_name_is_never_taken_for_whole(tmp_path: Path) -> None:
    work = Work(TIMING)
    with Workdir.locked(tmp_path, IDENTITY, ignore) as job:
        document = job.document("measure")
        document.parent.mkdir()
        document.with_name(f".{document.name}.partial").write_text('{"step": "measure", "result": {"scope"')
        assert job.step("measure", Timing, work) == TIMING
    assert len(work.folders) == 1
    assert [path.name for path in document.parent.iterdir()] == ["04-measure.json"]


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"", "Expecting value: line 1 column 1 (char 0)"),
        (b'{"step": "measure"}', "'result'"),
        (b'{"result": {"scope": "pipeline"}}', "4 validation errors for Timing"),
        (b"[]", "list indices must be integers or slices, not str"),
    ],
)
def test_damaged_document_is_an_error_that_names_the_file(tmp_path: Path, content: bytes, fact: str) -> None:
    with Workdir.locked(tmp_path, IDENTITY, ignore) as job:
        document = job.document("measure")
        write_atomic(document, content)
        with pytest.raises(StorageError) as caught:
            job.step("measure", Timing, Work(TIMING))
    assert str(caught.value) == f"{document} cannot be read back: {fact}"
    assert caught.value.__notes__ == [
        "The file was changed, or another version of edge wrote it. Start again in a new folder: --out DIR."
    ]
    assert document.read_bytes() == content


HOLDER = """
import sys
from pathlib import Path
from edge.workdir import Workdir
with Workdir.locked(Path(sys.argv[1]), {}, lambda step, state: None):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_folder_held_by_another_process_is_busy_and_free_once_that_is_killed(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-P", "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Busy) as caught, Workdir.locked(tmp_path, {}, ignore):
            pass
        holder.kill()
    assert str(caught.value) == f"another edge process works in {tmp_path}"
    assert caught.value.__notes__ == ["Wait for it, or give this job a folder of its own: --out DIR."]
    with Workdir.locked(tmp_path, {}, ignore):
        pass


def test_job_that_got_no_further_than_its_data_gives_way_to_a_corrected_one(tmp_path: Path) -> None:
    with Workdir.locked(tmp_path, IDENTITY, ignore) as work:
        work.step("understand", str, lambda _: "a misreading")
    with Workdir.locked(tmp_path, {**IDENTITY, "request": "worded again"}, ignore) as work:
        assert work.step("understand", str, lambda _: "a reading") == "a reading"


def test_folder_of_another_job_is_refused_naming_what_differs(tmp_path: Path) -> None:
    with Workdir.locked(tmp_path, IDENTITY, ignore) as work:
        work.step("measure", str, lambda _: "minutes of work")
    held = (tmp_path / "job.json").read_bytes()
    other = {**IDENTITY, "request": "tell birds from bees", "seed": 1}
    with pytest.raises(StorageError) as caught, Workdir.locked(tmp_path, other, ignore):
        pass
    assert str(caught.value) == f"{tmp_path} holds another job: request, seed differ"
    assert caught.value.__notes__ == [
        "Give this request a folder of its own (--out DIR), or repeat the earlier command to continue it."
    ]
    assert (tmp_path / "job.json").read_bytes() == held


def test_folder_with_a_damaged_job_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text("[1")
    with pytest.raises(StorageError, match=r"job\.json cannot be read back"), Workdir.locked(tmp_path, {}, ignore):
        pass


def test_foreign_folder_with_files_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    for name in ("photo.jpg", "a.txt", "thesis.tex", "zebra"):
        (tmp_path / name).write_text("mine")
    with pytest.raises(StorageError) as caught, Workdir.locked(tmp_path, IDENTITY, ignore):
        pass
    assert str(caught.value) == f"{tmp_path} is not empty and holds no job of edge (a.txt, photo.jpg, thesis.tex)"
    assert caught.value.__notes__ == ["Give an empty or new folder: --out DIR."]
    seen = sorted(path.name for path in tmp_path.iterdir() if path.name != ".lock")
    assert seen == ["a.txt", "photo.jpg", "thesis.tex", "zebra"]


def test_folder_with_hidden_files_only_counts_as_empty(tmp_path: Path) -> None:
    (tmp_path / ".DS_Store").write_text("")
    with Workdir.locked(tmp_path, IDENTITY, ignore):
        assert (tmp_path / "job.json").is_file()


def test_a_file_where_the_folder_should_be_is_a_storage_error(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("")
    with pytest.raises(StorageError) as caught, Workdir.locked(path, IDENTITY, ignore):
        pass
    assert str(caught.value) == f"cannot write {path}: File exists"
    assert caught.value.__notes__ == ["Give another folder: --out DIR."]


def refusing(code: int) -> Callable[..., Any]:
    """What the operating system does when the disk is full or read-only."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError(code, os.strerror(code))

    return refuse


@pytest.mark.parametrize(
    ("code", "words", "hint"),
    [
        (
            errno.ENOSPC,
            "No space left on device",
            "Free some space on that disk and run the same command again: finished steps are kept.",
        ),
        (errno.EROFS, "Read-only file system", "Give a folder on a writable disk: --out DIR."),
        (errno.EACCES, "Permission denied", "Give a folder you may write to: --out DIR."),
    ],
)
def test_disk_that_refuses_loses_nothing_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str, hint: str
) -> None:
    path = tmp_path / "document.json"
    write_atomic(path, b"before")
    with monkeypatch.context() as patch, pytest.raises(StorageError) as caught:
        patch.setattr(os, "fsync", refusing(code))
        write_atomic(path, b"after")
    assert str(caught.value) == f"cannot write {path}: {words}"
    assert caught.value.__notes__ == [hint]
    assert path.read_bytes() == b"before"
    write_atomic(path, b"after")
    assert path.read_bytes() == b"after"
    assert [entry.name for entry in tmp_path.iterdir()] == ["document.json"]


def test_full_disk_while_a_step_is_recorded_keeps_the_earlier_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Work(TIMING), Work(HYPER)
    with Workdir.locked(tmp_path, IDENTITY, ignore) as job:
        job.step("measure", Timing, first)
        with monkeypatch.context() as patch, pytest.raises(StorageError, match="No space left on device"):
            patch.setattr(os, "fsync", refusing(errno.ENOSPC))
            job.step("tune", Hyperparameters, second)
        assert not job.document("tune").exists()
        assert job.step("measure", Timing, first) == TIMING
        assert job.step("tune", Hyperparameters, second) == HYPER
    assert (len(first.folders), len(second.folders)) == (1, 2)


def test_full_disk_inside_the_work_of_a_step_is_a_storage_error_with_the_file(tmp_path: Path) -> None:
    def fills_the_disk(folder: Path) -> Timing:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "iter_10.pth"))

    with Workdir.locked(tmp_path, IDENTITY, ignore) as job, pytest.raises(StorageError) as caught:
        job.step("train", Timing, fills_the_disk)
    assert str(caught.value) == f"cannot write {tmp_path}/work/train/iter_10.pth: No space left on device"


def test_other_refusals_inside_the_work_are_not_passed_off_as_a_full_disk(tmp_path: Path) -> None:
    def misses_a_file(_folder: Path) -> Timing:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "weights")

    with Workdir.locked(tmp_path, IDENTITY, ignore) as job, pytest.raises(FileNotFoundError):
        job.step("train", Timing, misses_a_file)


def test_really_full_disk_is_a_storage_error_and_what_was_written_stays(tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine allows no mount namespaces")
    script = """
mount -t tmpfs -o size=64k none "$1" && exec "$2" -P -c '
import sys
from pathlib import Path
from edge.errors import StorageError
from edge.workdir import Workdir, write_atomic
root = Path(sys.argv[1])
with Workdir.locked(root, {}, lambda step, state: None) as job:
    write_atomic(root / "small", b"kept")
    for path in (root / "large", root / "small"):
        try:
            write_atomic(path, bytes(1 << 20))
        except StorageError as error:
            print(error)
    print(sorted(p.name for p in root.iterdir()), (root / "small").read_bytes())
' "$1"
"""
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", str(tmp_path), sys.executable],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        f"cannot write {tmp_path}/large: No space left on device",
        f"cannot write {tmp_path}/small: No space left on device",
        "['.lock', 'job.json', 'small'] b'kept'",
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission_is_a_storage_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError) as caught, Workdir.locked(tmp_path / "job", IDENTITY, ignore):
        pass
    tmp_path.chmod(0o700)
    assert str(caught.value) == f"cannot write {tmp_path}/job: Permission denied"


def test_read_only_disk_is_a_storage_error_with_a_next_step(tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine allows no mount namespaces")
    script = """
mount -t tmpfs -o ro none "$1" && exec "$2" -P -m edge produce "tell cats from dogs" --out "$1/job"
"""
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", str(tmp_path), sys.executable],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == (
        f"Error: cannot write {tmp_path}/job: Read-only file system\n"
        "  Give a folder on a writable disk: --out DIR.\n"
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (9, "")


def folder_with(path: Path, **files: str) -> Path:
    path.mkdir(parents=True)
    for name, text in files.items():
        (path / name).write_text(text)
    return path


def test_publish_replaces_an_older_package_whole(tmp_path: Path) -> None:
    final = folder_with(tmp_path / "package", old="old", both="old")
    publish(folder_with(tmp_path / "work" / "package", new="new", both="new"), final)
    assert {path.name: path.read_text() for path in final.iterdir()} == {"new": "new", "both": "new"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["package", "work"]
    assert not list((tmp_path / "work").iterdir())


def test_publish_that_cannot_begin_leaves_an_error_and_the_new_folder_in_place(tmp_path: Path) -> None:
    new = folder_with(tmp_path / "work", file="new")
    final = tmp_path / "nowhere" / "package"
    with pytest.raises(StorageError) as caught:
        publish(new, final)
    assert str(caught.value) == f"cannot write {final}: No such file or directory"
    assert (new / "file").read_text() == "new"


def test_sha256_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.write_bytes(b"")
    assert sha256_file(path) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
