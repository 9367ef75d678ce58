"""`edge llm`: the language models that can read requests in place of edge's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.options import Json, print_json

if TYPE_CHECKING:
    from llm_gguf.library.catalogue import Entry

app = typer.Typer(
    name="llm",
    help="Other language models to read requests with, in place of edge's own.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Folder = Annotated[
    Path | None,
    typer.Option(help="Folder of pulled models.", show_default="$XDG_DATA_HOME/edge/llm or ~/.local/share/edge/llm"),
]


@app.command("list")
def list_models(folder: Folder = None, as_json: Json = False) -> None:
    """Show the models that can be pulled, what each needs, and which are there."""
    from edge.report import tables, terminal, words
    from llm_gguf.library import catalogue, store

    place = _place(folder)
    models = catalogue.entries()
    there = {model.name: store.bytes_there(model.name, place) for model in models}
    others = store.others(place)
    terminal.models(tables.model_rows(models, there))
    if others:
        terminal.lines("Also there, not of the catalogue:", [f"{o.name}, {words.size(o.size_bytes)}" for o in others])
    if as_json:
        listed = [
            {
                **model.model_dump(),
                "memory_bytes": model.memory_bytes(),
                "bytes_there": there[model.name][0],
                "path": str(store.model_path(model.name, place)) if there[model.name][1] else None,
            }
            for model in models
        ]
        rest = [{"name": o.name, "path": str(o.path), "size_bytes": o.size_bytes} for o in others]
        print_json({"folder": str(place), "models": listed, "others": rest})


@app.command()
def pull(
    model: Annotated[str, typer.Argument(help="Name from `edge llm list`, or the https address of a .gguf file.")],
    sha256: Annotated[
        str | None, typer.Option(help="Hash that the file behind an address must have.", show_default="not checked")
    ] = None,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Download a model, checked against its hash; the same command again goes on where it stopped."""
    import sys

    from edge.report.progress import BytesLine
    from llm_gguf.library.fetch import pull as bring

    wanted = _wanted(model, sha256)
    line = BytesLine(model.rpartition("/")[2].partition("?")[0])
    try:
        path = bring(wanted, _place(folder), line, sha256=sha256)
    finally:
        line.clear()
    print(f"Pulled: {path}\nUse it: --llm {path.stem if folder is None else path}", file=sys.stderr)
    if as_json:
        print_json({"name": path.stem, "path": str(path), "size_bytes": path.stat().st_size})


def _place(folder: Path | None) -> Path:
    from llm_gguf.library.store import default_folder

    return folder.expanduser().resolve() if folder else default_folder()


def _wanted(model: str, sha256: str | None) -> Entry | str:
    """An entry of the catalogue, or an address."""
    from edge.errors import BadRequest
    from llm_gguf.library import catalogue, store

    if "://" in model:
        return model
    if sha256 is not None:
        raise BadRequest("--sha256 is for addresses; the catalogue has its own", "Leave --sha256 out.")
    entry = catalogue.entry(model)
    if entry is None:
        raise store.unknown(model, [known.name for known in catalogue.entries()])
    return entry


@app.command()
def bench(
    model: Annotated[str, typer.Argument(help="A GGUF file, or a name of `edge llm list` that is pulled.")],
    requests: Annotated[
        Path | None, typer.Option(help="JSONL, {id, request, config} a line.", show_default="edge's own benchmark")
    ] = None,
    as_json: Json = False,
) -> None:
    """Score how a model reads requests, on edge's own benchmark or on a file of yours."""
    from edge.bench_commands import By, score_requests
    from llm_gguf.library import store

    score_requests(requests, store.find(model), By.BOTH, as_json)
