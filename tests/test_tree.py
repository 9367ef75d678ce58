"""The tree in the README is the tree on disk."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def tree() -> dict[str, str]:
    """Folder -> its sentence, from the fenced block below the heading "The tree" of the README."""
    _, found, below = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## The tree\n")
    assert found, "README.md has no heading '## The tree'"
    block = below.split("```")[1]
    lines = [line.strip().partition(" ") for line in block.splitlines()[1:] if line.strip()]
    return {name.rstrip("/"): words.strip() for name, _, words in lines}


def folders() -> set[str]:
    """What git tracks or would track: the top-level folders, and the rooms inside edge/."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a clone: git knows no files here")
    files = [Path(name) for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    top = {path.parts[0] for path in files if len(path.parts) > 1}
    return top | {"/".join(path.parts[:2]) for path in files if path.parts[0] == "edge" and len(path.parts) > 2}


def test_tree_names_exactly_the_folders_there_are() -> None:
    assert set(tree()) == folders()


def test_every_folder_has_a_sentence() -> None:
    assert [name for name, words in tree().items() if len(words) < 10] == []


def test_every_folder_is_named_once() -> None:
    below = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## The tree\n")[2].split("```")[1]
    names = [line.split()[0] for line in below.splitlines()[1:] if line.strip()]
    assert len(names) == len(set(names))
