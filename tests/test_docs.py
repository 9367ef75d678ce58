"""The pages that are written from the code are those on disk, and they know nothing of the machine they came from."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from edge.cli import app
from edge.errors import Exit
from edge.settings import Settings
from zoo.datasets import PUBLISHED, READERS
from zoo.datasets.public import public_sets

ROOT = Path(__file__).resolve().parent.parent
WRITTEN = ("COMMANDS.md", "EXIT_CODES.md", "PUBLIC_DATASETS.md", "SETTINGS.md")


def write_docs(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", ROOT / "tools" / "write_docs.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_written_pages_are_those_on_disk() -> None:
    done = write_docs("--check")
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_stale_page_is_told_with_a_diff_and_left_alone(tmp_path: Path) -> None:
    for name in WRITTEN:
        shutil.copy(ROOT / "docs" / name, tmp_path)
    path = tmp_path / "EXIT_CODES.md"
    old = path.read_text().replace("| 4 | infeasible |", "| 40 | infeasible |")
    path.write_text(old)
    (tmp_path / "SETTINGS.md").unlink()
    done = write_docs("--check", "--folder", tmp_path)
    assert done.returncode == 1
    assert done.stderr == "Stale: EXIT_CODES.md, SETTINGS.md. Run tools/write_docs.py.\n"
    assert "\n-| 40 | infeasible |" in done.stdout
    assert "\n+| 4 | infeasible |" in done.stdout
    assert path.read_text() == old
    assert not (tmp_path / "SETTINGS.md").exists()


def test_pages_are_written_where_they_are_stale(tmp_path: Path) -> None:
    assert write_docs("--folder", tmp_path).returncode == 0
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {name: page(name) for name in WRITTEN}


def test_every_command_is_in_the_docs_and_has_help() -> None:
    text = page("COMMANDS.md")
    for info in app.registered_commands:
        assert info.callback is not None
        assert info.callback.__doc__
        assert f"## edge {info.callback.__name__.replace('_', '-')}\n" in text


def test_every_option_of_every_command_has_help() -> None:
    options = re.findall(r"^  (--\S+)(?: <[^>]+>)?(.*)$", page("COMMANDS.md"), re.MULTILINE)
    assert len(options) > 20
    assert [name for name, words in options if not words.strip()] == []


def test_every_exit_code_and_setting_is_in_the_docs() -> None:
    assert all(f"\n| {int(code)} | " in page("EXIT_CODES.md") for code in Exit)
    assert all(f"\n| `{name}` | `EDGE_{name.upper()}` | " in page("SETTINGS.md") for name in Settings.__annotations__)


def test_every_format_and_public_data_set_is_in_the_docs() -> None:
    formats, sets = page("DATASETS.md"), page("PUBLIC_DATASETS.md")
    assert all(f"| {name} | " in formats for name, reader in READERS.items() if reader not in PUBLISHED)
    assert all(f"| [{card.title}]({card.home}) | " in sets for card in public_sets().values())


@pytest.mark.parametrize("name", WRITTEN)
def test_page_names_nothing_of_this_machine(name: str) -> None:
    text = page(name)
    assert str(ROOT) not in text
    assert str(Path.home()) + "/" not in text
    assert socket.gethostname() not in text


@pytest.mark.parametrize("path", ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))])
def test_links_inside_the_docs_lead_somewhere(path: str) -> None:
    here = ROOT / path
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", here.read_text(encoding="utf-8"))
    assert [link for link in links if not (here.parent / link).exists()] == []
