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

SAY_EVERY_S = 0.2
"""Often enough to look alive, rare enough to cost nothing."""
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

    from llm_gguf.library.fetch import pull as bring

    wanted = _wanted(model, sha256)
    line = _Line(model)
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


class _Line:
    """Progress of one download on the terminal: how much, how fast, how long still."""

    def __init__(self, model: str) -> None:
        from edge.report.progress import ProgressLine

        self._name = model.rpartition("/")[2].partition("?")[0]
        self._line = ProgressLine()
        self._told_at = 0.0
        self._began: tuple[float, int] | None = None
        """Time and bytes of the first report, from which the pace is reckoned."""

    def moved(self, done_bytes: int, total_bytes: int | None) -> None:
        import time

        from edge.report import words

        now = time.monotonic()
        if self._began is None or done_bytes < self._began[1]:
            self._began = (now, done_bytes)
        if now - self._told_at < SAY_EVERY_S:
            return
        self._told_at = now
        told = f"{self._name}: {words.size(done_bytes)}"
        if total_bytes:
            told += f" of {words.size(total_bytes)}, {words.share(done_bytes / total_bytes)}"
        pace = (done_bytes - self._began[1]) / max(now - self._began[0], 1e-9)
        if pace > 0 and now - self._began[0] > 1:
            told += f", {words.size(pace)}/s"
            told += f", {words.duration((total_bytes - done_bytes) / pace)} left" if total_bytes else ""
        self._line.say(told)

    def told(self, notice: str) -> None:
        import sys

        self.clear()
        print(f"  {notice}", file=sys.stderr, flush=True)

    def clear(self) -> None:
        self._line.clear()


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
