"""Labels of whole images in CSV tables, as Kaggle and Roboflow have them: a column of labels, or of 0/1 per class.

What a table does not say for certain is refused. Boxes in a table are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.datasets.columns import IMAGE, Elsewhere, Table, has_labels, part_column, read_labels, read_table
from zoo.datasets.common import (
    SPLIT_NAMES,
    folders,
    is_hidden,
    notes_about,
    published,
    read_class_list,
    split_in,
)
from zoo.datasets.described import Images
from zoo.datasets.record import Dataset, Sample
from zoo.errors import AnnotationError, listed
from zoo.tasks import READ_ONLY

NAME = "csv"
TASKS = ("classification", *READ_ONLY)
LOOKED_FOR = "a CSV table with a column of images and one of labels, or with a column of 0 and 1 per class"
PLACES = ("annotations", "labels")
"""Folders beside the root and the parts' own in which tables lie."""


@dataclass(frozen=True)
class Row:
    """What one line of a table says of one image."""

    image: Path
    split: str | None
    labels: tuple[str, ...]
    where: str


@dataclass(frozen=True)
class Said:
    """What one table says; `classes` is not empty where it has a column for each."""

    where: str
    rows: tuple[Row, ...]
    classes: tuple[str, ...]
    ignored: tuple[str, ...]


def looks_like(root: Path) -> bool:
    """Whether a table says by its columns' names that it labels images, and one of these is there."""
    images: Images | None = None
    for path in _files(root):
        try:
            table = read_table(path)
        except (ValueError, OSError):
            continue
        if has_labels(table) and not _is_form(path):
            images = images or Images(root)
            beside = path.parent.relative_to(root).as_posix()
            if any(images.meant(row[n], beside) for row in table.rows for n in table.called(IMAGE)):
                return True
    return False


def has_tables(root: Path) -> bool:
    """Whether there is a table at all, and an image: what to look at where no format fits."""
    return any(True for _ in _files(root)) and bool(Images(root).paths)


def read(root: Path, task: str | None = None) -> Dataset:
    """Every image that a table labels. All faults of all tables are collected before AnnotationError is raised.

    It serves classification where every image has exactly one label, else multilabel-classification.
    """
    images = Images(root)
    said: list[Said] = []
    aside: list[str] = []
    faults: list[str] = []
    for path in _files(root):
        where = path.relative_to(root).as_posix()
        try:
            said.append(_said(root, path, images))
        except Elsewhere as error:
            aside.append(f"{where}: {error}")
        except (ValueError, OSError) as error:
            faults.append(f"{where}: {error}")
    rows, repeated = _together(root, said, faults)
    classes = _classes(root, said, faults)
    if faults or not rows:
        raise AnnotationError.because(
            f"The tables of {root} cannot be used: {listed([*faults, *(aside if not rows else [])])}.",
            f"Looked for {LOOKED_FOR}. Correct the tables; nothing was skipped.",
        )
    index = {name: number for number, name in enumerate(classes)}
    single = all(len(row.labels) == 1 for row in rows)
    if single and len(classes) < 2:
        raise AnnotationError.because(
            f"The tables of {root} have one class only, {classes[0]!r}; telling classes apart needs two.",
            "Add images of another class.",
        )
    samples = [_sample(row, index, single) for row in rows]
    samples.sort(key=lambda sample: sample.image.relative_to(root).as_posix())
    notes = notes_about(
        0,
        "" if single else _several(rows),
        *(f"ignored {note}" for note in aside),
        *(f"{one.where}: the columns {listed(one.ignored)} were ignored" for one in said if one.ignored),
        f"{repeated} row(s) say what another says and were ignored" if repeated else "",
        _bare(images, rows),
        _unused(classes, rows),
    )
    return Dataset(NAME, TASKS[:1] if single else READ_ONLY, root, classes, published(samples), notes=notes)


def _files(root: Path) -> Iterator[Path]:
    """The tables in the root, in the folders of the parts, and where annotations lie."""
    below = [path for path in folders(root) if path.name.lower() in (*SPLIT_NAMES, *PLACES)]
    for folder in (root, *below):
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in (".csv", ".tsv") and not is_hidden(path):
                yield path


def _is_form(path: Path) -> bool:
    """Whether it is the example of what Kaggle wants back, with made-up labels."""
    return "submission" in path.stem.lower()


def _said(root: Path, path: Path, images: Images) -> Said:
    """What a table says.

    Raises:
        Elsewhere: it is about something else.
        ValueError: with all that is wrong.
    """
    if _is_form(path):
        raise Elsewhere("it is the form of a submission, whose labels are made up")
    table = read_table(path)
    part = part_column(table)
    splits = _parts(root, table, part)
    image, found = _image_column(root, table, images, splits)
    labels = read_labels(table, image, part)
    faults = _missing(table, image, found)
    if faults:
        raise ValueError(faults)
    where = path.relative_to(root).as_posix()
    rows = [
        Row(fits[0], split or _folder_part(root, fits[0]), some, f"{where}, line {line}")
        for fits, split, some, line in zip(found, splits, labels.rows, table.lines, strict=True)
    ]
    return Said(where, tuple(rows), labels.classes, labels.ignored)


def _parts(root: Path, table: Table, part: int | None) -> list[str | None]:
    """The part of each row by the column that says it, else by the name of the file or its folder."""
    if part is None:
        whole = split_in(table.path.stem) or (split_in(table.path.parent.name) if table.path.parent != root else None)
        return [whole] * len(table.rows)
    cells = table.column(part)
    odd = sorted({cell for cell in cells if cell.lower() not in SPLIT_NAMES})
    if odd:
        raise ValueError(
            f"its column {table.columns[part]!r} holds {listed(map(repr, odd))}, which is none of train, val and test"
        )
    return [SPLIT_NAMES[cell.lower()] for cell in cells]


def _image_column(
    root: Path, table: Table, images: Images, splits: Sequence[str | None]
) -> tuple[int, list[list[Path]]]:
    """The column that names the images, and for each row the images it may mean."""
    named = table.called(IMAGE)
    if not named:
        raise Elsewhere(f"no column is called image, filename or the like ({listed(table.columns)})")
    beside = table.path.parent.relative_to(root).as_posix()
    found = {
        number: [
            _of_part(root, images.meant(cell, beside), split)
            for cell, split in zip(table.column(number), splits, strict=True)
        ]
        for number in named
    }
    hits = {number: some for number, some in found.items() if any(some)}
    if not hits:
        name, cell = table.columns[named[0]], table.rows[0][named[0]]
        message = f"no image is there that its column {name!r} names, the first {cell!r}"
        raise (ValueError if has_labels(table) else Elsewhere)(message)
    if any(some != next(iter(hits.values())) for some in hits.values()):
        raise ValueError(f"two columns may name the images: {listed(table.columns[number] for number in hits)}")
    chosen = next(iter(hits))
    return chosen, hits[chosen]


def _of_part(root: Path, found: list[Path], split: str | None) -> list[Path]:
    """Those of the part, where several parts have an image of that name."""
    fits = [path for path in found if _folder_part(root, path) == split] if len(found) > 1 and split else []
    return fits or found


def _folder_part(root: Path, path: Path) -> str | None:
    """The part that the first folder says which names one."""
    parts = path.relative_to(root).parts[:-1]
    return next((split for part in parts if (split := split_in(part))), None)


def _missing(table: Table, image: int, found: Sequence[Sequence[Path]]) -> str:
    """The rows whose image is not there, or there more than once; empty without any."""
    cells = table.column(image)
    gone = [repr(cell) for cell, fits in zip(cells, found, strict=True) if not fits]
    several = [repr(cell) for cell, fits in zip(cells, found, strict=True) if len(fits) > 1]
    return "; ".join(
        ([f"{len(gone)} image(s) are not there: {listed(gone)}"] if gone else [])
        + ([f"{len(several)} name(s) mean more than one image: {listed(several)}"] if several else [])
    )


def _together(root: Path, said: Sequence[Said], faults: list[str]) -> tuple[list[Row], int]:
    """The rows of all tables, one per image, and how many only repeat another."""
    first: dict[Path, Row] = {}
    repeated = 0
    against: list[str] = []
    for row in (row for one in said for row in one.rows):
        before = first.setdefault(row.image, row)
        if before is row:
            continue
        if (set(before.labels), before.split) == (set(row.labels), row.split):
            repeated += 1
        else:
            name = row.image.relative_to(root).as_posix()
            against.append(f"{name} ({before.where}: {_told(before)}; {row.where}: {_told(row)})")
    if against:
        faults.append(f"{len(against)} row(s) contradict an earlier one: {listed(against)}")
    return list(first.values()), repeated


def _told(row: Row) -> str:
    return " | ".join(row.labels or ("no label",)) + (f" in {row.split}" if row.split else "")


def _classes(root: Path, said: Sequence[Said], faults: list[str]) -> tuple[str, ...]:
    """In the order of classes.txt, else of the columns, else of the alphabet; numbers by their size."""
    used = {name for one in said for row in one.rows for name in row.labels}
    columns = {one.classes: one.where for one in said if one.classes}
    if len(columns) > 1:
        alike = [f"{where} ({listed(classes)})" for classes, where in columns.items()]
        faults.append(f"the tables have different columns of classes: {listed(alike)}")
    if (root / "classes.txt").is_file():
        stated = read_class_list(root / "classes.txt")
        foreign = sorted(used - set(stated))
        if foreign:
            faults.append(f"{listed(foreign)}: used, but not in classes.txt")
        return stated
    ordered = next(iter(columns), ())
    rest = used - set(ordered)
    return (*ordered, *sorted(rest, key=(lambda name: int(name)) if all(map(_is_count, rest)) else None))


def _is_count(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) < 10


def _sample(row: Row, index: dict[str, int], single: bool) -> Sample:
    numbers = tuple(sorted(index[name] for name in row.labels))
    if single:
        return Sample(row.image, None, None, row.split, label=numbers[0])
    return Sample(row.image, None, None, row.split, labels=numbers)


def _several(rows: Sequence[Row]) -> str:
    more, none = sum(len(row.labels) > 1 for row in rows), sum(not row.labels for row in rows)
    return (
        f"{more} image(s) have several labels and {none} have none: data for {READ_ONLY[0]},"
        " which edge reads and counts but cannot train yet"
    )


def _bare(images: Images, rows: Sequence[Row]) -> str:
    bare = len(images.paths) - len(rows)
    return f"{bare} image(s) are in no table of labels and were ignored" if bare else ""


def _unused(classes: Sequence[str], rows: Sequence[Row]) -> str:
    used = {name for row in rows for name in row.labels}
    unused = [name for name in classes if name not in used]
    return f"{len(unused)} class(es) have no image: {listed(unused)}" if unused else ""
