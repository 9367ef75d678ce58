"""Numbers and names in words a reader understands: units, sensible digits, and a word where a number is missing.

Knows no record. Speeds and shares are cut, never rounded up: 29.97 fps must not read as the 30 that were asked for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

NOT_MEASURED = "not measured"
UNAVAILABLE = "unavailable"

ENGINES = {
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "ncnn": "ncnn",
    "tensorrt": "TensorRT",
    "torchscript": "TorchScript",
}
DEVICES = {"cpu": "processor (CPU)", "gpu": "graphics card (GPU)"}
TASK_WORDS = {
    "classification": "Image classification",
    "multilabel-classification": "Image tagging",
    "detection": "Object detection",
    "segmentation": "Image segmentation",
    "instance-segmentation": "Instance segmentation",
    "keypoint": "Keypoint detection",
}
SCOPES = {
    "device": "the network alone",
    "runtime": "the network with transfers to and from the device",
    "pipeline": "the whole way from image to answer: decode, prepare, run the network, interpret",
}
STEPS = {
    "understand": "read the request",
    "gather": "collect and check the data",
    "shortlist": "pick the models to try",
    "measure": "time them on this machine",
    "choose": "choose one",
    "tune": "search training settings",
    "train": "train",
    "export": "convert for the engine",
    "verify": "test the converted model",
    "pack": "write the package",
}
OVERALL = {"perfect": "PERFECT", "works": "WORKS", "failed": "FAILED"}
RESULT_SIGNS = {"met": "✓", "missed": "✗", "unchecked": "–"}  # noqa: RUF001
SPLITS = {"train": "train, to learn from", "val": "val, to choose by", "test": "test, to report on"}
VERDICT_WORDS = {
    "PASS": "fast enough",
    "FAIL": "too slow",
    "UNDECIDED": "undecided",
    "UNCHECKED": "no limit asked",
    "ERROR": "did not run",
    "OVER LIMIT": "over a limit",
}
TRENDS = {
    "STEADY": "steady",
    "SLOWER": "getting slower",
    "FASTER": "getting faster",
    "CANT_TELL": "no trend that could be told from chance",
}
VERDICT_SIGNS = {"PASS": "✓", "FAIL": "✗", "UNDECIDED": "?", "UNCHECKED": "–", "ERROR": "!", "OVER LIMIT": "✗"}  # noqa: RUF001


def printable(text: object) -> str:
    """One line that is safe on a terminal and in UTF-8: control characters and lone surrogates become escapes."""
    flat = " ".join(str(text).split()) if any(sign in str(text) for sign in "\n\r\t") else str(text)
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in flat)


def count(number: float | None) -> str:
    """1234 -> "1,234"."""
    return UNAVAILABLE if number is None else f"{number:,.0f}"


def amount(number: float | None) -> str:
    """11_173_962 -> "11.2 M"; three significant digits."""
    if number is None or not math.isfinite(number):
        return UNAVAILABLE
    for factor, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "K")):
        if abs(number) >= factor * 0.9995:
            return f"{_three(number / factor)} {unit}"
    return f"{number:.0f}" if float(number).is_integer() else f"{number:.3g}"


def size(size_bytes: float | None) -> str:
    """44_700_000 -> "44.7 MB", decimal as disks are sold."""
    if size_bytes is None:
        return UNAVAILABLE
    if abs(size_bytes) < 999.5:
        return f"{size_bytes:.0f} bytes"
    return amount(size_bytes).replace("K", "k") + "B"


def milliseconds(value: float | None) -> str:
    return NOT_MEASURED if value is None or not math.isfinite(value) else f"{_three(value)} ms"


def rate(fps: float | None) -> str:
    """29.97 -> "29.9 fps"."""
    if fps is None or not math.isfinite(fps):
        return NOT_MEASURED
    digits = 2 if fps < 10 else 1 if fps < 100 else 0
    return f"{_cut(fps, digits):,.{digits}f} fps"


def asked_rate(fps: float) -> str:
    """A limit is quoted as it was asked: 30.0 -> "30 fps", 1000/33 -> "30.3 fps"."""
    return f"{fps:.0f} fps" if abs(fps - round(fps)) < 1e-9 else f"{fps:.4g} fps"


def asked_amount(number: float) -> str:
    """15e6 -> "15 M", 300_000 -> "300 K"."""
    for factor, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "K")):
        if number >= factor:
            return f"{number / factor:.4g} {unit}"
    return f"{number:.4g}"


def asked_share(value: float) -> str:
    """0.95 -> "95 %"."""
    return f"{value * 100:.4g} %"


def share(value: float | None) -> str:
    """0.9736 -> "97.3 %"."""
    return NOT_MEASURED if value is None or not math.isfinite(value) else f"{_cut(value * 100, 1):.1f} %"


def fine_share(value: float | None) -> str:
    """0.93358 -> "93.35 %", where two shares differ by little."""
    return NOT_MEASURED if value is None or not math.isfinite(value) else f"{_cut(value * 100, 2):.2f} %"


def late_share(missed: int, queries: int) -> str:
    """(2, 600) -> "0.3 %"; never 0 where something was late."""
    exact = 100 * missed / queries
    return "less than 0.1 %" if 0 < exact < 0.05 else f"{exact:.1f} %"


def change(value: float) -> str:
    """0.004 -> "+0.40 %"."""
    return f"{value * 100:+.2f} %".replace("-", "−")  # noqa: RUF001


def factor(value: float | None) -> str:
    """How many times as fast: 1.849 -> 1.84, with the sign of multiplication."""
    return NOT_MEASURED if value is None or not math.isfinite(value) else f"{_cut(value, 2):.2f}×"  # noqa: RUF001


def energy(joules: float | None) -> str:
    """0.0312 -> "31.2 mJ"."""
    if joules is None or not math.isfinite(joules):
        return UNAVAILABLE
    return f"{_three(joules)} J" if joules >= 0.9995 else f"{_three(joules * 1000)} mJ"


def named_engines(text: str) -> str:
    """Engines of a sentence under the names they are known by: "openvino fp32" -> "OpenVINO fp32"."""
    return re.sub(r"(?<![\w./=-])(" + "|".join(ENGINES) + r")(?![\w./=-])", lambda found: ENGINES[found[0]], text)


def form(engine: str, precision: str) -> str:
    """("openvino", "bf16") -> "OpenVINO bf16"."""
    return f"{ENGINES.get(engine, engine)} {precision}"


def duration(seconds: float | None) -> str:
    """7512 -> "2 h 05 min"."""
    if seconds is None or not math.isfinite(seconds):
        return UNAVAILABLE
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s" if whole % 60 else f"{whole // 60} min"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def whole_duration(seconds: float) -> str:
    """A time that was set rather than measured: 20.0 -> "20 s"."""
    return f"{seconds:g} s" if seconds < 60 else duration(seconds)


def short(value: float) -> str:
    """A setting such as a learning rate: 0.0005 -> "0.0005", 2.37e-05 stays so."""
    return f"{value:.3g}"


def times(width: int, height: int) -> str:
    return f"{width} × {height}"  # noqa: RUF001


def listing(items: Sequence[str], most: int = 6) -> str:
    """("a", "b", "c") -> "a, b and c"; beyond `most` the rest is counted."""
    if len(items) > most:
        return f"{', '.join(items[:most])} and {len(items) - most} more"
    return " and ".join(filter(None, (", ".join(items[:-1]), items[-1]))) if items else "none"


def plural(number: int, one: str, many: str = "") -> str:
    """(1, "image") -> "1 image"; (2, "image") -> "2 images"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def sentence_start(text: str) -> str:
    # an engine that is written small stays so
    return text if text.split(" ")[0] in ENGINES.values() else text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """First letter large, a full stop at the end."""
    text = text.strip()
    return text and sentence_start(text) + ("" if text[-1] in ".!?…" else ".")


def sentences(texts: Iterable[str]) -> str:
    return " ".join(sentence(text) for text in texts if text.strip())


def _three(value: float) -> str:
    """Three significant digits without an exponent."""
    size = abs(value)
    if 0 < size < 0.9995:
        return f"{value:.3f}"
    return f"{value:.2f}" if size < 9.995 else f"{value:.1f}" if size < 99.95 else f"{value:,.0f}"


def _cut(value: float, digits: int) -> float:
    # the small addend forgives the last bit of a division: 1000 / (1000 / 30) is 29.999999999999996
    scale = float(10**digits)
    return math.floor(value * scale + 1e-6) / scale
