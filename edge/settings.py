"""Where every default stands, and the one place that resolves flag > environment > file > default."""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from edge.errors import BadRequest

FILE_VARIABLE = "EDGE_SETTINGS"
PRECISIONS = ("fp32", "fp16", "bf16", "int8")
TABLES = ("watch",)  # of the settings file: what one command alone takes
# name -> how a given value is read, and what is said when it cannot be
Readers: TypeAlias = dict[str, tuple[Callable[[Any], Any], str]]
DURATIONS = "Write 90s, 10m or 1h30m."
# name -> least and most; the seed's most is that of numpy's and PyTorch's legacy generators
RANGES = {"threads": (1, 1024), "train_threads": (0, 1024), "seed": (0, 2**32 - 1)}


@dataclass(frozen=True)
class Settings:
    """All that is not part of the request. Paths are absolute."""

    threads: int = 1  # of the model at run time: what a shared edge box can promise; measured and shipped alike
    train_threads: int = 0  # most that PyTorch may use in training, 0 for every core; the faster of 1 and this is taken
    llm: Path | None = None  # another GGUF model that reads requests, by path or by name; None takes edge's own
    seed: int = 0  # of split, search and training
    precisions: tuple[str, ...] = PRECISIONS  # that may be shipped; fp32 is always made, and others are held against it
    precision_drop: float = 0.01  # most that a lower precision may lose of the metric, of 1, to be shipped
    data_home: Path | None = None  # registered and public data sets; None takes $XDG_DATA_HOME/edge/datasets
    weights_home: Path | None = None  # checkpoints to start training from; None takes $XDG_DATA_HOME/edge/weights
    profiles: Path | None = None  # database of what was measured; None takes $XDG_DATA_HOME/edge/profiles.db


@dataclass(frozen=True)
class Given:
    """A data set that the user named: what it is called, and its folder."""

    name: str
    root: Path


@dataclass(frozen=True)
class Job:
    """One call of `edge produce`. Without `data` the registered data sets are looked through.

    Without `weights` training starts from what was fetched for the chosen model, if anything was.
    """

    text: str
    data: tuple[Given, ...]
    out: Path
    budget_s: float
    skip_bad: bool
    balance: bool  # images of rare classes are shown more often in training
    accept: bool
    weights: Path | Literal["scratch"] | None
    settings: Settings

    def identity(self) -> dict[str, Any]:
        """What may not change when a job is continued; time and the number of training threads may."""
        return {
            "request": self.text,
            "data": [str(given.root) for given in self.data],
            "skip_bad": self.skip_bad,
            "balance": self.balance,
            "weights": str(self.weights) if self.weights else None,
            "threads": self.settings.threads,
            "llm": str(self.settings.llm) if self.settings.llm else None,
            "seed": self.settings.seed,
            "precisions": list(self.settings.precisions),
            "precision_drop": self.settings.precision_drop,
        }


def resolve(**flags: Any) -> Settings:
    """Settings from flags (None means not given), EDGE_* variables, the settings file, defaults, in that order.

    Raises:
        BadRequest: the file is malformed, or a value has the wrong type; all faults are named.
    """
    path, document = _file()
    own = {key: value for key, value in document.items() if key not in TABLES}
    values, faults = _values(READERS, flags, "EDGE_", own, str(path))
    faults += [
        f"{name} is {values[name]}, expected {least} to {most}"
        for name, (least, most) in RANGES.items()
        if not least <= values.get(name, least) <= most
    ]
    if faults:
        raise BadRequest("settings cannot be used: " + "; ".join(faults), "Correct them; docs/SETTINGS.md lists all.")
    return Settings(**values)


def resolve_table(name: str, readers: Readers, **flags: Any) -> dict[str, Any]:
    """What is given of a table of its own in the settings file, by the same order; variables are EDGE_NAME_*.

    Raises:
        BadRequest: as `resolve`.
    """
    path, document = _file()
    table = document.get(name, {})
    if not isinstance(table, dict):
        raise BadRequest(f"{path}: {name} is {table!r}, expected a table", f"Write [{name}] above its settings.")
    values, faults = _values(readers, flags, f"EDGE_{name.upper()}_", table, f"{path} [{name}]")
    if faults:
        raise BadRequest("settings cannot be used: " + "; ".join(faults), "Correct them; docs/SETTINGS.md lists all.")
    return values


def _values(
    readers: Readers, flags: Mapping[str, Any], prefix: str, document: Mapping[str, Any], where: str
) -> tuple[dict[str, Any], list[str]]:
    """The values that are given anywhere, and every fault."""
    values: dict[str, Any] = {}
    faults = [f"{where}: unknown setting {key!r}" for key in sorted(set(document) - set(readers))]
    for name, (reader, expected) in readers.items():
        variable = f"{prefix}{name.upper()}"
        given, source = flags.get(name), "the flag"
        if given is None:
            given, source = os.environ.get(variable), variable
        if given is None:
            given, source = document.get(name), where
        if given is None:
            continue
        try:
            values[name] = reader(given)
        except (TypeError, ValueError):
            faults.append(f"{source}: {name} is {given!r}, expected {expected}")
    return values, faults


def _whole_number(given: Any) -> int:
    """From text or TOML; int() alone would cut 1.9 down to 1 and take true for 1."""
    if isinstance(given, bool | float):
        raise TypeError
    return int(given)


def _share(given: Any) -> float:
    if isinstance(given, bool) or not 0 <= float(given) <= 1:
        raise ValueError
    return float(given)


def _precisions(given: Any) -> tuple[str, ...]:
    """From "fp32,int8", or a list; fp32 is in it whether named or not, because others are held against it."""
    words = [word.strip() for word in given.split(",")] if isinstance(given, str) else list(given)
    if not words or set(words) - set(PRECISIONS):
        raise ValueError
    return tuple(word for word in PRECISIONS if word in words or word == PRECISIONS[0])


def _path(given: Any) -> Path:
    if not str(given).strip():
        raise ValueError
    return Path(given).expanduser().resolve()


def _model(given: Any) -> Path:
    """The path of a model file; a bare word is the name of a pulled model."""
    text = str(given).strip()
    if not text:  # Path("") is the current folder
        raise ValueError
    if os.sep in text or text.endswith(".gguf"):
        return Path(text).expanduser().resolve()
    from llm_gguf.library import store

    return store.find(text)


def _file() -> tuple[Path, dict[str, Any]]:
    named = os.environ.get(FILE_VARIABLE)
    base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    path = Path(named) if named else base / "edge" / "settings.toml"
    if not path.is_file():
        if named:
            raise BadRequest(f"{FILE_VARIABLE} names {path}, which is not there", "Correct or unset the variable.")
        return path, {}
    try:
        return path, tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"{path} is not valid TOML: {error}", "Correct the file.") from error


READERS: Readers = {
    "threads": (_whole_number, "a whole number"),
    "train_threads": (_whole_number, "a whole number"),
    "llm": (_model, "a file or a name of `edge llm list`"),
    "seed": (_whole_number, "a whole number"),
    "precisions": (_precisions, f"some of {', '.join(PRECISIONS)}"),
    "precision_drop": (_share, "a number from 0 to 1"),
    "data_home": (_path, "a folder"),
    "weights_home": (_path, "a folder"),
    "profiles": (_path, "a file"),
}


def count(text: str) -> float:
    """ "5M", "900K", "1200000" -> a number, more than none.

    Raises:
        BadRequest: anything else.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgb]?)", text.strip().lower(), re.ASCII)
    number = float(found[1]) * {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "b": 1e9}[found[2]] if found else 0.0
    if not 0 < number < math.inf:
        raise BadRequest(f"{text!r} is no amount", "Write 5M, 900K or 1200000.")
    return number


def seconds(text: str) -> float:
    """ "90", "90s", "10m", "1h30m" -> seconds, more than none.

    Raises:
        BadRequest: anything else.
    """
    number = r"(\d+(?:\.\d+)?)"
    found = re.fullmatch(rf"(?:{number}h)?(?:{number}m)?(?:{number}(s?))?", text.strip().lower(), re.ASCII)
    if not text.strip() or found is None:
        raise BadRequest(f"{text!r} is no duration", DURATIONS)
    hours, minutes, rest, unit = found.groups()
    if hours and rest and not (minutes or unit):
        raise BadRequest(f"{text!r} can mean two durations", f"Write {hours}h{rest}m or {hours}h{rest}s.")
    total = float(hours or 0) * 3600 + float(minutes or 0) * 60 + float(rest or 0)
    if not 0 < total < math.inf:
        raise BadRequest(f"{text!r} is no time to work in", DURATIONS)
    return total
