"""`edge profile`: the speed of the zoo's models, or of an ONNX file, on this machine."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from edge.options import Json, print_json

if TYPE_CHECKING:
    from typer._click.core import Context

    from edge.artefacts.variant import Offer
    from edge.profiling.database import Database
    from edge.profiling.row import Row
    from zoo.models import ModelCard

DEFAULT = "models"


class _Group(TyperGroup):
    """`edge profile resnet18` means `edge profile models resnet18`: what is no command's name is an argument."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="profile",
    help="Measure models on this machine: `edge profile resnet18` is short for `edge profile models resnet18`.",
    cls=_Group,
    rich_markup_mode=None,
)

Profiles = Annotated[
    Path | None,
    typer.Option(
        "--profiles", help="The profile database.", show_default="$XDG_DATA_HOME/edge/profiles.db or ~/.local/share"
    ),
]
Task = Annotated[
    str | None, typer.Option(help="classification, detection, segmentation or keypoint.", show_default="all")
]
Backend = Annotated[
    list[str] | None, typer.Option(help="Engine; may be given several times.", show_default="all that are here")
]
Precision = Annotated[
    list[str] | None,
    typer.Option(help="fp32, fp16, bf16 or int8; may be given several times.", show_default="all native here"),
]


@app.command()
def models(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL]...", help="Names of models, or how they begin.", show_default="the zoo's list"),
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="Measure this ONNX file instead of models of the zoo.", show_default="none")
    ] = None,
    family: Annotated[
        str | None,
        typer.Option(help="Also those whose family or name fits, such as 'mobilenet*'.", show_default="none"),
    ] = None,
    task: Task = None,
    backend: Backend = None,
    precision: Precision = None,
    threads: Annotated[int | None, typer.Option(help="Threads of each model.", show_default="1")] = None,
    budget: Annotated[
        str | None,
        typer.Option(help="No model but the first is begun after that time: 30m, 2h.", show_default="no limit"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the same sweep where it was stopped, instead of anew.")
    ] = False,
    csv: Annotated[Path | None, typer.Option(help="Also write every row to this file.", show_default="none")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the leaderboard, its CSV and the plots.")] = Path("edge-profile"),
    profiles: Profiles = None,
    as_json: Json = False,
) -> None:
    """Measure models on every engine and precision here; write database, leaderboard, plot and CSV.

    Every form is measured three times, minutes apart, four models at a time. Without names, --family or --task the
    whole list of some 120 models is measured, which takes about two and a half hours. One Ctrl-C stops; models that
    were measured to the end are kept, and --resume with the same options goes on behind them.
    """
    from edge.artefacts.variant import offered
    from edge.errors import BadRequest
    from edge.profiling.database import Database
    from edge.settings import resolve, seconds
    from profiler.hardware import fingerprint
    from zoo.models import find

    settings = resolve(threads=threads, profiles=profiles)
    offer = offered(backend or (), _known(precision or []))
    _refuse_absent(offer, backend or [], precision or [])
    if model is not None and (names or family or task or resume or budget):
        raise BadRequest(
            "--model is one file of yours; names, --family, --task, --resume and --budget are for models of the zoo",
            "Give one or the other.",
        )
    out = _folder(out)
    if csv is not None:
        csv = _folder(csv.parent) / csv.name
    with Database.open(settings.profiles) as database:
        if model is not None:
            found = _measure_file(model.expanduser().resolve(), offer, database, settings.threads)
        else:
            cards = find(names or (), family, task)
            arguments = {
                "models": sorted(f"{card.name} {card.width}x{card.height}" for card in cards),
                "machine": fingerprint().key,
                "variants": [variant.title for variant in offer.variants],
                "threads": settings.threads,
            }
            budget_s = seconds(budget) if budget else None
            found = _sweep(cards, offer, database, arguments, settings.threads, budget_s, resume)
        _write(database, found, out, csv)
    if as_json:
        print_json([row.outline() for row in found])


@app.command()
def show(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="Names or patterns.", show_default="all")
    ] = None,
    task: Task = None,
    everywhere: Annotated[
        bool, typer.Option("--everywhere", help="Also what was imported from other machines.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Also write leaderboard, CSV and plots here.", show_default="no files")
    ] = None,
    profiles: Profiles = None,
    as_json: Json = False,
) -> None:
    """Show what was measured: the leaderboard, or every form of the models named."""
    from edge.profiling.database import Database
    from edge.report import leaderboard

    task = _task(task)
    with Database.open(_place(profiles)) as database:
        found = _chosen(database, names or ["*"], task, everywhere=everywhere)
        if names:
            leaderboard.show(leaderboard.all_forms(found), database.machines())
        else:
            leaderboard.show(leaderboard.boards(found), database.machines())
        if out is not None:
            _files(database, found, _folder(out), None)
    if as_json:
        print_json([row.outline() for row in found])


@app.command()
def compare(
    one: Annotated[
        str, typer.Argument(help="MODEL[:ENGINE[:PRECISION[:THREADS]]]; fp32 unless another precision is named.")
    ],
    other: Annotated[str, typer.Argument(help="What it is compared with, written alike.")],
    scope: Annotated[str, typer.Option(help="device, runtime or pipeline; files have no pipeline.")] = "pipeline",
    profiles: Profiles = None,
    as_json: Json = False,
) -> None:
    """Say whether one measured model is as fast as another (SAME: within 3 %), FASTER, SLOWER, or CANT_TELL, at 95 %.

    Files of your own are compared with --scope runtime.
    """
    from dataclasses import asdict

    from edge.errors import BadRequest
    from edge.profiling.database import Database
    from edge.report import beside
    from profiler.compare import compare_windows
    from profiler.stats import LEAST_WINDOWS

    with Database.open(_place(profiles)) as database:
        first, second = (_one(database, reference, scope) for reference in (one, other))
    windows = [row.profile.windows_ms(scope) for row in (first, second) if row.profile]
    if min(map(len, windows)) < LEAST_WINDOWS:
        raise BadRequest(
            f"too little was measured to compare them: {len(windows[0])} and {len(windows[1])} windows in {scope}, "
            f"{LEAST_WINDOWS} are needed",
            "Compare in the scope pipeline (runtime for files), in which most is measured.",
        )
    found, doubts = compare_windows(windows[0], windows[1]), beside.doubts(first, second)
    print(beside.sentence(first, second, scope, found), file=sys.stderr)
    for doubt in doubts:
        print(f"  Mind: {doubt}.", file=sys.stderr)
    if as_json:
        print_json({**asdict(found), "doubts": doubts, "one": first.outline(), "other": second.outline()})


@app.command("export")
def export_rows(
    file: Annotated[Path, typer.Argument(help="File to write, .jsonl or .jsonl.gz.")],
    task: Task = None,
    profiles: Profiles = None,
) -> None:
    """Write all rows of the database to a file that another machine's edge can import."""
    from edge.profiling.database import Database, Filter
    from edge.profiling.exchange import export

    with Database.open(_place(profiles)) as database:
        count = export(database, file.expanduser().resolve(), Filter(task=_task(task)))
    print(f"{count} rows written to {file}", file=sys.stderr)


@app.command("import")
def import_rows(
    file: Annotated[Path, typer.Argument(help="File that `edge profile export` wrote.")], profiles: Profiles = None
) -> None:
    """Take in speeds measured elsewhere, for `show --everywhere`; they are never taken for this machine's."""
    from edge.profiling.database import Database
    from edge.profiling.exchange import import_
    from edge.report.words import plural

    with Database.open(_place(profiles)) as database:
        found = import_(database, file.expanduser().resolve())
    told = f"{plural(found.new, 'new row')}, {found.known} known, of {plural(found.machines, 'machine')}"
    print(told, file=sys.stderr)


def _place(profiles: Path | None) -> Path | None:
    from edge.settings import resolve

    return resolve(profiles=profiles).profiles


def _refuse_absent(offer: Offer, engines: Sequence[str], precisions: Sequence[str]) -> None:
    """An engine or a precision that was named and cannot run here at all is an error; what was not named is not."""
    from edge.errors import BackendMissing

    runs = {variant.engine for variant in offer.variants} | {variant.precision for variant in offer.variants}
    absent = [name for name in (*engines, *precisions) if name not in runs]
    if not offer.variants or absent:
        told = [f"{v.title}: {why}" for v, why in offer.refused if not absent or {v.engine, v.precision} & set(absent)]
        what = f"{', '.join(absent)} cannot run" if absent else "no engine can run"
        raise BackendMissing(f"{what} on this machine: {'; '.join(told)}", "`edge doctor` lists what can.")


def _known(precisions: Sequence[str]) -> Sequence[str]:
    """Raises BadRequest for a word that is no precision."""
    from edge.errors import BadRequest
    from edge.settings import PRECISIONS

    strange = [word for word in precisions if word not in PRECISIONS]
    if strange:
        raise BadRequest(f"{', '.join(strange)} is no precision", f"They are {', '.join(PRECISIONS)}.")
    return precisions


def _task(name: str | None) -> str | None:
    """Raises UnknownTask for a word that is none."""
    from zoo.tasks import task

    return task(name).name if name else None


def _folder(out: Path) -> Path:
    """Made and tried before anything is measured, so that hours are not lost to a name that is taken."""
    from edge.errors import StorageError

    folder = out.expanduser().resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise StorageError(f"cannot write into {folder}: {error.strerror}", "Name another folder.") from error
    return folder


def _sweep(
    cards: Sequence[ModelCard],
    offer: Offer,
    database: Database,
    arguments: dict[str, Any],
    threads: int,
    budget_s: float | None,
    resume: bool,
) -> list[Row]:
    from edge.profiling.database import Filter
    from edge.profiling.results import Circumstances
    from edge.profiling.sweep import sweep
    from edge.report import sweeping
    from edge.report.progress import ProgressLine
    from profiler.hardware import fingerprint

    run = database.unfinished_run(arguments) if resume else None
    if resume and run is None:
        print("There is no unfinished sweep of these models; a new one is begun.", file=sys.stderr)
    run = run or database.begin_run(arguments)
    line = ProgressLine()

    def told(row: Row) -> None:
        line.clear()
        print(f"  {sweeping.row_line(row)}", file=sys.stderr, flush=True)

    try:
        ended = sweep(
            cards,
            offer,
            database,
            Circumstances(run, fingerprint(), threads),
            budget_s=budget_s,
            told=told,
            say=lambda text, progress: line.say(f"{sweeping.how_far(progress)}{text}"),
        )
    except KeyboardInterrupt:
        line.clear()
        print(
            "Stopped; models that were measured to the end are kept. The same command with --resume goes on.",
            file=sys.stderr,
        )
        raise
    line.clear()
    print(sweeping.ending(ended), file=sys.stderr)
    if not ended.left:
        database.finish_run(run)
    return database.rows(Filter(run=run))


def _measure_file(file: Path, offer: Offer, database: Database, threads: int) -> list[Row]:
    from edge.profiling.onnxfile import profile_file
    from edge.profiling.results import Circumstances
    from edge.report import sweeping
    from edge.report.progress import ProgressLine
    from profiler.hardware import fingerprint

    line, hardware = ProgressLine(), fingerprint()
    run = database.begin_run({"file": str(file)})
    rows = profile_file(file, offer, Circumstances(run, hardware, threads), line.say)
    line.clear()
    database.add_machine(hardware.to_json())
    with database.transaction():
        for row in rows:
            database.add(row)
    database.finish_run(run)
    for row in rows:
        print(f"  {sweeping.row_line(row)}", file=sys.stderr)
    return rows


def _write(database: Database, found: Sequence[Row], out: Path, csv: Path | None) -> None:
    from edge.report import leaderboard

    leaderboard.show(leaderboard.boards(found), database.machines())
    _files(database, found, out, csv)


def _files(database: Database, found: Sequence[Row], out: Path, csv: Path | None) -> None:
    from edge.report import leaderboard, pareto
    from edge.workdir import write_atomic

    written = [out / "leaderboard.csv", out / "leaderboard.md"]
    leaderboard.write_csv(found, written[0])
    machines = database.machines()
    write_atomic(written[1], leaderboard.markdown_text(leaderboard.boards(found), machines).encode())
    if csv is not None:
        leaderboard.write_csv(found, csv)
        written.append(csv)
    written += pareto.write_charts(pareto.charts(found, machines), out)
    print("Written: " + ", ".join(str(path) for path in written), file=sys.stderr)


def _chosen(database: Database, names: Sequence[str], task: str | None, *, everywhere: bool) -> list[Row]:
    from edge.errors import BadRequest
    from edge.profiling.database import Filter
    from profiler.hardware import fingerprint

    hardware = None if everywhere else fingerprint().key
    imported = None if everywhere else False
    found: list[Row] = []
    for name in names:
        pattern = name if any(sign in name for sign in "*?[") else f"{name}*"
        where = Filter(task=task, model=pattern, hardware=hardware, newest=True, imported=imported)
        rows = [row for row in database.rows(where) if not row.subject.data]
        if not rows and name != "*":
            raise BadRequest(f"nothing named {name} was measured", "`edge profile show` lists what was.")
        found += rows
    return found


def _one(database: Database, reference: str, scope: str) -> Row:
    """The measured row that a reference fits, the newest of those with one name. Raises BadRequest for several."""
    from edge.errors import BadRequest
    from edge.report.beside import reference as reference_of

    name, engine, precision, threads = (*reference.split(":"), "", "", "")[:4]
    fits = {
        reference_of(row): row  # oldest first, so that a file that was exported again is its newest self
        for row in _chosen(database, [name], None, everywhere=False)
        if row.profile
        and row.profile.samples_ms.get(scope)
        and engine in ("", row.key.engine)
        and (precision or "fp32") == row.key.precision
        and threads in ("", str(row.key.threads))
    }
    exact = [row for row in fits.values() if name in (row.subject.title, row.subject.model)]
    if len(exact) == 1:
        return exact[0]
    if len(fits) != 1:
        listed = ", ".join(f"'{known}'" for known in list(fits)[:8])
        raise BadRequest(
            f"{reference} fits {len(fits)} measured rows in scope {scope}", f"Name one of: {listed or 'none'}."
        )
    return next(iter(fits.values()))
