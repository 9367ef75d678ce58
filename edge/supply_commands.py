"""`edge fetch` and `edge bundle`: pretrained weights, over the network or in a file carried by hand."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.options import Json, print_json

if TYPE_CHECKING:
    from edge.errors import EdgeError
    from zoo.models import ModelCard
    from zoo.supply.bundle import Bundle, Item
    from zoo.supply.published import Checkpoint
    from zoo.supply.store import Held, Store
    from zoo.supply.weights import Outcome, Outlook

app = typer.Typer(
    name="bundle",
    help="Fetched weights and language models in one file, for machines without a network.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Models = Annotated[
    list[str] | None, typer.Argument(help="Models as `edge profile` takes them.", show_default="by task")
]
Task = Annotated[
    str | None, typer.Option(help="The models of one task that `edge produce` chooses from.", show_default="every task")
]
Folder = Annotated[
    Path | None,
    typer.Option(help="Folder of fetched weights.", show_default="$XDG_DATA_HOME/edge/weights or ~/.local/share"),
]
GOES_ON = "What came is kept; run the same command to go on."


def fetch(
    models: Models = None,
    task: Task = None,
    all_listed: Annotated[
        bool, typer.Option("--all-listed", help="Every model that `edge profile` measures, not only the short list.")
    ] = False,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Download published weights to start training from; what is there already is checked.

    The same command again goes on where it stopped.
    """
    from edge.report import words
    from zoo.supply.published import checkpoints
    from zoo.supply.weights import fetch_all, outlook

    store = _store(folder)
    wanted, without = checkpoints(_cards(models, task, all_listed))
    try:
        ahead = outlook(wanted, store, _asking())
        _tell_outlook(ahead, store)
        lines = _Lines(wanted, ahead)
        outcomes = [lines.end(outcome) for outcome in fetch_all(wanted, store, lines.begin)]
    except KeyboardInterrupt:
        print(GOES_ON, file=sys.stderr)
        raise
    _tell_outcomes(outcomes, store)
    if as_json:
        listed = [
            {
                **(outcome.held.model_dump(mode="json") if outcome.held else _published(outcome.wanted)),
                "path": str(store.path(outcome.wanted.file)) if outcome.held else None,
                "came": outcome.came,
                "error": str(outcome.error) if outcome.error else None,
            }
            for outcome in outcomes
        ]
        unpublished = {name: str(error) for name, error in without.items()}
        print_json({"folder": str(store.folder), "checkpoints": listed, "unpublished": unpublished})
    if all_listed and without:
        # nobody named them: a fact about these models, not a failure
        lacking = words.plural(len(without), "model")
        print(f"{lacking} without a published checkpoint: trained from scratch", file=sys.stderr)
    _raise_failures(outcomes, {} if all_listed else without)


@app.command("export")
def export_bundle(
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    models: Annotated[
        list[str] | None,
        typer.Argument(help="Models as `edge profile` takes them.", show_default="all that is there"),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="The models of one task that `edge produce` chooses from.", show_default="all that is there"),
    ] = None,
    llm: Annotated[
        list[str] | None,
        typer.Option(help="Also this pulled model of `edge llm list`; may be given again.", show_default="none"),
    ] = None,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Write fetched weights into one file; the same weights give the same bytes."""
    from edge.errors import DataError
    from edge.report import words
    from edge.report.progress import BytesLine
    from zoo.supply.bundle import export

    store = _store(folder)
    if models or task:
        held = _held(_cards(models, task), store)
    else:
        held = [] if llm else [each for each in store.held().values() if store.path(each.file).is_file()]
    items = [(_item(each), store.path(each.file)) for each in held] + [_language_model(name) for name in llm or ()]
    if not items:
        raise DataError(f"no weights are in {store.folder}", f"Run `edge fetch{store.elsewhere}` first.")
    target = file.expanduser().resolve()
    line = BytesLine(target.name)
    try:
        size_bytes = export(items, target, line)
    finally:
        line.clear()
    print(f"Bundle: {target}, {words.plural(len(items), 'file')}, {words.size(size_bytes)}", file=sys.stderr)
    print("On the other machine: edge bundle import FILE", file=sys.stderr)
    if as_json:
        print_json({"path": str(target), "size_bytes": size_bytes, "files": [_dumped(item) for item, _ in items]})


@app.command("import")
def import_bundle(
    file: Annotated[Path, typer.Argument(help="A file that `edge bundle export` wrote.")],
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Put the weights of a bundle in place, each checked by its hash; what is there and right is left alone."""
    from edge.report import words
    from edge.report.progress import BytesLine
    from llm_gguf.library.store import default_folder
    from zoo.supply.bundle import opened, take_in
    from zoo.supply.store import Held

    bundle = opened(file.expanduser().resolve())
    _refuse_unknown_models(bundle)
    store = _store(folder)
    folders = {"weights": store.folder, "llm": default_folder()}

    def record(item: Item) -> None:
        if item.kind == "weights":
            store.record(Held.model_validate(item.model_dump(exclude={"kind"})))

    line = BytesLine(bundle.path.name)
    try:
        taken = list(take_in(bundle, folders, record, line))
    except KeyboardInterrupt:
        line.clear()
        print(GOES_ON, file=sys.stderr)
        raise
    finally:
        line.clear()
    came = sum(each.came for each in taken)
    print(f"Imported: {words.plural(came, 'file')}; {len(taken) - came} were there and right", file=sys.stderr)
    for place in dict.fromkeys(str(folders[each.item.kind]) for each in taken):
        print(f"They lie in {place}", file=sys.stderr)
    if as_json:
        files = [
            {**_dumped(each.item), "path": str(folders[each.item.kind] / each.item.file), "came": each.came}
            for each in taken
        ]
        print_json({"folder": str(store.folder), "files": files})


@app.command("show")
def show_bundle(
    file: Annotated[Path, typer.Argument(help="A file that `edge bundle export` wrote.")], as_json: Json = False
) -> None:
    """Show what a bundle holds. Its order and sizes are checked; hashes are when it is imported."""
    from edge.report import terminal, words
    from zoo.supply.bundle import opened

    bundle = opened(file.expanduser().resolve())
    rows = [(item.file, words.size(item.size_bytes), item.licence, ", ".join(item.names)) for item in bundle.items]
    terminal.plain({"file": False, "size": True, "licence": False, "for": False}, rows)
    if as_json:
        print_json({"path": str(bundle.path), "files": [_dumped(item) for item in bundle.items]})


class _Lines:
    """A line of progress for the file that is coming, and one that stays for each that came or failed."""

    def __init__(self, wanted: Sequence[Checkpoint], ahead: Outlook) -> None:
        from edge.report.progress import BytesLine

        self._wanted = list(wanted)
        self._ahead = ahead
        self._line = BytesLine("")

    def begin(self, checkpoint: Checkpoint) -> Any:
        from edge.report.progress import BytesLine

        place = self._wanted.index(checkpoint)
        behind = [self._ahead.missing.get(each.file, 0) for each in self._wanted[place + 1 :]]
        # where a size is unknown, no time for all can be told
        self._line = BytesLine(
            f"{place + 1} of {len(self._wanted)}, {checkpoint.file}", 0 if None in behind else sum(filter(None, behind))
        )
        return self._line

    def end(self, outcome: Outcome) -> Outcome:
        from edge.report import words

        if outcome.held is not None and outcome.came:
            self._line.told(f"fetched {outcome.held.file}, {words.size(outcome.held.size_bytes)}")
        elif outcome.error is not None:
            self._line.told(f"failed: {outcome.wanted.file}")
        self._line.clear()
        return outcome


def _store(folder: Path | None) -> Store:
    from edge.settings import resolve
    from zoo.supply.store import Store

    return Store(resolve(weights_home=folder).weights_home)


def _cards(models: Sequence[str] | None, task: str | None, all_listed: bool = False) -> list[ModelCard]:
    """The models that are named, else those of the task's list, else those of every task's."""
    from edge.errors import BadRequest
    from zoo.models import find, profiled, shortlisted
    from zoo.tasks import TASKS
    from zoo.tasks import task as task_named

    if models and all_listed:
        raise BadRequest("--all-listed and names of models do not go together", "Leave one of them out.")
    if models:
        return find(models, task=task)
    listed = profiled if all_listed else shortlisted
    return [card for name in ([task_named(task).name] if task else TASKS) for card in listed(name)]


def _asking() -> Any:
    from edge.report.progress import ProgressLine

    line = ProgressLine()

    def asked(done: int, total: int) -> None:
        line.say(f"asking for sizes: {done} of {total}")
        if done == total:
            line.clear()

    return asked


def _tell_outlook(ahead: Outlook, store: Store) -> None:
    from edge.report import words

    there = f"{ahead.there} are there; " if ahead.there else ""
    if not ahead.missing:
        print(f"Nothing to fetch: {ahead.there} are there; checking them", file=sys.stderr)
        return
    size = words.size(ahead.stated_bytes) if ahead.unstated < len(ahead.missing) else "of unknown size"
    unknown = f", and {ahead.unstated} of unknown size" if 0 < ahead.unstated < len(ahead.missing) else ""
    files = words.plural(len(ahead.missing), "file")
    print(f"{there}{files} to fetch into {store.folder}: {size}{unknown}", file=sys.stderr)


def _tell_outcomes(outcomes: Iterable[Outcome], store: Store) -> None:
    from edge.report import terminal, words

    rows = [
        (
            outcome.wanted.file,
            words.size(outcome.held.size_bytes) if outcome.held else "-",
            "fetched" if outcome.came else "there" if outcome.held else "failed",
            ", ".join(outcome.wanted.names),
        )
        for outcome in outcomes
    ]
    if rows:
        terminal.plain({"file": False, "size": True, "state": False, "for": False}, rows)
        print(f"In {store.folder}", file=sys.stderr)


def _raise_failures(outcomes: Sequence[Outcome], without: dict[str, Any]) -> None:
    """The end of a fetch that did not bring everything: with the code of its failures, if they are of one kind."""
    from edge.errors import DataError, EnvironmentBroken

    failed = [outcome for outcome in outcomes if outcome.error is not None]
    hints = [_reason(outcome.wanted.file, outcome.error) for outcome in failed]
    hints += [_reason(name, error) for name, error in without.items()]
    if not hints:
        return
    kinds = {_kind(outcome.error) for outcome in failed} | ({DataError} if without else set())
    kind = kinds.pop() if len(kinds) == 1 else EnvironmentBroken
    raise kind(f"{len(hints)} of {len(outcomes) + len(without)} could not be fetched", *hints)


def _kind(error: Any) -> type[EdgeError]:
    from edge.errors import Busy, EnvironmentBroken, StorageError
    from zoo.supply.errors import FetchBusyError, FetchDiskError

    return {FetchBusyError: Busy, FetchDiskError: StorageError}.get(type(error), EnvironmentBroken)


def _reason(name: str, error: Any) -> str:
    return f"{name}: {'; '.join((str(error), *getattr(error, '__notes__', ())))}"


def _published(wanted: Checkpoint) -> dict[str, Any]:
    facts = {"file": wanted.file, "address": wanted.address, "toolbox": wanted.toolbox, "names": wanted.names}
    return {**facts, "licence": wanted.licence, "sha256": None, "size_bytes": None}


def _held(cards: Iterable[ModelCard], store: Store) -> list[Held]:
    """The checkpoints of these models; all of them must be there."""
    from zoo.errors import listed
    from zoo.supply.errors import NotFetchedError
    from zoo.supply.published import checkpoints

    wanted, without = checkpoints(cards)
    for error in without.values():
        raise error
    found = [store.find(each) for each in wanted]
    lacking = [each.names[0] for each, held in zip(wanted, found, strict=True) if held is None]
    if lacking:
        fact = f"{len(lacking)} of {len(wanted)} checkpoints are not in {store.folder}: {listed(lacking)}"
        raise NotFetchedError(fact, f"run `edge fetch {' '.join(lacking)}{store.elsewhere}`")
    return [held for held in found if held is not None]


def _item(held: Held) -> Item:
    from zoo.supply.bundle import Item

    return Item(kind="weights", **held.model_dump())


def _language_model(name: str) -> tuple[Item, Path]:
    """A pulled model of the catalogue, which alone says what hash it must have."""
    from llm_gguf.library import catalogue, store
    from zoo.supply.bundle import Item
    from zoo.supply.errors import NotFetchedError

    entry = catalogue.entry(name)
    if entry is None:
        raise store.unknown(name, [known.name for known in catalogue.entries()])
    path = store.model_path(name)
    if not path.is_file():
        raise NotFetchedError(f"the language model {name} is not pulled", f"run `edge llm pull {name}`")
    item = Item(
        kind="llm",
        file=f"{name}{store.SUFFIX}",
        sha256=entry.sha256,
        size_bytes=path.stat().st_size,
        address=entry.address,
        toolbox="",
        names=(name,),
        licence=entry.licence,
    )
    return item, path


def _refuse_unknown_models(bundle: Bundle) -> None:
    from llm_gguf.library import catalogue, store
    from zoo.supply.errors import BundleError

    for item in bundle.items:
        entry = catalogue.entry(item.file.removesuffix(store.SUFFIX)) if item.kind == "llm" else None
        if item.kind == "llm" and (entry is None or entry.sha256 != item.sha256):
            fact = f"{bundle.path} holds {item.file}, which is not the language model that edge knows by that name"
            raise BundleError(fact, "use a bundle that this version of edge made")


def _dumped(item: Item) -> dict[str, Any]:
    return item.model_dump(mode="json")
