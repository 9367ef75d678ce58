"""`edge bench`: what edge does, measured on files of known answers."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

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
    llm: Annotated[
        str | None, typer.Option(help="Another GGUF model: a file or a name.", show_default="edge's own")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")] = False,
) -> None:
    """Score the reading of requests: keys right, requests right, invented wishes, per key and per task."""
    from edge.settings import resolve

    score_requests(file, resolve(llm=llm).llm, by, as_json)


def score_requests(file: Path | None, llm: Path | None, by: By, as_json: bool) -> None:
    """Read every request of the file (edge's own benchmark if None), print the score."""
    import json

    from edge.report import terminal
    from edge.report.progress import ProgressLine
    from llm_gguf import batch, understanding

    progress = ProgressLine()
    rows = batch.rows((file or batch.OWN_BENCHMARK).expanduser())
    reader = understanding.reading(llm, by=by.value)
    results = []
    for done in batch.read(rows, reader):
        results.append(done)
        progress.say(f"{len(results)} of {len(rows)}")
    progress.clear()
    found = batch.score(results)
    terminal.benchmark(found)
    if as_json:
        print(json.dumps(asdict(found), ensure_ascii=False))
