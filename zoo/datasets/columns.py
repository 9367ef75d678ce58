"""What the columns of a table mean: which names the images, which holds labels, which the part. Knows no image."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.datasets.common import SPLIT_NAMES
from zoo.errors import listed

# fmt: off
IMAGE = frozenset({
    "file", "filename", "filepath", "filepaths", "id", "image", "imagefile", "imageid", "imagename", "imagepath",
    "images", "img", "imgid", "imgname", "imgpath", "name", "path", "photo", "photoid", "picture",
})
"""What the column of images is called, in small letters without blanks and dashes; the others below likewise."""

PART = frozenset({"partition", "split", "subset"})
PERHAPS_PART = frozenset({"dataset", "set"})
"""Columns that say the part where a cell of them does, and something else where none does."""

ONE_LABEL = frozenset({"category", "categoryname", "class", "classname", "label", "labelname", "species", "target"})
SEVERAL_LABELS = frozenset({"categories", "classes", "labels", "targets"})
TAGS = frozenset({"attributeids", "tags"})
"""Columns of words with blanks between them."""

BOXES = frozenset({
    "bbox", "bboxes", "boundingbox", "encodedpixels", "predictionstring", "segmentation", "x", "x1", "x2", "xmax",
    "xmin", "y", "y1", "y2", "ymax", "ymin",
})
# fmt: on
DELIMITERS = ",;\t"
BINARY = {"0": False, "1": True, "0.0": False, "1.0": True}


class Elsewhere(ValueError):
    """The table is about something else than labels of images."""


@dataclass(frozen=True)
class Table:
    """The cells of one file, without the blanks around them; `lines` are the line numbers of `rows`."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]

    def called(self, names: frozenset[str]) -> list[int]:
        """The columns with one of these names."""
        return [number for number, name in enumerate(self.columns) if plain(name) in names]

    def column(self, number: int) -> list[str]:
        """The cells of one column, in order."""
        return [row[number] for row in self.rows]


@dataclass(frozen=True)
class Labels:
    """The labels of each row. `classes` are all there are, in the table's own order, where that has one; `ignored` the
    columns that say something else."""

    rows: tuple[tuple[str, ...], ...]
    classes: tuple[str, ...]
    ignored: tuple[str, ...]


def plain(name: str) -> str:
    """A column's name in small letters, without blanks, dashes and lines below."""
    return re.sub(r"[\W_]", "", name.casefold())


def read_table(path: Path) -> Table:
    """The table in a file of UTF-8 text. The first line names the columns and decides what separates them.

    Raises:
        OSError: it cannot be read.
        ValueError: with what is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 text ({error})") from error
    if "\0" in text:
        raise ValueError("it has null bytes, so it is no UTF-8 text")
    reader = csv.reader(io.StringIO(text), delimiter=_delimiter(text), strict=True, skipinitialspace=True)
    rows: list[tuple[str, ...]] = []
    lines: list[int] = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append(tuple(cell.strip() for cell in cells))
                lines.append(reader.line_num)
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num} cannot be read ({error})") from error
    if len(rows) < 2:
        raise ValueError("it has no row below the names of its columns")
    columns = rows[0]
    twice = sorted(name for name, count in Counter(columns).items() if count > 1 and name)
    if twice:
        raise ValueError(f"two columns are called {listed(twice)}")
    odd = [f"line {line} has {len(row)}" for line, row in zip(lines, rows, strict=True) if len(row) != len(columns)]
    if odd:
        raise ValueError(f"there are {len(columns)} columns, but {listed(odd)}")
    return Table(path, columns, tuple(rows[1:]), tuple(lines[1:]))


def has_labels(table: Table) -> bool:
    """Whether the names of the columns alone say so: one of images, one of labels or a 0/1 column per class."""
    images = table.called(IMAGE)
    if not images or table.called(BOXES):
        return False
    apart = {*images, *table.called(PART | PERHAPS_PART)}
    others = [number for number, name in enumerate(table.columns) if name and number not in apart]
    return bool(table.called(ONE_LABEL | SEVERAL_LABELS | TAGS)) or bool(_one_hot(table, others))


def read_labels(table: Table, image: int, part: int | None) -> Labels:
    """The labels of every row, from the columns that are neither `image` nor `part`.

    Raises:
        Elsewhere: no column may be one of labels.
        ValueError: several may, or what is in it can be read in two ways.
    """
    if table.called(BOXES):
        names = (table.columns[number] for number in table.called(BOXES))
        raise Elsewhere(f"it has boxes ({listed(names)}), which are not read from a table")
    others = [n for n, name in enumerate(table.columns) if n not in (image, part) and name]
    one_hot = _one_hot(table, others)
    if one_hot:
        classes = tuple(table.columns[number] for number in one_hot)
        rows = [tuple(table.columns[n] for n in one_hot if BINARY[row[n]]) for row in table.rows]
        return Labels(tuple(rows), classes, ())
    chosen = _label_column(table, others)
    ignored = tuple(table.columns[number] for number in others if number != chosen)
    return Labels(tuple(_cells(table, chosen)), (), ignored)


def part_column(table: Table) -> int | None:
    """The column that says which part a row is of, if there is one.

    Raises:
        ValueError: there are two.
    """
    words = (
        number for number in table.called(PERHAPS_PART) if any(c.lower() in SPLIT_NAMES for c in table.column(number))
    )
    found = [*table.called(PART), *words]
    if len(found) > 1:
        raise ValueError(f"two columns may name the part: {listed(table.columns[number] for number in found)}")
    return found[0] if found else None


def _delimiter(text: str) -> str:
    first = next((line for line in io.StringIO(text) if line.strip()), "")
    counts = {mark: first.count(mark) for mark in DELIMITERS}
    most = max(counts.values())
    best = [mark for mark, count in counts.items() if count == most]
    if most and len(best) > 1:
        raise ValueError("its first line may be divided by " + " or by ".join(map(repr, best)))
    return best[0]


def _one_hot(table: Table, others: Sequence[int]) -> list[int]:
    """The columns, if they are two at least and hold nothing but 0 and 1."""
    fits = len(others) > 1 and all(row[number] in BINARY for row in table.rows for number in others)
    return list(others) if fits else []


def _label_column(table: Table, others: Sequence[int]) -> int:
    named = [number for number in others if number in table.called(ONE_LABEL | SEVERAL_LABELS | TAGS)]
    if len(named) > 1:
        raise ValueError(f"two columns may hold the labels: {listed(table.columns[number] for number in named)}")
    if named:
        return named[0]
    if not others:
        raise Elsewhere("it has no column of labels")
    if len(others) > 1:
        names = listed(table.columns[number] for number in others)
        raise Elsewhere(f"none of its columns is called label, class or tags, nor are all of 0 and 1 ({names})")
    if all(_is_number(cell) for cell in table.column(others[0])):
        raise Elsewhere(f"its column {table.columns[others[0]]!r} holds numbers; call it label if they are classes")
    return others[0]


def _cells(table: Table, chosen: int) -> list[tuple[str, ...]]:
    """What the cells of a column of labels say, divided where it is certain that they hold several.

    Raises:
        ValueError: it is not certain, or labels are missing.
    """
    name, cells = table.columns[chosen], table.column(chosen)
    if not any(cells):
        raise ValueError(f"its column {name!r} is empty")
    kind = plain(name)
    mark = _separator(name, cells, kind)
    rows = [tuple(dict.fromkeys(word.strip() for word in _split(cell, mark) if word.strip())) for cell in cells]
    bare = [f"line {line}" for line, row in zip(table.lines, rows, strict=True) if not row]
    if bare and kind not in SEVERAL_LABELS | TAGS and mark is None:
        raise ValueError(f"{len(bare)} row(s) have no {name}: {listed(bare)}")
    return rows


def _split(cell: str, mark: str | None) -> list[str]:
    return [cell] if mark is None else cell.split(None if mark == " " else mark)


def _separator(name: str, cells: Sequence[str], kind: str) -> str | None:
    """What divides the cells, None where each holds one label; a name may have blanks and commas of its own.

    Raises:
        ValueError: it cannot be told.
    """
    marks = [mark for mark in "|;" if any(mark in cell for cell in cells)]
    if len(marks) > 1:
        raise ValueError(f"its column {name!r} has both | and ; between labels")
    if marks:
        return marks[0]
    if kind in TAGS:
        return "," if any("," in cell for cell in cells) else " "
    if kind in SEVERAL_LABELS and any("," in cell for cell in cells):
        return ","
    doubtful = [cell for cell in cells if _may_be_several(cell, kind)]
    if doubtful:
        raise ValueError(
            f"its column {name!r} holds {doubtful[0][:60]!r}, which may be one label or several:"
            " put | between several, or call the column class if it is one, tags if there is one per word"
        )
    return None


def _may_be_several(cell: str, kind: str) -> bool:
    words = cell.replace(",", " ").split()
    if len(words) < 2:
        return False
    return "," in cell or kind in SEVERAL_LABELS or all(_is_number(word) for word in words)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
