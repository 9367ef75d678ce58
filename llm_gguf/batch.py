"""Reads many requests from a JSON-lines file, each line with `id` and `request`, and scores them where gold is there.

One bad line or one refused request never stops the others. Knows neither the models nor the rules.
"""

import json
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from llm_gguf import scoring
from llm_gguf.errors import BatchFileError, RequestError

OWN_BENCHMARK: Final = Path(__file__).parent / "benchmark" / "requests.jsonl"
"""Requests written by hand for edge, in its own repository; no training material comes from them."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line: its name, its text, and the right answer if the file holds it."""

    id: str
    request: str
    gold: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Read:
    """How one line was read; `config` is None where the request was refused, and `refusal` says why."""

    row: Row
    config: dict[str, Any] | None
    refusal: str
    seconds: float


def rows(path: Path) -> list[Row]:
    """The lines of a file. Raises BatchFileError, which names every line that cannot be used."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BatchFileError(f"{path} cannot be read: {error}", "give a UTF-8 file of JSON lines") from error
    found: list[Row] = []
    faults: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
            found.append(Row(str(document["id"]), _text(document["request"]), document.get("config")))
        except (ValueError, KeyError, TypeError) as error:
            faults.append(f"line {number}: {error!r}")
    if not found and not faults:
        faults.append("there is no line in it")
    if faults:
        shown = "; ".join(faults[:5]) + (f"; and {len(faults) - 5} more" if len(faults) > 5 else "")
        raise BatchFileError(f"{path}: {shown}", 'each line is {"id": "...", "request": "..."}')
    return found


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("request is no text")
    return value


def read(all_rows: list[Row], reader: Callable[[str], dict[str, Any]]) -> Iterator[Read]:
    """Reads one line after the other with `reader`, which returns a configuration or raises RequestError."""
    for row in all_rows:
        began = time.perf_counter()
        config: dict[str, Any] | None = None
        refusal = ""
        try:
            config = reader(row.request)
        except RequestError as refused:
            refusal = str(refused)
        yield Read(row, config, refusal, time.perf_counter() - began)


@dataclass(frozen=True)
class Benchmark:
    """A scored file, with what it cost."""

    score: scoring.Score
    outcomes: tuple[scoring.Outcome, ...]
    median_seconds: float
    slowest_seconds: float
    peak_mib: float
    """Largest resident memory of the process so far."""


def score(results: list[Read]) -> Benchmark:
    """Raises BatchFileError where a line has no gold, since a share of unknown answers says nothing."""
    without = [result.row.id for result in results if result.row.gold is None]
    if without:
        raise BatchFileError(f"no gold configuration in {', '.join(without[:5])}", 'each line needs "config"')
    outcomes = []
    for result in results:
        try:
            outcomes.append(scoring.judge(result.row.id, result.row.gold or {}, result.config, result.refusal))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            fact = f"the gold configuration of {result.row.id} is malformed: {error!r}"
            raise BatchFileError(fact, "correct it; its shape is that of `edge understand --json`") from error
    times = sorted(result.seconds for result in results)
    return Benchmark(
        score=scoring.total(outcomes),
        outcomes=tuple(outcomes),
        median_seconds=times[len(times) // 2],
        slowest_seconds=times[-1],
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )
