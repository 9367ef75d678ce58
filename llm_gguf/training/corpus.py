"""Reads the written training material of corpus/: request blocks, themes, sentences.

Slots stand in braces: `{Ts and: bolts/nuts}` a list of class names, `{fps:30}` a required number, `{x: ladder}` a thing
that is no class, `[a|b]` a choice of wordings (corpus/README.md has the whole list). Knows nothing about how slots are
filled.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "corpus"

REQUESTS: Final = (
    "classification", "multilabel", "detection", "segmentation", "instance", "keypoint",
    "short", "medium", "hard", "long", "mails",
)  # fmt: skip
CLASS_KINDS: Final = ("T", "Ts", "S", "M", "B", "Bs", "G", "O")
UNITS: Final = {
    "fps": ("speed", "fps"),
    "ms": ("speed", "ms"),
    "s": ("speed", "s"),
    "permin": ("speed", "per-minute"),
    "perhour": ("speed", "per-hour"),
    "million": ("parameters", "M"),
    "K": ("parameters", "K"),
    "GF": ("flops", "GFLOPs"),
    "MF": ("flops", "MFLOPs"),
}
"""Slot of a required number -> its field and unit."""

_NUMBER_WORD = (
    r"a|of|half|quarter|point|and|hundred|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|\w+ty"
)
_NUMBER = re.compile(rf"\d[\d.,]*|(?:{_NUMBER_WORD})(?:[\s-]+(?:{_NUMBER_WORD}))*")
_SLOT = re.compile(r"\{(?P<head>[^{}:]*)(?::\s*(?P<body>[^{}]*))?\}")


class CorpusError(ValueError):
    """A line of the material that cannot be read; names file and line."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One `{kind hints: body}`."""

    kind: str
    hints: tuple[str, ...]
    body: str

    @property
    def items(self) -> list[str]:
        return [item.strip() for item in self.body.split("/")]


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence of a request; one that is optional may be left out, and `device` goes with it."""

    text: str
    optional: bool = False
    device: str = "none"


@dataclass(frozen=True, slots=True)
class Block:
    """One written request."""

    task: str
    device: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Theme:
    """Words of one domain of life: who speaks, where, and class names of every kind."""

    name: str
    who: tuple[str, ...]
    where: tuple[str, ...]
    names: dict[str, tuple[str, ...]]
    """Kind (T, S, M, G, B, p) -> names."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """All material."""

    blocks: dict[str, tuple[Block, ...]]
    """Task -> written requests."""
    patterns: dict[str, tuple[Block, ...]]
    """Task -> bare sentence patterns."""
    themes: tuple[Theme, ...]
    plurals: dict[str, str]
    sentences: dict[str, tuple[str, ...]]
    """Constraint key ("speed", "metric detection", "speed+gpu") -> sentences."""
    phrases: dict[str, tuple[str, ...]]
    """The same keys -> phrases that continue a sentence."""
    traps: tuple[str, ...]
    context: tuple[str, ...]
    ignore: tuple[str, ...]
    not_vision: tuple[str, ...]


def slots(text: str) -> Iterator[tuple[re.Match[str], Slot]]:
    """Every slot of a text with its place."""
    for found in _SLOT.finditer(text):
        kind, *hints = found["head"].split(" ", 1) if found["head"][:2] in ("m ", "en") else found["head"].split()
        body = (found["body"] or "").strip()
        # M is both: materials, and millions of parameters.
        kind = "million" if kind == "M" and _NUMBER.fullmatch(body) else kind
        yield found, Slot(kind, tuple(hints), body)


def _blocks(path: Path) -> Iterator[Block]:
    for number, text in enumerate(re.split(r"\n\s*\n", path.read_text(encoding="utf-8").strip())):
        head, *rows = text.strip().split("\n")
        found = re.fullmatch(r"# ([a-z-]+)(?: (cpu|gpu))?\s*", head)
        if not found or not rows:
            raise CorpusError(f"{path.name}, block {number + 1}: {head!r} is no head of a request")
        lines = []
        for row in rows:
            mark = re.match(r"\?(cpu|gpu)? ", row)
            body = row[mark.end() :] if mark else row
            lines.append(Line(body.strip(), mark is not None, (mark and mark[1]) or "none"))
        yield Block(found[1], found[2] or "none", tuple(lines))


def _grouped(blocks: Iterator[Block]) -> dict[str, tuple[Block, ...]]:
    groups: dict[str, list[Block]] = {}
    for block in blocks:
        groups.setdefault(block.task, []).append(block)
    return {task: tuple(found) for task, found in groups.items()}


def _rows(name: str) -> list[str]:
    rows = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    return [row.strip() for row in rows if row.strip() and not row.startswith("#")]


def _theme(row: str) -> Theme:
    fields = dict(part.split(":", 1) for part in row.split(" ; "))
    listed = {key.strip(): tuple(i.strip() for i in value.split("/") if i.strip()) for key, value in fields.items()}
    names = {kind: listed[kind] for kind in ("T", "S", "M", "G", "B", "p")}
    return Theme(listed["theme"][0], listed["who"], listed["where"], names)


def _keyed(name: str) -> dict[str, tuple[str, ...]]:
    table: dict[str, list[str]] = {}
    for row in _rows(name):
        key, text = row.split("=", 1)
        table.setdefault(key.strip(), []).append(text.strip())
    return {key: tuple(texts) for key, texts in table.items()}


@cache
def load() -> Corpus:
    """The material, read once. Raises CorpusError."""
    return Corpus(
        blocks=_grouped(block for name in REQUESTS for block in _blocks(FOLDER / f"{name}.txt")),
        patterns=_grouped(_blocks(FOLDER / "patterns.txt")),
        themes=tuple(_theme(row) for row in _rows("things.txt")),
        plurals=dict(row.split("/", 1) for row in _rows("plurals.txt")),
        sentences=_keyed("constraints.txt"),
        phrases=_keyed("inline.txt"),
        traps=tuple(_rows("traps.txt")),
        context=tuple(_rows("context.txt")),
        ignore=tuple(_rows("ignore.txt")),
        not_vision=tuple(_rows("notvision.txt")),
    )
