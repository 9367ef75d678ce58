"""`edge watch` and `edge queue`: the service that watches a folder, and a look into it from any other process."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from edge.options import Json, print_json

if TYPE_CHECKING:
    from edge.appliance.beside import Beside
    from edge.appliance.entry import Entry
    from edge.appliance.limits import Limits
    from edge.appliance.log import Log
    from edge.appliance.spool import Act, Spool

app = typer.Typer(
    name="queue",
    help="The requests of a watched folder; works with and without a watcher.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

WAIT_S = 5.0  # for the watcher to do what it was asked, before it is only said that it was asked
Place = Literal["done", "failed", "rejected"]

SpoolOption = Annotated[
    Path | None, typer.Option(help="The watched folder.", show_default="$XDG_DATA_HOME/edge/spool or ~/.local/share")
]
Requests = Annotated[list[str], typer.Argument(help="IDs or numbers of `edge queue list`.")]


def watch(
    spool: SpoolOption = None,
    once: Annotated[bool, typer.Option("--once", help="Do what is there, then end.")] = False,
    settle: Annotated[
        str | None, typer.Option(help="A file that did not change for so long is whole.", show_default="2s")
    ] = None,
    scan: Annotated[str | None, typer.Option(help="Time between two looks at the folder.", show_default="5s")] = None,
    crashes: Annotated[
        int | None, typer.Option(help="A request whose worker crashed so often is set aside.", show_default="3")
    ] = None,
    hang: Annotated[
        str | None, typer.Option(help="A worker that tells nothing for so long is ended.", show_default="30m")
    ] = None,
    grace: Annotated[
        str | None, typer.Option(help="From asking a worker to stop to killing it.", show_default="60s")
    ] = None,
    least_free: Annotated[
        str | None, typer.Option(help="No job begins with less free on the disk.", show_default="2GB")
    ] = None,
    keep_for: Annotated[
        str | None,
        typer.Option(help="Delete results after so long, such as 30d of watching.", show_default="keep them"),
    ] = None,
    keep_size: Annotated[
        str | None, typer.Option(help="Delete the oldest results beyond this size.", show_default="keep them")
    ] = None,
    data_below: Annotated[
        Path | None, typer.Option(help="Requests may name folders of data only in here.", show_default="anywhere")
    ] = None,
    http: Annotated[
        str | None, typer.Option(help="Serve a status page here, such as 127.0.0.1:8080.", show_default="no page")
    ] = None,
    http_token: Annotated[
        Path | None,
        typer.Option(help="File with the word that opens the page; made if missing.", show_default="none asked"),
    ] = None,
    http_names: Annotated[
        str | None, typer.Option(help="Further names the page is called by.", show_default="this machine's")
    ] = None,
    metrics: Annotated[
        Path | None, typer.Option(help="Keep a .prom file there for node_exporter.", show_default="none")
    ] = None,
) -> None:
    """Make packages of the requests that are dropped into DIR/incoming, one after the other, until it is stopped.

    Results appear in DIR/done, DIR/failed and DIR/rejected, each in a folder with its status and, if there is no
    package, the reason.
    """
    from edge.appliance.beside import Company
    from edge.appliance.likeness import likeness
    from edge.appliance.limits import resolve_limits
    from edge.appliance.log import Log
    from edge.appliance.loop import Trade, Watcher
    from edge.appliance.notify import notifier
    from edge.appliance.spool import Spool, default_spool

    def limits() -> Limits:
        return resolve_limits(
            spool=spool,
            settle=settle,
            scan=scan,
            crashes=crashes,
            hang=hang,
            grace=grace,
            least_free=least_free,
            keep_for=keep_for,
            keep_size=keep_size,
            data_below=data_below,
            http=http,
            http_token=http_token,
            http_names=http_names,
            metrics=metrics,
        )

    found, log = limits(), Log()
    place = Spool.made(found.spool or default_spool())
    watcher = Watcher(
        place,
        found,
        Trade(produce_command, likeness),
        notifier(),
        log,
        company=Company(log, *_beside(place, found, log)),
        reload=limits,
    )
    watcher.watch(once=once)


def _beside(spool: Spool, limits: Limits, log: Log) -> list[Beside]:
    """What the watcher looks after beside its work. The page is loaded where one is asked for."""
    from edge.appliance.announce import Announcer
    from edge.appliance.metrics import MetricsFile

    found: list[Beside] = [Announcer(spool, limits, log), MetricsFile(spool, limits, log)]
    if limits.http is not None:
        from edge.appliance.web.process import Page

        found.append(Page(spool, limits, limits.http, log))
    return found


def produce_command(entry: Entry, arguments: Sequence[str], events: int) -> list[str]:
    """The worker's command: what a person would type, and where it tells how far it is."""
    command = [sys.executable, "-P", "-m", "edge", "produce"]
    return [*command, "--out", str(entry.job), "--events", str(events), *arguments]


@app.command("list")
def list_requests(
    spool: SpoolOption = None,
    every: Annotated[bool, typer.Option("--all", help="Also beyond the last 20 that ended.")] = False,
    as_json: Json = False,
) -> None:
    """List what runs, what waits in its order, and what ended, the latest first."""
    from edge.appliance.overview import not_taken, read_overview, requests
    from edge.report import terminal, words

    found = _spool(spool)
    overview, listed = read_overview(found), requests(found)
    open_ones = [one for one in listed if one.state in ("running", "queued")]
    ended = [one for one in listed if one.state not in ("running", "queued")]
    shown = [*open_ones, *(ended if every else ended[:20])]
    rows = [(one.id, one.state, one.stage, str(one.priority), one.text[:60]) for one in shown]
    if rows:
        terminal.plain({"request": False, "state": False, "stage": False, "priority": True, "text": False}, rows)
    hidden = len(listed) - len(shown)
    print(
        f"{words.sentence_start(overview.words)}"
        + (f"; {hidden} that ended are not shown, --all does" if hidden else ""),
        file=sys.stderr,
    )
    passing = not_taken(found)
    if passing:
        print(f"{words.plural(passing, 'file')} in incoming are some program's own and are not taken.", file=sys.stderr)
    if as_json:
        print_json({"watcher": asdict(overview), "requests": [asdict(one) for one in listed]})


@app.command()
def show(
    request: Annotated[str, typer.Argument(help="ID or number of `edge queue list`.")],
    spool: SpoolOption = None,
    as_json: Json = False,
) -> None:
    """Show one request: where it stands, or its package, or why there is none."""
    from edge.appliance.status import Status, plain, read_status

    folder = _folder(_spool(spool), request)
    status = read_status(folder) or Status(folder.name, "", "queued" if folder.parent.name == "work" else "")
    print(f"{plain(status)}{'Folder':<10}{folder}", file=sys.stderr)
    if as_json:
        print_json({**asdict(status), "folder": str(folder)})


@app.command()
def cancel(requests: Requests, spool: SpoolOption = None) -> None:
    """Take requests out of the queue; one that runs is stopped. `retry` brings them back."""
    _ask(_spool(spool), "cancel", requests, ("work",))


@app.command()
def retry(
    requests: Requests,
    afresh: Annotated[bool, typer.Option("--afresh", help="Forget the steps that are finished.")] = False,
    spool: SpoolOption = None,
) -> None:
    """Queue requests again that failed, were rejected or cancelled; finished steps are kept."""
    _ask(_spool(spool), "afresh" if afresh else "retry", requests, ("failed", "rejected"))


@app.command()
def purge(
    requests: Annotated[
        list[str] | None, typer.Argument(help="IDs or numbers of `edge queue list`.", show_default="by --state")
    ] = None,
    state: Annotated[
        str | None, typer.Option(help="All that are in done, failed or rejected.", show_default="those named")
    ] = None,
    spool: SpoolOption = None,
) -> None:
    """Delete results, packages included."""
    from edge.errors import BadRequest
    from edge.report import words

    found = _spool(spool)
    if (state is None) == (not requests):
        raise BadRequest("say which results go: either their IDs or --state", "`edge queue list` shows them.")
    if state is not None and state not in get_args(Place):
        raise BadRequest(f"--state {state} is none", "It is done, failed or rejected.")
    if state is not None:
        folders = [found.root / state / known for known in found.ids(found.root / state)]
    else:
        folders = [_folder(found, request) for request in requests or ()]
        _refuse_elsewhere(folders, get_args(Place), "Cancel it first: edge queue cancel.")
    for folder in folders:
        found.discard(folder)
    print(f"Deleted: {words.plural(len(folders), 'result')}", file=sys.stderr)


def _ask(spool: Spool, act: Act, requests: Sequence[str], places: Sequence[str]) -> None:
    """Leave wishes for the watcher; do them here if there is none."""
    from edge.errors import Busy

    folders = [_folder(spool, request) for request in requests]
    _refuse_elsewhere(folders, places, "`edge queue list` shows which requests can be.")
    wishes = [spool.wish(act, folder.name) for folder in folders]
    until_s = time.monotonic() + WAIT_S
    while any(wish.exists() for wish in wishes) and time.monotonic() < until_s:
        try:
            _serve(spool)
        except Busy:
            time.sleep(0.1)
    for folder, wish in zip(folders, wishes, strict=True):
        done = (
            "asked; the watcher does it soon" if wish.exists() else "cancelled" if act == "cancel" else "queued again"
        )
        print(f"{folder.name}: {done}", file=sys.stderr)


def _serve(spool: Spool) -> None:
    """Be the owner for a moment, and do what was wished."""
    from edge.appliance.limits import resolve_limits
    from edge.appliance.log import Log
    from edge.appliance.queue import Queue

    with spool.owned():
        queue = Queue(spool, resolve_limits(), Log(quiet=True))
        queue.recover()
        queue.obey()
        queue.read_all()


def _spool(given: Path | None) -> Spool:
    from edge.appliance.limits import resolve_limits
    from edge.appliance.spool import Spool, default_spool

    return Spool.existing(resolve_limits(spool=given).spool or default_spool())


def _folder(spool: Spool, request: str) -> Path:
    from edge.errors import BadRequest
    from edge.report.words import printable

    folder = spool.find(request)
    if folder is None:
        raise BadRequest(f"there is no request {printable(request)!r}", "`edge queue list` shows those there are.")
    return folder


def _refuse_elsewhere(folders: Sequence[Path], places: Sequence[str], hint: str) -> None:
    from edge.errors import BadRequest

    wrong = [folder for folder in folders if folder.parent.name not in places]
    if wrong:
        raise BadRequest(f"{wrong[0].name} is in {wrong[0].parent.name}", hint)
