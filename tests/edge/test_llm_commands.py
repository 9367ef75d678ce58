"""`edge llm list` and `edge llm pull`: what they print, where, and how they end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import Site, serving
from typer.testing import CliRunner, Result

from edge import llm_commands
from edge.errors import BadRequest
from llm_gguf.errors import UnknownModelError
from llm_gguf.library import catalogue
from zoo.supply.errors import WrongFileError

MODEL = b"GGUF" + bytes(range(256)) * 400
SHA256 = hashlib.sha256(MODEL).hexdigest()
FIRST, SECOND = catalogue.entries()[:2]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "140")
    return tmp_path / "edge" / "llm"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server that has the catalogue's first model."""
    with serving(Site(MODEL)) as found:
        facts = {"address": found.address, "sha256": SHA256, "size_bytes": len(MODEL)}
        listed = (FIRST.model_copy(update=facts), *catalogue.entries()[1:])
        monkeypatch.setattr(catalogue, "entries", lambda: listed)
        yield found


def call(*arguments: str | Path) -> Result:
    done = CliRunner().invoke(llm_commands.app, [str(argument) for argument in arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_list_names_every_model_with_what_it_needs() -> None:
    done = call("list")
    assert (done.exit_code, done.stdout) == (0, "")
    lines = [line.rstrip() for line in done.stderr.splitlines()]
    assert lines[1].split() == ["model", "parameters", "size", "memory", "licence", "state", "good", "for"]
    for entry in catalogue.entries():
        (line,) = (line for line in lines if line.startswith(entry.name))
        assert entry.licence in line
        assert "not pulled" in line


@pytest.mark.parametrize("columns", ["40", "80"])
def test_list_fits_the_terminal(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert max(len(line.rstrip()) for line in call("list").stderr.splitlines()) <= int(columns)


def test_list_says_what_is_there_in_part_and_besides(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / f"{FIRST.name}.gguf").write_bytes(MODEL)
    (folder / f"{SECOND.name}.gguf.part").write_bytes(MODEL)
    (folder / "mine.gguf").write_bytes(MODEL)
    done = call("list", "--json")
    assert f"{FIRST.licence}  pulled" in done.stderr
    assert "102 kB so far" in done.stderr
    assert "- mine, 102 kB" in done.stderr
    told = json.loads(done.stdout)
    assert told["models"][0]["path"] == str(folder / f"{FIRST.name}.gguf")
    assert (told["models"][1]["path"], told["models"][1]["bytes_there"]) == (None, len(MODEL))
    assert told["others"] == [{"name": "mine", "path": str(folder / "mine.gguf"), "size_bytes": len(MODEL)}]


def test_list_in_json_has_every_fact() -> None:
    told = json.loads(call("list", "--json").stdout)
    assert [model["name"] for model in told["models"]] == [entry.name for entry in catalogue.entries()]
    assert {"sha256", "address", "licence", "source", "memory_bytes"} <= set(told["models"][0])


def test_a_size_nobody_knows_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "entries", lambda: (FIRST.model_copy(update={"size_bytes": None}),))
    assert call("list").stderr.count("unknown until pulled") == 2


def test_pull_says_where_the_model_lies_and_how_to_use_it(site: Site, folder: Path) -> None:
    done = call("pull", FIRST.name, "--json")
    path = folder / f"{FIRST.name}.gguf"
    assert path.read_bytes() == MODEL
    assert done.stderr == f"Pulled: {path}\nUse it: --llm {FIRST.name}\n"
    assert json.loads(done.stdout) == {"name": FIRST.name, "path": str(path), "size_bytes": len(MODEL)}


def test_pull_into_another_folder_is_used_by_its_path(site: Site, tmp_path: Path) -> None:
    done = call("pull", site.address, "--sha256", SHA256, "--folder", tmp_path / "x")
    assert done.stderr == f"Pulled: {tmp_path}/x/model.gguf\nUse it: --llm {tmp_path}/x/model.gguf\n"


def test_pull_tells_what_is_worth_a_line(site: Site, folder: Path) -> None:
    assert f"  sha256 {SHA256}, not checked against anything\n" in call("pull", site.address).stderr
    assert "is there already; without --sha256 it was not checked\n" in call("pull", site.address).stderr


def test_pull_of_a_wrong_file_leaves_nothing(site: Site, folder: Path) -> None:
    with pytest.raises(WrongFileError, match="it was thrown away"):
        call("pull", site.address, "--sha256", "0" * 64)
    assert [path.name for path in folder.iterdir()] == [".model.gguf.lock"]


def test_pull_of_an_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(UnknownModelError) as caught:
        call("pull", FIRST.name.removesuffix("m"))
    assert caught.value.__notes__[0].startswith(f"did you mean {FIRST.name}")


def test_pull_takes_a_hash_for_addresses_only() -> None:
    with pytest.raises(BadRequest, match="--sha256 is for addresses"):
        call("pull", FIRST.name, "--sha256", SHA256)
