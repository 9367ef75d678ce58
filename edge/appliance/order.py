"""A dropped file becomes an order: plain English in .txt, or .json and .yaml with settings beside the text.

The file comes from anybody, so nothing in it is trusted: it is small or refused, YAML has no tags and no aliases, and
every value is checked before it can become an argument of a command. All faults are told at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.appliance.disk import NotAFile, read_small
from edge.errors import BadRequest, EdgeError
from edge.registry import NAMES
from edge.settings import RANGES, seconds

MOST_BYTES = 64 * 1024  # some thousand words; also below what Linux takes as one argument of a command
MOST_DEPTH = 4  # of YAML: a mapping with a list in it has 2
MOST_EVENTS = 500  # of YAML, some two per value: 64 KiB of single letters would take the parser seconds
PRIORITIES = (-10, 10)
BUDGET_S = 600.0  # what `edge produce` takes by default
FORMAT = "docs/APPLIANCE.md describes request files. Correct it and drop it again."


@dataclass(frozen=True)
class Order:
    """What a request file asks for. None means what `edge produce` takes by default."""

    text: str
    data: tuple[str, ...] = ()  # names of registered sets, or absolute paths
    budget_s: float = BUDGET_S
    balance: bool = False
    skip_bad: bool = False
    accept: bool = False
    scratch: bool = False
    threads: int | None = None
    seed: int | None = None
    priority: int = 0  # higher comes first

    def arguments(self) -> list[str]:
        """For `edge produce`; the text stands behind --, so that none of it is taken for an option."""
        numbers = {"--threads": self.threads, "--seed": self.seed}
        switches = {"--balance": self.balance, "--skip-bad": self.skip_bad, "--accept": self.accept}
        return [
            *(part for word in self.data for part in ("--data", word)),
            *("--budget", f"{self.budget_s:.3f}s"),
            *(name for name, given in switches.items() if given),
            *(("--weights", "scratch") if self.scratch else ()),
            *(part for name, given in numbers.items() if given is not None for part in (name, str(given))),
            *("--", self.text),
        ]


def read_order(path: Path, below: Path | None = None) -> Order:
    """The order in a file; with `below`, folders of data must lie in that folder.

    Raises:
        BadRequest: the file is no order, and why.
        OSError: the disk did not let it be read.
    """
    reader = SUFFIXES.get(path.suffix.lower())
    try:
        raw = read_small(path, MOST_BYTES)
    except NotAFile as error:
        raise BadRequest(
            f"a request is a file, this is {error}",
            "Drop a .txt, .json or .yaml file; data is named in it by its path.",
        ) from error
    except PermissionError as error:
        raise BadRequest(
            "the file may not be read by the user the watcher runs as", "Give it read permission, and drop it again."
        ) from error
    if reader is None:
        raise BadRequest(
            f"a request's name ends in {', '.join(SUFFIXES)}, this one's in {path.suffix or 'nothing'!r}", FORMAT
        )
    if len(raw) > MOST_BYTES:
        raise BadRequest(f"the file is larger than {MOST_BYTES // 1024} KiB", FORMAT)
    return _order(reader(_decoded(raw)), below)


def _decoded(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequest("the file is not UTF-8 text", FORMAT) from error
    if not text.strip():
        raise BadRequest("the file is empty", FORMAT)
    return text


def _json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once_each, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the file is not valid JSON: {_first_line(error)}", FORMAT) from error


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands there twice")
    return found


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")


def _yaml(text: str) -> Any:
    """Plain YAML only: tags could name types, aliases multiply, depth exhausts whoever recurses."""
    import yaml

    try:
        depth = 0
        for count, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) or getattr(event, "tag", None):
                raise ValueError("anchors, aliases and tags are not taken")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MOST_DEPTH or count > MOST_EVENTS:
                raise ValueError("it is nested too deeply, or holds too much")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        names = [key.value for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
        if len(set(map(str, names))) < len(names):
            raise ValueError("a name stands there twice")
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise BadRequest(f"the file is not valid YAML: {_first_line(error)}", FORMAT) from error


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


SUFFIXES: dict[str, Callable[[str], Any]] = {
    ".txt": lambda text: {"text": text},
    ".json": _json,
    ".yaml": _yaml,
    ".yml": _yaml,
}


def _order(document: Any, below: Path | None) -> Order:
    if not isinstance(document, dict):
        raise BadRequest(f"the file holds no names with values, but {_kind(document)}", FORMAT)
    unknown = sorted(str(name)[:40] for name in document if name not in READERS)
    faults = [f"{name!r} is not known" for name in unknown[:5]]
    if document.get("text") is None:
        faults.append("'text' is missing, the request in English")
    values: dict[str, Any] = {}
    for name, (reader, wanted) in READERS.items():
        if name in document and document[name] is not None:
            try:
                values[FIELDS.get(name, name)] = reader(document[name])
            except (ValueError, TypeError, EdgeError):
                faults.append(f"{name!r} is not {wanted}")
    if below is not None:
        faults += [f"{word} is not in {below}" for word in values.get("data", ()) if not _lies_in(word, below)]
    if faults:
        raise BadRequest(f"the request cannot be used: {'; '.join(faults)}", f"Known are {', '.join(READERS)}.", FORMAT)
    return Order(**values)


def _kind(document: Any) -> str:
    return {list: "a list", str: "text", type(None): "nothing"}.get(type(document), "a single value")


def _text(given: Any) -> str:
    """Printable text, line breaks allowed; what is no valid Unicode or has a control character is binary."""
    if not isinstance(given, str) or not given.strip():
        raise ValueError
    given.encode("utf-8")
    if re.search(r"[\x00-\x08\x0e-\x1f\x7f]", given):
        raise ValueError
    return given.strip()


def _data(given: Any) -> tuple[str, ...]:
    words = [given] if isinstance(given, str) else given
    if not isinstance(words, list) or not all(isinstance(word, str) and _is_data(word) for word in words):
        raise ValueError
    return tuple(words)


def _is_data(word: str) -> bool:
    """A name, or an absolute path that says where it leads."""
    if NAMES.fullmatch(word):
        return True
    word.encode("utf-8")
    return word.startswith("/") and word.isprintable() and ".." not in word.split("/") and len(word) < 4096


def _lies_in(word: str, below: Path) -> bool:
    return not word.startswith("/") or Path(word).resolve().is_relative_to(below.resolve())


def _budget(given: Any) -> float:
    if isinstance(given, bool):
        raise ValueError
    return seconds(given if isinstance(given, str) else f"{float(given):.3f}")


def _switch(given: Any) -> bool:
    if not isinstance(given, bool):
        raise ValueError
    return given


def _scratch(given: Any) -> bool:
    """Only that: a checkpoint is a program, and a request may not bring programs."""
    if given != "scratch":
        raise ValueError
    return True


def _whole(least: int, most: int) -> Callable[[Any], int]:
    def read(given: Any) -> int:
        if isinstance(given, bool) or not isinstance(given, int) or not least <= given <= most:
            raise ValueError
        return given

    return read


READERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "text": (_text, "a request in words"),
    "data": (_data, "the name of a registered data set or an absolute path, or a list of them"),
    "budget": (_budget, "a time such as 90s, 10m or 1h30m"),
    "balance": (_switch, "true or false"),
    "skip_bad": (_switch, "true or false"),
    "accept": (_switch, "true or false"),
    "weights": (_scratch, "the word scratch"),
    "threads": (_whole(*RANGES["threads"]), f"a whole number from {RANGES['threads'][0]} to {RANGES['threads'][1]}"),
    "seed": (_whole(*RANGES["seed"]), f"a whole number from {RANGES['seed'][0]} to {RANGES['seed'][1]}"),
    "priority": (_whole(*PRIORITIES), f"a whole number from {PRIORITIES[0]} to {PRIORITIES[1]}"),
}
FIELDS = {"budget": "budget_s", "weights": "scratch"}
