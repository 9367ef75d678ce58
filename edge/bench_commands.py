"""`edge bench`: what edge does, measured on files of known answers."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from edge.options import LLM_HELP, Json, print_json

app = typer.Typer(
    name="bench", help="Measure edge itself on known answers.", no_args_is_help=True, rich_markup_mode=None
)


class By(StrEnum):
    """Who reads."""

    BOTH = "both"
    MODEL = "model"
    RULES = "rules"


@app.command()
def requests(
    file: Annotated[
        Path | None, typer.Argument(help="JSONL, {id, request, config} a line.", show_default="edge's own benchmark")
    ] = None,
    by: Annotated[
        By, typer.Option(help="Both readers together, the language model alone, or the rules alone.")
    ] = By.BOTH,
    llm: Annotated[str | None, typer.Option(help=LLM_HELP, show_default="edge's own")] = None,
    as_json: Json = False,
) -> None:
    """Score the reading of requests: keys right, requests right, invented wishes, per key and per task."""
    from edge.settings import resolve

    score_requests(file, resolve(llm=llm).llm, by, as_json)


def score_requests(file: Path | None, llm: Path | None, by: By, as_json: bool) -> None:
    """Read every request of the file (edge's own benchmark if None), print the score."""
    from edge.report import terminal
    from edge.report.progress import counted
    from llm_gguf import batch, understanding

    rows = batch.rows((file or batch.OWN_BENCHMARK).expanduser())
    reader = understanding.reading(llm, by=by.value)
    found = batch.score(list(counted(batch.read(rows, reader), len(rows))))
    terminal.benchmark(found)
    if as_json:
        print_json(asdict(found))
