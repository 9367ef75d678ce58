"""`edge zoo`: the models and the data sets that are known."""

from __future__ import annotations

import dataclasses
import fnmatch
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.options import Json, print_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.registry import Registry
    from zoo.datasets.check import Checked
    from zoo.models.catalogue import Entry

app = typer.Typer(
    name="zoo", help="The models and the data sets that are known.", rich_markup_mode=None, no_args_is_help=True
)

SHOWN = 40


@app.command()
def models(
    name: Annotated[
        str | None, typer.Argument(help="As people write it: 'MobileNet-based', 'ResNet50'.", show_default="all")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="classification, detection, segmentation, keypoint, ...", show_default="all"),
    ] = None,
    family: Annotated[str | None, typer.Option(help="A pattern such as 'mobilenet*'.", show_default="all")] = None,
    max_params: Annotated[
        str | None,
        typer.Option(help="Most parameters, such as 5M; leaves out what publishes none.", show_default="no limit"),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only entries with a fault, and what it is.")] = False,
    all_of_them: Annotated[bool, typer.Option("--all", help="Also beyond the first 40.")] = False,
    as_json: Json = False,
) -> None:
    """List the models that the installed toolboxes publish, with what they say of them.

    Nothing of it was measured here; `edge profile` does that.
    """
    from edge.report import catalogue as catalogue_report
    from zoo.models.catalogue import catalogue, faults

    entries = _chosen(catalogue(), name, task, family, max_params)
    wrong = faults(catalogue())
    if check:
        entries = [entry for entry in entries if entry.name in wrong]
    catalogue_report.table(entries if all_of_them else entries[:SHOWN], wrong if check else {})
    more = 0 if all_of_them else len(entries) - SHOWN
    rest = f", {more} of them not shown; --all shows them" if more > 0 else ""
    print(f"{len(entries)} models{rest}", file=sys.stderr)
    if as_json:
        print_json([{**dataclasses.asdict(entry), "faults": wrong.get(entry.name, [])} for entry in entries])


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="The whole name of one entry.")],
    as_json: Json = False,
) -> None:
    """Show all that is published of one model, and what is wrong with it."""
    import difflib

    from edge.errors import BadRequest
    from edge.report import catalogue as catalogue_report
    from zoo.models.catalogue import catalogue, faults

    found = [entry for entry in catalogue() if entry.name.casefold() == name.strip().casefold()]
    if not found:
        every = [entry.name for entry in catalogue()]
        begun = [one for one in every if one.casefold().startswith(name.strip().casefold())]
        near = begun[:5] or difflib.get_close_matches(name, every, n=5)
        raise BadRequest(
            f"no model is called {name}",
            f"The nearest are {', '.join(near)}." if near else "`edge zoo models NAME` finds models by a part of it.",
        )
    wrong = faults(catalogue())
    for entry in found:
        catalogue_report.whole(entry, wrong.get(entry.name, []))
    if as_json:
        print_json([{**dataclasses.asdict(entry), "faults": wrong.get(entry.name, [])} for entry in found])


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="A data set, in any format that `edge produce --data` reads.")],
    task: Annotated[
        str | None,
        typer.Option(help="What it is for, where a folder could be read in two ways.", show_default="what it fits"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Read a data set as `edge produce` would, open every image, and say what is in it and what is wrong.

    Warns of held-out pictures that look like one of another part (encoded anew, resized, brighter) without being equal.

    Ends with the exit code of unusable data if an image cannot be used.
    """
    from edge.report import dataset as report
    from zoo.datasets.overview import overview

    checked = _opened(folder, task)
    told = overview(checked.dataset, checked.hashes, checked.looks)
    report.show(checked, told)
    if as_json:
        bad = [{"image": checked.dataset.relative(one.path), "reason": one.reason} for one in checked.bad]
        print_json(
            {"format": checked.dataset.format, "tasks": checked.dataset.tasks, **dataclasses.asdict(told), "bad": bad}
        )
    _refuse_bad(checked)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What to call it: the name of a public set says that it is that set.")],
    folder: Annotated[Path, typer.Argument(help="A data set, in any format that `edge produce --data` reads.")],
    task: Annotated[
        str | None,
        typer.Option(help="What it is for, where a folder could be read in two ways.", show_default="what it fits"),
    ] = None,
    licence: Annotated[str, typer.Option(help="On which terms it may be used; packages state it.")] = "",
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Although some images cannot be read.")] = False,
) -> None:
    """Register a data set, after a look at all of it: `edge produce` finds it by what its classes mean.

    Its files stay where they are. The same name and folder again renews what is known of it.
    """
    import datetime

    from edge.report import dataset as report
    from edge.settings import resolve
    from zoo.datasets.overview import overview

    registry = _registry(resolve().data_home)
    checked = _opened(folder, task)
    report.show(checked, overview(checked.dataset, checked.hashes, checked.looks))
    if not skip_bad:
        _refuse_bad(checked)
    registry.add(name, checked.dataset, licence, datetime.datetime.now().astimezone().date().isoformat())
    print(f"Registered as {name}. Use it: edge produce ... --data {name}, or without --data.", file=sys.stderr)


@app.command("list")
def list_data(as_json: Json = False) -> None:
    """List the data sets: those registered, and public ones, here or not."""
    from edge.report import dataset as report
    from edge.settings import resolve

    registry = _registry(resolve().data_home)
    here, public = registry.here(), registry.public()
    report.known(here, public, registry.place)
    if as_json:
        missing = {
            name: {
                "title": card.title,
                "tasks": card.tasks,
                "licence": card.licence,
                "home": card.home,
                "note": card.note,
                "lacks": found.missing if found.there else None,
            }
            for name, (card, found) in public.items()
            if not found.tasks
        }
        print_json(
            {
                "place": str(registry.place),
                "here": {name: dataclasses.asdict(one) for name, one in here.items()},
                "missing": missing,
            }
        )


@app.command()
def remove(name: Annotated[str, typer.Argument(help="A registered data set.")]) -> None:
    """Forget a registered data set. Its files stay."""
    from edge.settings import resolve

    root = _registry(resolve().data_home).remove(name)
    print(f"Forgot {name}; its files stay in {root}.", file=sys.stderr)


def _registry(place: Path | None) -> Registry:
    from edge.registry import Registry

    return Registry(place)


def _opened(folder: Path, task: str | None) -> Checked:
    """The data set with every image opened."""
    from edge.report.progress import ProgressLine
    from zoo.datasets import read_dataset
    from zoo.datasets.check import check_images

    line = ProgressLine()
    checked = check_images(
        read_dataset(folder.expanduser().resolve(), task),
        lambda done, total: line.say(f"opening images: {done} of {total}"),
    )
    line.clear()
    return checked


def _refuse_bad(checked: Checked) -> None:
    from edge.errors import DataError

    if checked.bad:
        raise DataError(
            f"{len(checked.bad)} of {len(checked.bad) + len(checked.dataset.samples)} images cannot be used",
            "Repair or remove them, or leave them out with --skip-bad of `edge zoo add` and `edge produce`.",
        )


def _chosen(
    entries: Sequence[Entry], name: str | None, task: str | None, family: str | None, max_params: str | None
) -> list[Entry]:
    """Those that a name means, then of them those that everything else leaves.

    Raises:
        BadRequest: there is no such task, or nothing is left; with what took the last ones away.
        ZooError: the name means no model.
    """
    from edge.errors import BadRequest
    from edge.settings import count
    from zoo.models import metafile_entries
    from zoo.models.naming import named

    tasks = sorted({one for entry in entries for one in entry.tasks}, key=str.casefold)
    if task is not None and task.casefold() not in (one.casefold() for one in tasks):
        raise BadRequest(f"there is no task {task!r}", f"The tasks are {', '.join(tasks)}.")
    chosen = list(entries)
    if name is not None:
        meant = set(named(name, {entry.name: metafile_entries(entry.toolbox)[entry.name] for entry in chosen}))
        chosen = [entry for entry in chosen if entry.name in meant]
    most = count(max_params) if max_params is not None else None
    pattern = family.casefold() if family is not None else ""
    kept: list[tuple[str, Callable[[Entry], bool]]] = [
        (f"--task {task}", lambda entry: task is None or task.casefold() in (one.casefold() for one in entry.tasks)),
        (
            f"--family {family}",
            lambda entry: (
                family is None
                or any(fnmatch.fnmatchcase(word.casefold(), pattern) for word in (entry.family, entry.name))
            ),
        ),
        (
            f"--max-params {max_params}",
            lambda entry: most is None or (entry.parameters is not None and entry.parameters <= most),
        ),
    ]
    for option, keeps in kept:
        left = [entry for entry in chosen if keeps(entry)]
        if chosen and not left:
            raise BadRequest(f"none of {len(chosen)} models is left by {option}", "Leave it out, or change it.")
        chosen = left
    return chosen
