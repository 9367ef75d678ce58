"""Where every default stands, and the one place that resolves flag > environment > file > default."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from edge.errors import BadRequest

FILE_VARIABLE = "EDGE_SETTINGS"


@dataclass(frozen=True)
class Settings:
    """All that is not part of the request. Paths are absolute."""

    threads: int = 1  # of the model at run time: what a shared edge box can promise; measured and shipped alike
    train_threads: int = (
        0  # most that PyTorch may use in training; 0 allows every core; the faster of 1 and this is taken
    )
    llm: Path | None = None  # another GGUF model for reading requests; None takes the one that ships with edge
    seed: int = 0  # of split, search and training


@dataclass(frozen=True)
class Job:
    """One call of `edge produce`."""

    text: str
    data: Path | None
    out: Path
    budget_s: float
    skip_bad: bool
    accept: bool
    weights: Path | None
    settings: Settings

    def identity(self) -> dict[str, Any]:
        """What may not change when a job is continued; time and the number of training threads may."""
        return {
            "request": self.text,
            "data": str(self.data) if self.data else None,
            "skip_bad": self.skip_bad,
            "weights": str(self.weights) if self.weights else None,
            "threads": self.settings.threads,
            "llm": str(self.settings.llm) if self.settings.llm else None,
            "seed": self.settings.seed,
        }


def resolve(**flags: Any) -> Settings:
    """Settings from flags (None means not given), EDGE_* variables, the settings file, defaults, in that order.

    Raises:
        BadRequest: the file is malformed, or a value has the wrong type; all faults are named.
    """
    path, document = _file()
    values: dict[str, Any] = {}
    faults = [f"{path}: unknown setting {key!r}" for key in sorted(set(document) - {f.name for f in fields(Settings)})]
    for setting in fields(Settings):
        given = flags.get(setting.name)
        source = "the flag"
        if given is None:
            given, source = os.environ.get(f"EDGE_{setting.name.upper()}"), f"EDGE_{setting.name.upper()}"
        if given is None:
            given, source = document.get(setting.name), str(path)
        if given is None:
            continue
        try:
            values[setting.name] = Path(given).expanduser().resolve() if setting.name == "llm" else int(given)
        except (TypeError, ValueError):
            faults.append(f"{source}: {setting.name} is {given!r}, expected a whole number")
    faults += [
        f"{name} is {values[name]}"
        for name, least in (("threads", 1), ("train_threads", 0))
        if values.get(name, least) < least
    ]
    if faults:
        raise BadRequest("settings cannot be used: " + "; ".join(faults), "Correct them; docs/SETTINGS.md lists all.")
    return Settings(**values)


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


def seconds(text: str) -> float:
    """ "90", "90s", "10m", "1h30m" -> seconds.

    Raises:
        BadRequest: anything else, or nothing.
    """
    match = re.fullmatch(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?", text.strip().lower())
    if not text.strip() or match is None:
        raise BadRequest(f"{text!r} is no duration", "Write 90s, 10m or 1h30m.")
    hours, minutes, rest = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + rest
