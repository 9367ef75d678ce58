"""Writes docs/COMMANDS.md, docs/EXIT_CODES.md and docs/SETTINGS.md from the code that they describe.

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
from edge.cli import app
from edge.errors import EdgeError, Exit
from edge.settings import FILE_VARIABLE, RANGES, Settings

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


def settings_page() -> str:
    """One row per field of Settings; the words are the comment beside the field."""
    source = inspect.getsource(Settings)
    rows = []
    for field in dataclasses.fields(Settings):
        found = re.search(rf"^    {field.name}: ([^=]+?) = .*?  # (.+)$", source, re.MULTILINE)
        if found is None:
            raise SystemExit(f"edge/settings.py: {field.name} has no comment that explains it")
        kind = KINDS[found.group(1)]
        least, most = RANGES.get(field.name, (None, None))
        reach = "" if least is None else f", {least} to {most}"
        default = "none" if field.default is None else f"`{_plain(field.default)}`"
        rows.append(f"| `{field.name}` | `EDGE_{field.name.upper()}` | {kind}{reach} | {default} | {found.group(2)} |")
    return (
        f"# Settings\n\n{WRITTEN}\n\n"
        "A setting is taken from the first of these that gives it: the command's flag, the environment variable, the\n"
        "settings file, the default. The file is TOML with the names below as keys; it lies in\n"
        f"`$XDG_CONFIG_HOME/edge/settings.toml` (usually `~/.config/edge/settings.toml`) or where `{FILE_VARIABLE}`\n"
        "says. Unknown names and wrong values are errors, all told at once.\n\n"
        "| setting | variable | value | default | what it is |\n|---|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def _plain(default: object) -> object:
    return ",".join(default) if isinstance(default, tuple) else default


PAGES = {"COMMANDS.md": commands, "EXIT_CODES.md": exit_codes, "SETTINGS.md": settings_page}


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
