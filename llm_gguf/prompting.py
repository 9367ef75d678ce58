"""The language between the request and the small model: words in, one mark per word out.

A prompt is the request in small letters and two questions at its end, one for the task and one for the device. The
model never writes text: at the last token of every word it names what the word is (`<outside>`, `<object>`,
`<inside>`, `<unit=fps>`, ...), so that every name is a span of the request by construction and every number is read
from the text by code. Knows nothing about llama.cpp, GBNF or the training.
"""

import re
from dataclasses import dataclass
from typing import Final

TASKS: Final = (
    "classification",
    "multilabel-classification",
    "detection",
    "segmentation",
    "instance-segmentation",
    "keypoint",
)
METRICS: Final = (
    "accuracy",
    "top-5 accuracy",
    "precision",
    "recall",
    "f1-score",
    "mAP",
    "AP50",
    "AP75",
    "mIoU",
    "dice",
    "pixel accuracy",
    "AP",
    "AR",
    "PCK",
)
SPEED_UNITS: Final = ("fps", "ms", "s", "per-minute", "per-hour")
FLOPS_UNITS: Final = ("MFLOPs", "GFLOPs", "TFLOPs")
PARAMETER_UNITS: Final = ("K", "M", "B", "plain")
DEVICES: Final = ("cpu", "gpu")
ENGINES: Final = ("onnxruntime", "openvino", "ncnn", "tensorrt", "torchscript")

CAPITAL: Final = "<up>"
"""In front of a word that is written with capitals."""
ASK_TASK: Final = "<ask-task>"
ASK_DEVICE: Final = "<ask-device>"

OUTSIDE: Final = "<outside>"
"""A word that means nothing to the configuration; also "no device"."""
INSIDE: Final = "<inside>"
"""A further word of the name that began before."""
NAMES: Final = ("object", "model", "dataset")
NO_TASK: Final = "<task=none>"

UNIT_FIELDS: Final = {
    **dict.fromkeys(SPEED_UNITS, "speed"),
    **dict.fromkeys(FLOPS_UNITS, "flops"),
    **dict.fromkeys(PARAMETER_UNITS, "parameters"),
}
"""Which constraint a unit belongs to."""


def name_marks() -> tuple[str, ...]:
    """Marks that begin a name."""
    return (*(f"<{name}>" for name in NAMES), *(f"<engine={e}>" for e in ENGINES))


def number_marks() -> tuple[str, ...]:
    """Marks of the first word of a number: the unit it has, or the metric it belongs to."""
    return (*(f"<unit={u}>" for u in UNIT_FIELDS), *(f"<metric={m}>" for m in METRICS))


def word_marks() -> tuple[str, ...]:
    """Everything a word can be."""
    return (OUTSIDE, INSIDE, *name_marks(), *number_marks())


def task_marks() -> tuple[str, ...]:
    return (NO_TASK, *(f"<task={t}>" for t in TASKS))


def device_marks() -> tuple[str, ...]:
    return (OUTSIDE, *(f"<gpu={d}>" for d in DEVICES))


def structural_tokens() -> tuple[str, ...]:
    """Every token that is no text, each once."""
    signs = (CAPITAL, ASK_TASK, ASK_DEVICE)
    return tuple(dict.fromkeys((*signs, *word_marks(), *task_marks(), *device_marks())))


# A number, then a word with inner hyphens (and inner @ . / before digits: mAP@0.5, ViT-B/16), then any single sign.
_UNIT = re.compile(
    r"(?P<word>\d+(?:[.,]\d+)*|[^\W\d_](?:\w|[-_](?=\w)|[@./](?=\d))*\+*|\w+)|(?P<line>\n+)|(?P<sign>\S)"
)


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the request: its place in the text."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model reads, piece by piece, and the pieces at whose end it is asked."""

    pieces: tuple[str, ...]
    asking: tuple[int, ...]
    """Indices of pieces: one for every word, then the two questions."""
    words: tuple[Word, ...]


def encode(text: str) -> Prompt:
    """Splits a request into pieces. Each piece is split into tokens by itself, so no token reaches over a limit."""
    pieces: list[str] = []
    asking: list[int] = []
    words: list[Word] = []
    for match in _UNIT.finditer(text):
        if match.lastgroup == "line":
            pieces.append("\n")
            continue
        unit = match.group()
        if match.lastgroup == "sign":
            pieces.append(" " + unit)
            continue
        if unit.lower() != unit:
            pieces.append(CAPITAL)
        asking.append(len(pieces))
        pieces.append(" " + unit.lower())
        words.append(Word(match.start(), match.end(), unit))
    asking += (len(pieces), len(pieces) + 1)
    return Prompt((*pieces, ASK_TASK, ASK_DEVICE), tuple(asking), tuple(words))
