"""Options, help texts and the JSON line that several commands share."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Annotated, Any

import typer

LLM_HELP = "Another GGUF model to read the request: a file, or a name of `edge llm list`."
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document as the last line of standard output.")]


def print_json(document: Any) -> None:
    """One line on standard output.

    UTF-8 whatever the locale; a file name that is not becomes an escape that JSON readers undo.
    """
    with contextlib.suppress(AttributeError):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    print(json.dumps(document, ensure_ascii=False), flush=True)
