"""Scores read configurations against gold ones: nine keys a request, by a strict rule and by a literal one.

Strict: equal quantities in other units are equal (33.3 ms and 30 fps), case and articles of names do not matter,
class names match one to one, every wrong key counts. Literal: value, unit and names must be written as in the gold,
classes are compared as a set, and a request counts once, however much of it is wrong (the reading of LAMP's rule that
the published figures for large models follow). Knows nothing about how a configuration was read.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

KEYS: Final = (
    "task", "specific_model", "speed", "flops", "parameters", "gpu", "inference_engine", "object", "metrics"
)  # fmt: skip
_NEVER_INVENTED: Final = ("task", "object")
"""Keys that every request has, so that a wrong one is wrong but not made up."""
_SCALE: Final = {
    "speed": {"fps": (1.0, 1), "ms": (1e3, -1), "s": (1.0, -1)},
    "flops": {"MFLOPs": (1e6, 1), "GFLOPs": (1e9, 1), "TFLOPs": (1e12, 1)},
    "parameters": {"K": (1e3, 1), "M": (1e6, 1), "B": (1e9, 1)},
}
"""Unit -> factor and power: fps = factor * value ** power."""
_SAME_METRIC: Final = {
    "top-1accuracy": "accuracy", "top1accuracy": "accuracy", "acc": "accuracy", "top-5": "top-5accuracy",
    "top5accuracy": "top-5accuracy", "f1": "f1-score", "f1score": "f1-score", "map50": "ap50", "map@50": "ap50",
    "map@0.5": "ap50", "iou": "miou", "meaniou": "miou", "dicescore": "dice", "dicecoefficient": "dice",
}  # fmt: skip

Config = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one request was read."""

    id: str
    task: str
    """Of the gold."""
    wrong: tuple[str, ...]
    """Keys that are wrong by the strict rule; all nine where nothing was read."""
    literally_right: bool
    invented: tuple[str, ...]
    """Wishes that the request does not state."""
    dataset_right: bool
    refusal: str = ""


def judge(row: str, gold: Config, read: Config | None, refusal: str = "") -> Outcome:
    """Compares one reading with its gold; both in the shape of RequestConfig's JSON."""
    wanted = _parts(gold)
    if read is None:
        return Outcome(row, str(wanted["task"]), KEYS, False, (), False, refusal or "nothing was read")
    got = _parts(read)
    wrong = tuple(key for key in KEYS if not _same(key, wanted[key], got[key]))
    invented = tuple(
        key for key in KEYS if key not in _NEVER_INVENTED and not _stated(key, wanted[key]) and _stated(key, got[key])
    )
    named = [_plain(str(config["data"].get("specific_dataset", "none"))) for config in (gold, read)]
    literal = all(_literal(key, wanted[key]) == _literal(key, got[key]) for key in KEYS)
    return Outcome(row, str(wanted["task"]), wrong, literal, invented, named[0] == named[1])


@dataclass(frozen=True)
class Score:
    """The shares of many outcomes."""

    requests: int
    key_level: float
    request_level: float
    literal: float
    invented: float
    dataset: float
    keys: dict[str, float]
    tasks: dict[str, tuple[int, int]]
    """Task -> requests wholly right, requests."""


def total(outcomes: Iterable[Outcome]) -> Score:
    """Raises ValueError if there is none."""
    done = list(outcomes)
    if not done:
        raise ValueError("no request to score")
    right = {key: sum(key not in o.wrong for o in done) / len(done) for key in KEYS}
    tasks = {
        task: (sum(not o.wrong for o in done if o.task == task), sum(o.task == task for o in done))
        for task in sorted({o.task for o in done})
    }
    return Score(
        requests=len(done),
        key_level=sum(right.values()) / len(KEYS),
        request_level=sum(not o.wrong for o in done) / len(done),
        literal=sum(o.literally_right for o in done) / len(done),
        invented=sum(bool(o.invented) for o in done) / len(done),
        dataset=sum(o.dataset_right for o in done) / len(done),
        keys=right,
        tasks=tasks,
    )


def _parts(config: Config) -> dict[str, Any]:
    data, model, deploy = config["data"], config["model"], config["deploy"]
    return {
        **{key: model[key] for key in ("task", "specific_model", "speed", "flops", "parameters", "metrics")},
        **{key: deploy[key] for key in ("gpu", "inference_engine")},
        "object": data["object"],
    }


def _same(key: str, wanted: Any, got: Any) -> bool:
    if key in _SCALE:
        first, second = _size(key, wanted), _size(key, got)
        return abs(first - second) <= 2e-3 * max(first, second)
    return bool(_canonical(key, wanted) == _canonical(key, got))


def _size(key: str, quantity: Mapping[str, Any]) -> float:
    value, unit = float(quantity["value"]), str(quantity["unit"])
    if not value or unit == "none":
        return 0.0
    factor, power = _SCALE[key][unit]
    return float(factor * value**power)


def _canonical(key: str, value: Any) -> Any:
    if key == "specific_model":
        return _plain(str(value))
    if key == "object":
        return Counter(re.sub(r"^(the|a|an) ", "", " ".join(str(v).split()).casefold()) for v in value)
    if key == "metrics":
        return Counter((_metric_name(str(m["name"])), round(float(m["value"]), 4)) for m in value)
    return value


def _metric_name(name: str) -> str:
    joined = re.sub(r"\s+", "", name.casefold())
    return _SAME_METRIC.get(joined, joined)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def _stated(key: str, value: Any) -> bool:
    if key in _SCALE:
        return _size(key, value) > 0
    return value not in ("none", "", [], ())


def _literal(key: str, value: Any) -> Any:
    if key in _SCALE:
        return float(value["value"]), value["unit"]
    if key == "object":
        return set(value)
    if key == "metrics":
        return {(m["name"], float(m["value"])) for m in value}
    return value
