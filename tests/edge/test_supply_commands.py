"""`edge fetch` and `edge bundle`: what they print, where, and how they end."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from file_server import Site, serving
from typer.testing import CliRunner, Result

from edge.cli import app, exit_code
from edge.errors import BadRequest, Busy, DataError, EdgeError, EnvironmentBroken, Exit, StorageError
from edge.report import words
from llm_gguf.errors import UnknownModelError
from llm_gguf.library import catalogue
from zoo.errors import ZooError
from zoo.models import find, metafile_entries, shortlisted
from zoo.supply import published, weights
from zoo.supply.errors import BundleError, DamagedError, FetchDiskError, NotFetchedError
from zoo.supply.store import Store
from zoo.supply.transfer import Patience

RESNET, MOBILENET = (find([name])[0].name for name in ("resnet18", "mobilenet-v2"))


def checkpoint(name: str) -> bytes:
    return b"PK\x03\x04" + name.encode() * 300


def file_of(name: str) -> str:
    return f"{name}-{hashlib.sha256(checkpoint(name)).hexdigest()[:8]}.pth"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where weights go; quick to give up."""
    monkeypatch.setenv("EDGE_WEIGHTS_HOME", str(tmp_path / "weights"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(weights.fetch_all, "__defaults__", (Patience(tries=2, first_wait_s=0.01),))
    return tmp_path / "weights"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server that has a small file for every model of the metafiles, each under a name of its own."""
    with serving(Site(b"", files={"": b""})) as found:

        @functools.cache
        def entries(toolbox: str) -> dict[str, dict[str, Any]]:
            names = metafile_entries(toolbox)
            return {name: {"Weights": found.address.replace("model.gguf", file_of(name))} for name in names}

        for task in ("classification", "detection", "segmentation", "keypoint"):
            found.files |= {file_of(card.name): checkpoint(card.name) for card in shortlisted(task)}
        monkeypatch.setattr(published, "metafile_entries", entries)
        yield found


def call(*arguments: str | Path) -> Result:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def refused(kind: type[EdgeError], *arguments: str | Path) -> EdgeError:
    with pytest.raises(EdgeError) as caught:
        call(*arguments)
    assert type(caught.value) is kind
    return caught.value


# fetch


def test_fetch_brings_what_is_named_and_says_size_and_place(site: Site, folder: Path) -> None:
    done = call("fetch", "resnet18", "mobilenet-v2", "--json")
    lines = done.stderr.splitlines()
    total = len(checkpoint(RESNET)) + len(checkpoint(MOBILENET))
    assert lines[0] == f"2 files to fetch into {folder}: {words.size(total)}"
    assert f"  fetched {file_of(RESNET)}, {words.size(len(checkpoint(RESNET)))}" in lines
    assert lines[-1] == f"In {folder}"
    told = json.loads(done.stdout)
    assert told["folder"] == str(folder)
    assert [(one["names"], one["came"], one["error"]) for one in told["checkpoints"]] == [
        ([RESNET], True, None),
        ([MOBILENET], True, None),
    ]
    assert Path(told["checkpoints"][0]["path"]).read_bytes() == checkpoint(RESNET)
    assert told["checkpoints"][0]["sha256"] == hashlib.sha256(checkpoint(RESNET)).hexdigest()


def test_fetch_of_a_task_brings_its_short_list_once(site: Site, folder: Path) -> None:
    told = json.loads(call("fetch", "--task", "detection", "--json").stdout)
    names = list(dict.fromkeys(card.name for card in shortlisted("detection")))
    assert [one["names"] for one in told["checkpoints"]] == [[name] for name in names]
    assert [one.file for one in Store(folder).held().values()] == sorted(file_of(name) for name in names)


def test_fetch_without_a_name_brings_all_that_produce_chooses_from(site: Site, folder: Path) -> None:
    call("fetch")
    assert set(Store(folder).held()) | {""} == set(site.files)


def test_fetch_again_checks_and_brings_nothing(site: Site, folder: Path) -> None:
    call("fetch", "resnet18")
    done = call("fetch", "resnet18", "--json")
    assert done.stderr.splitlines()[0] == "Nothing to fetch: 1 are there; checking them"
    assert json.loads(done.stdout)["checkpoints"][0]["came"] is False
    assert len(site.asked) == 1


def test_fetch_into_another_folder(site: Site, tmp_path: Path) -> None:
    call("fetch", "resnet18", "--folder", tmp_path / "x")
    assert (tmp_path / "x" / file_of(RESNET)).is_file()


def test_fetch_tells_what_failed_and_why_and_keeps_the_rest(site: Site, folder: Path) -> None:
    site.files[file_of(RESNET)] = b"<html>"
    error = refused(EnvironmentBroken, "fetch", "resnet18", "mobilenet-v2")
    assert str(error) == "1 of 2 could not be fetched"
    (reason,) = error.__notes__
    assert reason.startswith(f"{file_of(RESNET)}: http://127.0.0.1:")
    assert "is not a PyTorch checkpoint: it begins with b'<htm'; look at the address" in reason
    assert list(Store(folder).held()) == [file_of(MOBILENET)]


def test_fetch_ends_with_the_code_of_its_failures_where_they_are_of_one_kind(
    site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder.parent / "file").write_text("")
    refused(StorageError, "fetch", "resnet18", "--folder", folder.parent / "file")
    import fcntl

    folder.mkdir()
    with (folder / f".{file_of(RESNET)}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused(Busy, "fetch", "resnet18")
        del site.files[file_of(MOBILENET)]
        refused(EnvironmentBroken, "fetch", "resnet18", "mobilenet-v2")
    monkeypatch.setattr(published, "metafile_entries", lambda _: {RESNET: {}})
    error = refused(DataError, "fetch", "resnet18")
    assert error.__notes__[0].startswith(f"{RESNET}: mmpretrain publishes no checkpoint of {RESNET}.")


def test_fetch_in_json_tells_failures_before_it_ends(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    del site.files[file_of(RESNET)]
    done = CliRunner().invoke(app, ["fetch", "resnet18", "--json"])
    (one,) = json.loads(done.stdout)["checkpoints"]
    assert (one["names"], one["path"], one["sha256"]) == ([RESNET], None, None)
    assert "the server answers 404" in one["error"]


def test_fetch_that_is_stopped_says_that_what_came_is_kept(
    site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge.report.progress import BytesLine

    def stop(self: BytesLine, *_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(BytesLine, "moved", stop)
        done = CliRunner().invoke(app, ["fetch", "resnet18"])
    assert done.exit_code == Exit.INTERRUPTED
    assert "What came is kept; run the same command to go on." in done.stderr
    assert (folder / f"{file_of(RESNET)}.part").stat().st_size > 0
    call("fetch", "resnet18")


def test_fetch_of_unknown_models_and_idle_options_is_refused_before_anything(site: Site, folder: Path) -> None:
    with pytest.raises(ZooError, match="There is no model 'resnet19'"):
        call("fetch", "resnet18", "resnet19")
    refused(BadRequest, "fetch", "resnet18", "--all-listed")
    with pytest.raises(ZooError):
        call("fetch", "--task", "cooking")
    assert site.asked == []
    assert not folder.exists()


def test_models_without_a_checkpoint_are_told_and_fail_only_where_they_are_named(
    site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published_ones = {card.name for card in shortlisted("classification")}
    served = published.metafile_entries

    @functools.cache
    def entries(toolbox: str) -> dict[str, dict[str, Any]]:
        return {name: entry if name in published_ones else {} for name, entry in served(toolbox).items()}

    monkeypatch.setattr(published, "metafile_entries", entries)
    done = call("fetch", "--all-listed", "--task", "classification", "--json")
    told = json.loads(done.stdout)
    assert len(told["checkpoints"]) == len(published_ones)
    assert "tinynet_e" in told["unpublished"]
    lacking = len(told["unpublished"])
    assert done.stderr.splitlines()[-1] == f"{lacking} models without a published checkpoint: trained from scratch"
    assert "1 of 1 could not be fetched" in str(refused(DataError, "fetch", "tinynet_e"))


# bundles


def test_a_bundle_carries_weights_from_one_machine_to_another(site: Site, folder: Path, tmp_path: Path) -> None:
    call("fetch", "resnet18", "mobilenet-v2")
    done = call("bundle", "export", tmp_path / "b.tar", "--json")
    size = (tmp_path / "b.tar").stat().st_size
    assert done.stderr.splitlines()[0] == f"Bundle: {tmp_path}/b.tar, 2 files, {words.size(size)}"
    assert [one["names"] for one in json.loads(done.stdout)["files"]] == sorted([[RESNET], [MOBILENET]])
    shown = call("bundle", "show", tmp_path / "b.tar", "--json")
    assert json.loads(shown.stdout)["files"] == json.loads(done.stdout)["files"]
    assert file_of(RESNET) in shown.stderr
    there = tmp_path / "there"
    done = call("bundle", "import", tmp_path / "b.tar", "--folder", there, "--json")
    assert done.stderr.splitlines() == ["Imported: 2 files; 0 were there and right", f"They lie in {there}"]
    assert [one["came"] for one in json.loads(done.stdout)["files"]] == [True, True]
    assert Store(there).held() == Store(folder).held()
    assert Store(there).find(published.checkpoint(find(["resnet18"])[0])) is not None
    done = call("bundle", "import", tmp_path / "b.tar", "--folder", there)
    assert done.stderr.splitlines()[0] == "Imported: 0 files; 2 were there and right"


def test_an_export_takes_the_models_that_are_named(site: Site, tmp_path: Path) -> None:
    call("fetch", "resnet18", "mobilenet-v2")
    told = json.loads(call("bundle", "export", tmp_path / "b.tar", "resnet18", "--json").stdout)
    assert [one["names"] for one in told["files"]] == [[RESNET]]


def test_an_export_of_what_is_not_there_names_the_command_that_brings_it(
    site: Site, folder: Path, tmp_path: Path
) -> None:
    call("fetch", "resnet18")
    with pytest.raises(NotFetchedError) as caught:
        call("bundle", "export", tmp_path / "b.tar", "resnet18", "mobilenet-v2")
    assert str(caught.value) == f"1 of 2 checkpoints are not in {folder}: {MOBILENET}"
    assert caught.value.__notes__ == [f"run `edge fetch {MOBILENET} --folder {folder}`"]
    assert not (tmp_path / "b.tar").exists()


def test_an_export_of_nothing_is_refused(folder: Path, tmp_path: Path) -> None:
    error = refused(DataError, "bundle", "export", tmp_path / "b.tar")
    assert str(error) == f"no weights are in {folder}"


def test_a_damaged_bundle_is_refused(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "b.tar").write_bytes(b"x" * 5000)
    for command in ("show", "import"):
        with pytest.raises(BundleError, match=r"b\.tar is no bundle"):
            call("bundle", command, tmp_path / "b.tar")
    assert not folder.exists()


def test_a_bundle_carries_language_models_of_the_catalogue_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    model = b"GGUF" + bytes(5000)
    known = catalogue.entries()[0].model_copy(update={"sha256": hashlib.sha256(model).hexdigest()})
    place = tmp_path / "data" / "edge" / "llm"
    with monkeypatch.context() as patched:
        patched.setattr(catalogue, "entries", lambda: (known,))
        with pytest.raises(NotFetchedError, match="is not pulled"):
            call("bundle", "export", tmp_path / "b.tar", "--llm", known.name)
        with pytest.raises(UnknownModelError):
            call("bundle", "export", tmp_path / "b.tar", "--llm", "mine")
        place.mkdir(parents=True)
        (place / f"{known.name}.gguf").write_bytes(model)
        call("bundle", "export", tmp_path / "b.tar", "--llm", known.name)
        (place / f"{known.name}.gguf").unlink()
        call("bundle", "import", tmp_path / "b.tar")
        assert (place / f"{known.name}.gguf").read_bytes() == model
        assert Store(folder).held() == {}
    with pytest.raises(BundleError, match="which is not the language model that edge knows by that name"):
        call("bundle", "import", tmp_path / "b.tar")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BundleError("f", "s"), Exit.DATA),
        (NotFetchedError("f", "s"), Exit.ENVIRONMENT),
        (DamagedError("f", "s"), Exit.ENVIRONMENT),
        (FetchDiskError("f", "s"), Exit.STORAGE),
    ],
)
def test_every_refusal_has_its_exit_code(error: Exception, code: Exit) -> None:
    assert exit_code(error) == code
