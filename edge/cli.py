"""The commands, thin, and the one place that prints an error and sets the exit code. Imports nothing heavy."""

from __future__ import annotations

import codecs
import errno
import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from edge import (
    __version__,
    bench_commands,
    llm_commands,
    profile_commands,
    service_commands,
    supply_commands,
    watch_commands,
    zoo_commands,
)
from edge.errors import EdgeError, Exit, VerificationFailed
from edge.options import LLM_HELP, Json, print_json

app = typer.Typer(
    name="edge",
    help="From one English request to a verified vision model for this device, chosen by measured speed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.add_typer(llm_commands.app, name="llm")
app.add_typer(profile_commands.app, name="profile")
app.add_typer(bench_commands.app, name="bench")
app.add_typer(zoo_commands.app, name="zoo")
app.add_typer(supply_commands.app, name="bundle")
app.add_typer(watch_commands.app, name="queue")

# Errors of the lower floors, by the module and class that is their base, and the exit code each stands for.
FOREIGN = {
    ("zoo.errors", "ZooError"): Exit.DATA,
    ("zoo.openmmlab", "ToolboxMissing"): Exit.ENVIRONMENT,
    ("deploy_targets.errors", "DeployError"): Exit.BACKEND,
    ("llm_gguf.errors", "RequestError"): Exit.BAD_REQUEST,
    ("llm_gguf.errors", "ModelFileError"): Exit.ENVIRONMENT,
    ("llm_gguf.errors", "BatchFileError"): Exit.BAD_REQUEST,
    ("llm_gguf.errors", "UnknownModelError"): Exit.BAD_REQUEST,
    ("zoo.supply.errors", "AddressError"): Exit.BAD_REQUEST,
    ("zoo.supply.errors", "FetchBusyError"): Exit.BUSY,
    ("zoo.supply.errors", "FetchDiskError"): Exit.STORAGE,
    ("zoo.supply.errors", "FetchError"): Exit.ENVIRONMENT,
    ("zoo.supply.errors", "BundleError"): Exit.DATA,
    ("profiler.errors", "ProfilerError"): Exit.INTERNAL,
}

INTERRUPTED = "Interrupted."
STATES = {"start": "begins", "kept": "finished earlier, kept", "done": "done"}


class _State:
    debug = False


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    _State.debug = debug
    if version:
        print(__version__)
        raise typer.Exit


@app.command()
def produce(
    request: Annotated[str, typer.Argument(help="What to make, in plain English.")],
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="Folder of labelled images, or a name of `edge zoo list`; several are merged.",
            show_default="what the registered data sets have",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of this job; the package appears in it as `package`.")] = Path(
        "edge-out"
    ),
    budget: Annotated[str, typer.Option(help="Time for the whole job, such as 90s, 10m, 1h30m.")] = "10m",
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out images that cannot be read.")] = False,
    balance: Annotated[
        bool, typer.Option("--balance", help="Show images of rare classes more often in training.")
    ] = False,
    accept: Annotated[
        bool, typer.Option("--accept", help="Take the stated reading where two readings differ.")
    ] = False,
    weights: Annotated[
        str | None,
        typer.Option(
            help="PyTorch checkpoint to start from; `scratch` takes none.",
            show_default="what `edge fetch` brought for the chosen model",
        ),
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Threads of the model at run time.", show_default="1")] = None,
    llm: Annotated[str | None, typer.Option(help=LLM_HELP, show_default="edge's own")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of split, search and training.", show_default="0")] = None,
    events: Annotated[int | None, typer.Option("--events", hidden=True)] = None,
    as_json: Json = False,
) -> None:
    """Make a package: understand, gather, shortlist, measure, choose, tune, train, export, verify, pack.

    The same command again continues behind the last finished step.
    """
    from edge.pipeline import produce as run
    from edge.registry import Registry
    from edge.settings import Job, resolve, seconds

    settings = resolve(threads=threads, llm=llm, seed=seed)
    job = Job(
        text=request,
        data=Registry(settings.data_home).find(data or ()),
        out=out.expanduser().resolve(),
        budget_s=seconds(budget),
        skip_bad=skip_bad,
        balance=balance,
        accept=accept,
        weights=_weights(weights),
        settings=settings,
    )
    try:
        packed = run(job, _listener(events))
    except KeyboardInterrupt:
        print("Finished steps are kept; run the same command to go on.", file=sys.stderr)
        raise
    _tell_package(Path(packed.folder))
    if as_json:
        print_json(
            {
                "package": packed.folder,
                "overall": packed.overall,
                "files": packed.files,
                "size_bytes": packed.size_bytes,
            }
        )


@app.command()
def understand(
    request: Annotated[str | None, typer.Argument(help="The request to read; - takes it from standard input.")] = None,
    batch: Annotated[
        Path | None,
        typer.Option(help="Read every line of this JSONL file, {id, request} each.", show_default="one request"),
    ] = None,
    llm: Annotated[str | None, typer.Option(help=LLM_HELP, show_default="edge's own")] = None,
    as_json: Json = False,
) -> None:
    """Show how a request is read: each field, its value, the words it came from, and whether both readings agree.

    With --batch and --json one line {id, config} is printed per request; a request that is refused has no config but
    an error.
    """
    from edge.settings import resolve

    if (request is None) == (batch is None):
        fault = "Missing argument" if batch is None else "One too many"
        raise typer.BadParameter(f"{fault}: give either one request or --batch FILE")
    chosen = resolve(llm=llm).llm
    if batch is not None:
        _understand_batch(batch, chosen, as_json)
        return
    from edge.report import terminal
    from edge.steps.understand import read

    found = read(_text_of(str(request)), chosen)
    terminal.understood(found)
    if as_json:
        print_json(found.config)


@app.command()
def verify(
    package: Annotated[Path, typer.Argument(help="Folder of a package.")],
    data: Annotated[Path | None, typer.Option(help="Where the dataset lies now.", show_default="where it was")] = None,
    soak: Annotated[str, typer.Option(help="How long the model runs at its rate, such as 20s, 10m.")] = "20s",
    staged: Annotated[bool, typer.Option("--staged", hidden=True)] = False,
    as_json: Json = False,
) -> None:
    """Reopen a package and check it: files, answers, test metric, speed on this machine."""
    from edge.report import terminal
    from edge.report.progress import ProgressLine
    from edge.settings import seconds
    from edge.steps.verify import run
    from edge.workdir import to_json

    found = run(
        _existing(package),
        staged=staged,
        data=data.resolve() if data else None,
        soak_s=seconds(soak),
        say=ProgressLine().say,
    )
    terminal.checks(found)
    if as_json:
        print_json(json.loads(to_json(found)))
    if found.overall == "failed" and not staged:
        raise VerificationFailed(f"{package} does not hold what it promises on this machine")


@app.command()
def run(
    package: Annotated[Path, typer.Argument(help="Folder of a package.")],
    images: Annotated[list[Path], typer.Argument(help="Image files.")],
    draw: Annotated[
        Path | None, typer.Option(help="Folder for pictures with the predictions drawn.", show_default="none")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Least score of a box.", show_default="of the package")
    ] = None,
    box: Annotated[
        str | None, typer.Option(help="x,y,w,h of the object, for keypoint packages.", show_default="whole image")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of the model.", show_default="of the package")
    ] = None,
) -> None:
    """Predict images with a package; one JSON document per image on standard output."""
    from edge.predictor.draw import draw as picture
    from edge.predictor.images import read, write
    from edge.predictor.predictor import Predictor, describe, parse_box

    where = parse_box(box) if box is not None else None
    predictor = Predictor.open(_existing(package), threads)
    _refuse_idle_options(predictor.spec.task, box=box, threshold=threshold)
    pictures = _picture_paths(draw, images) if draw is not None else {}
    faults = []
    for path in images:
        try:
            image = read(path)
        except EdgeError as error:
            faults.append(str(error))
            continue
        answer = predictor(image, where)
        print_json({"image": str(path), **describe(answer, predictor.spec, threshold)})
        if path in pictures:
            write(pictures[path], picture(image, answer, predictor.spec, threshold))
    if faults:
        from edge.errors import DataError

        raise DataError("; ".join(faults), *(["The other images were predicted."] if len(faults) < len(images) else []))


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say what is installed, what each backend says, what hardware was found, what is missing and how to get it."""
    from edge.doctor import examine, tell

    found = examine()
    tell(found)
    if as_json:
        print_json(found.to_json())
    if not found.healthy:
        raise typer.Exit(Exit.ENVIRONMENT)


app.command()(supply_commands.fetch)
app.command()(watch_commands.watch)
app.command()(service_commands.install_service)


def main() -> None:
    """Run a command; the only place that turns an error into words and an exit code."""
    # Threads of OpenMP that spin while they wait starve every other process: with one core taken by other work, a
    # training step took 8.4 s instead of 0.6 s. So they spin for microseconds only (docs/LOG.md has the figures). Read
    # by the OpenMP runtime when torch loads, hence here.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "5000")
    try:
        app(standalone_mode=True)
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        sys.exit(Exit.INTERRUPTED)
    except SystemExit as stop:
        if stop.code == Exit.INTERRUPTED:  # Typer makes Ctrl-C an exit of its own before it gets here
            print(INTERRUPTED, file=sys.stderr)
        raise
    except Exception as error:
        code = exit_code(error)
        if code is None or _State.debug:
            raise
        print(f"Error: {error}", file=sys.stderr)
        for hint in getattr(error, "__notes__", ()):
            print(f"  {hint}", file=sys.stderr)
        sys.exit(code)


def _text_of(request: str) -> str:
    """The request itself, or what standard input holds."""
    from llm_gguf.errors import NotTextError
    from llm_gguf.understanding import MAX_CHARACTERS

    if request != "-":
        return request
    most = 4 * MAX_CHARACTERS + 4  # bytes; longer texts are refused anyhow, so a character cut in two does no harm
    raw = sys.stdin.buffer.read(most)
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(raw, final=len(raw) < most)
    except UnicodeDecodeError as error:
        raise NotTextError("standard input is not UTF-8 text", "give the request as UTF-8 text") from error


def _understand_batch(path: Path, llm: Path | None, as_json: bool) -> None:
    import llm_gguf
    from edge.report.progress import counted
    from llm_gguf import batch

    rows = batch.rows(path.expanduser())
    refused = 0
    for done in counted(batch.read(rows, llm_gguf.reading(llm)), len(rows)):
        if as_json:
            error = {"error": done.refusal} if done.refusal else {}
            print_json({"id": done.row.id, "config": done.config, **error})
        refused += bool(done.refusal)
    print(f"{len(rows)} requests read, {refused} refused", file=sys.stderr)


def exit_code(error: Exception) -> Exit | None:
    """The exit code of an error edge can explain, None for a bug."""
    if isinstance(error, EdgeError):
        return error.exit_code
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT):
        return Exit.STORAGE
    for (module, name), code in FOREIGN.items():
        base = getattr(sys.modules.get(module), name, None)
        if base is not None and isinstance(error, base):
            return code
    return None


def _existing(package: Path) -> Path:
    folder = package.expanduser().resolve()
    if not folder.is_dir():
        raise VerificationFailed(f"{folder} is not a folder", "Give the package folder that `edge produce` named.")
    return folder


def _weights(given: str | None) -> Path | Literal["scratch"] | None:
    """A file of that name would be ./scratch."""
    if given is None:
        return None
    return "scratch" if given == "scratch" else Path(given).expanduser().resolve()


def _refuse_idle_options(task: str, *, box: str | None, threshold: float | None) -> None:
    """An option that the package's task has no use for is an error, not a wish passed over in silence."""
    from edge.errors import BadRequest

    if box is not None and task != "keypoint":
        raise BadRequest(f"--box is for keypoint packages, this one is for {task}", "Leave --box out.")
    if threshold is not None and task != "detection":
        raise BadRequest(f"--threshold is for detection packages, this one is for {task}", "Leave --threshold out.")


def _picture_paths(folder: Path, images: list[Path]) -> dict[Path, Path]:
    """Where each image's picture goes; refused if two would meet in one file, or one would replace an input."""
    from edge.errors import BadRequest

    inputs = {path.resolve() for path in images}
    found: dict[Path, Path] = {}
    for path in dict.fromkeys(images):
        picture = folder / f"{path.stem}.png"
        if picture.resolve() in inputs:
            raise BadRequest(f"--draw {folder} would replace the image {picture}", "Give another folder.")
        if picture in found.values():
            raise BadRequest(
                f"two images would be drawn to {picture}", "Run them one after the other, with a folder each."
            )
        found[path] = picture
    return found


def _listener(events: int | None) -> Any:
    """Steps and progress on standard error, and for another process on the descriptor it gave."""
    from edge.pipeline import Listener
    from edge.report import terminal
    from edge.report.events import EventWriter
    from edge.report.progress import ProgressLine

    started = time.monotonic()
    progress = ProgressLine()
    told = None if events is None else EventWriter(events)

    def step(name: str, state: str) -> None:
        progress.clear()
        terminal.say_step(name, STATES[state], time.monotonic() - started)
        if told is not None:
            told.step(name, state)

    def say(message: str) -> None:
        progress.say(message)
        if told is not None:
            told.say(message)

    return Listener(step, say, terminal.candidates, terminal.precisions, terminal.origin)


def _tell_package(folder: Path) -> None:
    from edge.records import Verified
    from edge.report import terminal
    from edge.workdir import from_json

    verified = from_json(Verified, (folder / "verification.json").read_text(encoding="utf-8"))
    terminal.checks(verified)
    print(f"Package: {folder}\nReport:  {folder / 'report.html'}", file=sys.stderr)
