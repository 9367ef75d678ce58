"""Writes docs/COMMANDS.md, EXIT_CODES.md, PUBLIC_DATASETS.md and SETTINGS.md from the code and cards they describe.

`--check` writes nothing, prints what would change, and exits 1 if anything would. Nothing here depends on the machine:
help has a fixed width, and paths of this machine never appear in defaults.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import inspect
import re
import sys
from pathlib import Path
from typing import Any

import typer

from edge import errors
from edge.appliance.limits import LIMIT_READERS, Limits
from edge.cli import app
from edge.errors import EdgeError, Exit
from edge.settings import FILE_VARIABLE, RANGES, Settings
from zoo.datasets.public import PublicSet, public_sets

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 100
WRITTEN = "<!-- Written by tools/write_docs.py from the code; edit that and run the tool again. -->"
# Codes without an exception class of their own.
PLAIN = {
    Exit.OK: "Done; the result holds what was asked, or says what was not checked.",
    Exit.INTERNAL: "A bug in edge, with its traceback; with `--debug`, any error.",
    Exit.USAGE: "The command line itself is wrong: an unknown command or option, a missing argument.",
}


def commands() -> str:
    """The help of every command, as the terminal shows it."""
    root: Any = typer.main.get_command(app)
    parts = [
        f"# Commands\n\n{WRITTEN}\n\nHuman words go to standard error; standard output carries JSON only. "
        "How a command ends is one of the [exit codes](EXIT_CODES.md).",
        _help(root, "edge"),
    ]
    for name, command in root.commands.items():
        if command.hidden:
            continue
        parts.append(f"## edge {name}\n\n{_help(command, f'edge {name}')}")
        for sub, below in getattr(command, "commands", {}).items():
            parts.append(f"### edge {name} {sub}\n\n{_help(below, f'edge {name} {sub}')}")
    return "\n\n".join(parts) + "\n"


def exit_codes() -> str:
    """One row per code; the sentence is the docstring of the error's class."""
    meanings = dict(PLAIN)
    for kind in vars(errors).values():
        if inspect.isclass(kind) and kind.__base__ is EdgeError:  # a code belongs to the widest class that has it
            meanings[kind.exit_code] = inspect.cleandoc(kind.__doc__ or "").splitlines()[0]
    rows = [f"| {int(code)} | {code.name.lower().replace('_', ' ')} | {meanings[code]} |" for code in Exit]
    return (
        f"# Exit codes\n\n{WRITTEN}\n\n"
        "An error prints `Error:` with the fact, and below it, indented, the next step.\n\n"
        "| code | name | when |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    )


KINDS = {"int": "whole number", "float": "number", "Path | None": "path", "tuple[str, ...]": "words and commas"}


def setting_rows(table: type[Any], prefix: str, kinds: dict[str, str]) -> str:
    """One row per field; the words are the comment beside the field, its kind is by its name or else its type."""
    source = inspect.getsource(table)
    rows = []
    for field in dataclasses.fields(table):
        found = re.search(rf"^    {field.name}: ([^=]+?) = .*?  # (.+)$", source, re.MULTILINE)
        if found is None:
            raise SystemExit(f"{table.__name__}: {field.name} has no comment that explains it")
        kind = kinds.get(field.name) or kinds[found.group(1)]
        least, most = RANGES.get(field.name, (None, None))
        reach = "" if least is None else f", {least} to {most}"
        default = "none" if field.default is None else f"`{_plain(field.default)}`"
        rows.append(
            f"| `{field.name}` | `{prefix}{field.name.upper()}` | {kind}{reach} | {default} | {found.group(2)} |"
        )
    return "\n".join(rows)


def settings_page() -> str:
    """The settings of every command, then those of the watcher."""
    head = "| setting | variable | value | default | what it is |\n|---|---|---|---|---|\n"
    watch_kinds = {name: words for name, (_, words) in LIMIT_READERS.items()}
    return (
        f"# Settings\n\n{WRITTEN}\n\n"
        "A setting is taken from the first of these that gives it: the command's flag, the environment variable, the\n"
        "settings file, the default. The file is TOML with the names below as keys; it lies in\n"
        f"`$XDG_CONFIG_HOME/edge/settings.toml` (usually `~/.config/edge/settings.toml`) or where `{FILE_VARIABLE}`\n"
        "says. Unknown names and wrong values are errors, all told at once.\n\n"
        f"{head}{setting_rows(Settings, 'EDGE_', KINDS)}\n\n"
        "## edge watch\n\n"
        "These stand in the file below `[watch]`. A running watcher reads them again on SIGHUP, but for the spool.\n\n"
        f"{head}{setting_rows(Limits, 'EDGE_WATCH_', watch_kinds)}\n"
    )


PUBLIC = """
edge brings no data, and fetches none. It knows these sets by a card each: what they are called, on which terms they may
be used, and in which sense their makers meant each class. A set that was unpacked into a folder of its name in the
place that `edge zoo list` says (`~/.local/share/edge/datasets`, or the setting `data_home`) is found by what a request
wants, without being registered. One that lies elsewhere is registered under its name, `edge zoo add coco DIR --task
detection`, or given with `--data DIR`. It is used where it lies, as it is. If a path of the table is not there, the set
is not used for that task, and `edge zoo list` says which.

Licences are told in short, as far as the makers state them; read theirs before a model is sold.

- Boxes of these sets that reach out of their images are cut to them and empty ones left out, counted in a note: nobody
  will correct them. In a set of one's own they are errors.
- What a set says to ignore is neither learnt nor scored (values of masks, crowds, groups), or left out and counted
  (regions).
- Where the labels of the test part are not published, the validation part is what is tested on.
- Class folders that are called by WordNet's ids, as ImageNet's are, get WordNet's words, also a part of them such as
  Imagenette.
"""


def public_datasets() -> str:
    """A row per card, and what else has to be known of a set."""
    cards = public_sets()
    rows = [
        f"| [{card.title}]({card.home}) | {', '.join(card.tasks)} | {len(card.vocabulary.classes)} | {card.licence} |"
        f" {_expected(card)} | {', '.join(dict.fromkeys(card.formats.values()))} |"
        for card in cards.values()
    ]
    notes = [f"- **{card.title}**: {card.note}" for card in cards.values() if card.note]
    return (
        f"# Public data sets\n\n{WRITTEN}\n{PUBLIC}\n"
        "| set | tasks | classes | licence | expected at | read as |\n|---|---|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n\nWhat else to know:\n\n"
        + "\n".join(notes)
        + "\n"
    )


def _expected(card: PublicSet) -> str:
    """The folders that a set may lie in, and what has to be there, by task where that differs."""
    places = [f"`{card.name}/`", *([f"`{card.name}/{card.folder}/`"] if card.folder else [])]
    groups: dict[tuple[str, ...], list[str]] = {}
    for task, paths in card.layout.items():
        groups.setdefault(paths, []).append(task)
    told = (
        (f"for {', '.join(tasks)}: " if len(groups) > 1 else "") + ", ".join(f"`{path}`" for path in paths)
        for paths, tasks in groups.items()
    )
    return f"{' or '.join(places)}: {'; '.join(told)}"


def _plain(default: object) -> object:
    return ",".join(default) if isinstance(default, tuple) else default


PAGES = {
    "COMMANDS.md": commands,
    "EXIT_CODES.md": exit_codes,
    "PUBLIC_DATASETS.md": public_datasets,
    "SETTINGS.md": settings_page,
}


def main() -> int:
    """Write the pages, or with --check compare them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 with a diff if a page is stale")
    parser.add_argument("--folder", type=Path, default=ROOT / "docs", help="where the pages lie")
    arguments = parser.parse_args()
    stale = []
    for name, page in PAGES.items():
        path, text = arguments.folder / name, page()
        held = path.read_text(encoding="utf-8") if path.is_file() else ""
        if held == text:
            continue
        stale.append(name)
        if arguments.check:
            lines = (held.splitlines(keepends=True), text.splitlines(keepends=True))
            sys.stdout.writelines(difflib.unified_diff(*lines, f"docs/{name}", "from the code"))
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path}", file=sys.stderr)
    if stale and arguments.check:
        print(f"Stale: {', '.join(stale)}. Run tools/write_docs.py.", file=sys.stderr)
        return 1
    return 0


def _help(command: Any, name: str) -> str:
    context = typer.Context(command, info_name=name, terminal_width=WIDTH, color=False)
    text = "\n".join(line.rstrip() for line in command.get_help(context).strip().splitlines())
    return f"```\n{text}\n```"


if __name__ == "__main__":
    raise SystemExit(main())
