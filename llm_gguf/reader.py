"""The second reader: numbers with units, engine, device and plain task words, by rules alone.

It reads what is written out (value, unit and meaning within one clause) and nothing else; every finding carries its
characters. It checks the language model and knows nothing about it. It does not read class names.
"""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from llm_gguf import numbers
from llm_gguf.numbers import Number
from llm_gguf.prompting import ENGINES


@dataclass(frozen=True, slots=True)
class Finding:
    """One field as the rules read it: `value` in `unit`, from text[start:end]."""

    field: str
    value: float
    unit: str
    start: int
    end: int
    explicit: bool = True
    """False where the words allow another reading (a camera's frame rate, a number without its noun)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything the rules found; `findings` may hold several of one field if the text states several."""

    findings: tuple[Finding, ...]

    def of(self, field: str) -> list[Finding]:
        return [f for f in self.findings if f.field == field]


_PICTURE = (
    r"(?:images?|pictures?|photos?|photographs?|frames?|shots?|scans?|items?|samples?|tiles?|views?|img|inferences?)"
)
_EACH = r"(?:/|per|a|an|each|every|for (?:each|every|one|a)|in (?:one|a|each|every))"
_I: Final = re.IGNORECASE
_FPS = re.compile(
    rf"\s*\+?\s*(?:f\.?p\.?s\b|hz\b|hertz\b|f/s\b|/\s?s(?:ec(?:ond)?)?\b"
    rf"|(?:[a-z-]+ ){{0,2}}?{_PICTURE}\s*{_EACH}\s*s(?:ec(?:ond)?)?\b"
    rf"|(?:[a-z-]+ ){{0,2}}?{_PICTURE} (?:[a-z]+ ){{1,5}}(?:per|a|each|every) second\b)",
    _I,
)
_PER_MINUTE = re.compile(
    rf"\s*(?:[a-z-]+ ){{0,2}}?{_PICTURE}\s*(?:(?:[a-z]+ ){{0,5}}|\s*){_EACH}\s*(?P<span>min(?:ute)?|h(?:our)?)\b", _I
)
_MS = re.compile(r"\s*-?(?:ms(?:ecs?)?|milli-?seconds?)\b", _I)
_SECONDS = re.compile(r"\s*-?(?:s|secs?|seconds?)\b", _I)
_TIME_BEFORE = re.compile(
    r"(?:within|in|under|below|less than|at most|no more than|not more than|max(?:imum)?(?: of)?|no longer than|up to"
    r"|latency|time|takes?|taking|last|exceed|longer than|more than|after|<|<=|≤)[\s:=<≤]*(?:only |about |roughly )?$",
    _I,
)
_PER_PICTURE = re.compile(rf"\s*(?:or less|or faster|at most)?\s*{_EACH}\s*(?:[a-z-]+ )?{_PICTURE}", _I)
_NOT_OURS = re.compile(
    r"(?:\b(?:record|film|shoot|shot|captur|stream)\w*|camera\w* (?:[a-z]+ )?(?:delivers|gives|has|sends)|footage|video"
    r"|every|each|lasts|for)\W+(?:[a-z]+ ){0,2}$",
    _I,
)
_FPS_BEFORE = re.compile(r"(?:\bfps|frame ?rate|throughput|\bspeed)\W*(?:[a-z]+\W+){0,4}(?:[<>=≥]+\s*)?$", _I)
_PARAMETERS = re.compile(
    r"\s*-?(?P<unit>k|m|b|mio|mln|mil)?\s?-?(?:of )?(?:trainable |learnable |model |network |net )?"
    r"(?:param(?:eter|etre)?s?|weights)\b",
    _I,
)
_PARAMETERS_BEFORE = re.compile(
    r"(?:\bparam(?:eter)?s?(?: count| number| budget| limit)?|\bmodel size|\bsize)"
    r"\W*(?:[a-z]+\W+){0,5}(?:[<>=≤]+\s*)?$",
    _I,
)
_COUNT_UNIT = re.compile(r"\s?(?P<unit>k|m|b|mio|mln)?\b(?!\s*(?:flop|b\b|byte|ms|px|pixel))", _I)
_FLOPS = re.compile(
    r"\s*-?(?P<unit>g|m|t|giga|mega|tera)?[\s-]*(?:flops?\b|floating[ -]point operations?|operations\b)", _I
)
_FLOPS_BEFORE = re.compile(
    r"(?:\bflops?|\bcompute|\bcomplexity|\bcomputation(?:al cost)?)(?: budget)?\W*(?:[a-z]+\W+){0,5}(?:[<>=≤]+\s*)?$",
    _I,
)
_FLOPS_UNIT = re.compile(r"\s?(?P<unit>g|m|t)\b", _I)
_METRIC_NAMES: Final = (
    ("pixel accuracy", r"(?:per-|mean )?pixel[ -](?:wise )?acc(?:uracy)?"),
    ("top-5 accuracy", r"top[ -]?5(?: accuracy| acc)?"),
    ("accuracy", r"(?:top[ -]?1 |classification )?acc(?:uracy|uracies)?\b(?: \(top-1\))?|top[ -]?1\b"),
    ("AP50", r"(?:mask |box )?m?AP ?@?(?:50|0\.5)(?!\d|:|\s*%|\s*per ?cent)"),
    ("AP75", r"(?:mask |box )?m?AP ?@?(?:75|0\.75)(?!\d|\s*%|\s*per ?cent)"),
    ("mAP", r"(?:box |mask )?mAP\b(?: score)?|mean average precision"),
    ("AR", r"\bAR\b|average recall"),
    ("AP", r"(?:OKS |keypoint )?\bAP\b|average precision"),
    ("mIoU", r"mIoU|mean IoU|(?:mean )?intersection[ -]over[ -]union|\bIoU\b"),
    ("dice", r"dice(?: score| coefficient)?"),
    ("f1-score", r"\bF-?1(?:[ -]?score| measure)?\b|\bF-score"),
    ("precision", r"precision"),
    ("recall", r"recall|sensitivity"),
    ("PCK", r"PCK(?:h)?(?:@0\.\d+)?|percentage of correct keypoints"),
)
_METRIC = re.compile("|".join(f"(?P<m{i}>(?<![\\w-]){p})" for i, (_, p) in enumerate(_METRIC_NAMES)), _I)
_CLAUSE_END = re.compile(r"[.!?;\n](?:\s|$)|\n")

_ENGINE_WORDS: Final = {
    "onnxruntime": r"onnx[ -]?runtime|\bORT\b|\bonnx\b",
    "openvino": r"open[ -]?vino",
    "ncnn": r"\bncnn\b",
    "tensorrt": r"tensor[ -]?rt\b|\bTRT\b",
    "torchscript": r"torch[ -]?script|libtorch",
}
_NOT = re.compile(
    r"(?:\bnot|\bno|\bwithout|instead of|rather than|\bnever|don'?t (?:use|want)|\bavoid)\s+(?:[a-z]+ )?$", _I
)
_NO_GPU = re.compile(
    r"(?:\bno|\bwithout|\bnot? (?:have|has|using)|lacks?|lacking|instead of)\s+(?:an?y?\s+)?"
    r"(?:[a-z]+ )?(?:gpus?|graphics cards?)\b"
    r"|(?:gpu|graphics card)s? (?:is|are) (?:not|un)\s?available|\bgpu-?less\b",
    _I,
)
_GPU = re.compile(
    r"\bgpus?\b|\bgraphics cards?\b|\b(?:rtx|gtx)[ -]?\w*\d+\w*(?: ti| super)?|\bgeforce\b|\bquadro\b|\bcuda\b"
    r"|\bnvidia\b(?! tensor)|\btesla [a-z]\d+|\b(?:a10|a30|a40|a100|h100|h200|v100|l4|l40|t4)\b|\bjetson\b(?: \w+)?",
    _I,
)
_CPU = re.compile(
    r"\bcpus?\b|\b(?<!micro)processors?\b|\bxeon\b|\bcore i[3579]\b|\bi[3579]-\d{4,5}\w*|\bryzen\b|\bepyc\b", _I
)
_TASK_WORDS: Final = (
    ("instance-segmentation", r"instance[ -](?:level )?(?:segmentation|masks?)"),
    ("multilabel-classification", r"multi[ -]?label"),
    ("keypoint", r"\bkey ?points?\b|\bpose estimat\w+|\blandmark detect\w+"),
    ("segmentation", r"semantic(?:ally)? segment\w*"),
    ("detection", r"object detect\w+|bounding box(?:es)?"),
    ("classification", r"image classif\w+|\bclassifier\b|\bclassify\b"),
)


def _clause_before(text: str, place: int) -> str:
    """The text of the same clause in front of a place, 60 characters at most."""
    left = text[max(0, place - 60) : place]
    ends = [m.end() for m in _CLAUSE_END.finditer(left)]
    return left[ends[-1] :] if ends else left


def _speed(text: str, number: Number) -> Finding | None:
    left = _clause_before(text, number.start)
    if found := _FPS.match(text, number.tail):
        ours = _NOT_OURS.search(left) is None
        return Finding("speed", number.amount, "fps", number.start, found.end(), ours)
    if found := _PER_MINUTE.match(text, number.tail):
        seconds = 60 if found["span"].lower().startswith("m") else 3600
        return Finding(
            "speed", number.amount / seconds, "fps", number.start, found.end(), _NOT_OURS.search(left) is None
        )
    if found := _MS.match(text, number.tail):
        return Finding("speed", number.amount, "ms", number.start, found.end(), not re.search(r"every\s+$", left, _I))
    if found := _SECONDS.match(text, number.tail):
        if re.search(r"\b(?:every|each|for|last|past)\s+$", left, _I):
            return None
        sure = bool(_TIME_BEFORE.search(left) or _PER_PICTURE.match(text, found.end()))
        return Finding("speed", number.amount, "s", number.start, found.end()) if sure else None
    if not number.percent and _FPS_BEFORE.search(left) and re.match(r"\s*(?:[.,;!)]|$|or )", text[number.tail :]):
        return Finding("speed", number.amount, "fps", number.start, number.tail, False)
    return None


_LETTER_SCALE: Final = {"k": 1e3, "m": 1e6, "b": 1e9, "mio": 1e6, "mln": 1e6, "mil": 1e6}


def _parameters(text: str, number: Number) -> Finding | None:
    left = _clause_before(text, number.start)
    found = _PARAMETERS.match(text, number.tail)
    if found is None and _PARAMETERS_BEFORE.search(left) and not number.percent:
        found = _COUNT_UNIT.match(text, number.tail)
    if found is None or (found["unit"] is None and number.amount < 1000):
        return None
    amount = number.amount * _LETTER_SCALE.get((found["unit"] or "").lower(), 1.0)
    unit, size = next((u, s) for u, s in (("B", 1e9), ("M", 1e6), ("K", 1e3), ("K", 1e3)) if amount >= s or s == 1e3)
    if number.scale in (1e3, 1e6, 1e9) and found["unit"] is None:
        unit, size = {1e3: "K", 1e6: "M", 1e9: "B"}[number.scale], number.scale
    return Finding("parameters", round(amount / size, 9), unit, number.start, max(found.end(), number.tail))


def _flops(text: str, number: Number) -> Finding | None:
    left = _clause_before(text, number.start)
    found = _FLOPS.match(text, number.tail)
    if found is None and _FLOPS_BEFORE.search(left):
        found = _FLOPS_UNIT.match(text, number.tail)
        if found is None and number.scale >= 1e6:
            found = re.compile("").match(text, number.tail)
    if found is None:
        return None
    letter = (found.groupdict().get("unit") or "")[:1].lower()
    amount = number.amount * {"m": 1e6, "g": 1e9, "t": 1e12, "": 1.0}[letter]
    if amount < 1e5:
        return None
    unit, size = next((u, s) for u, s in (("TFLOPs", 1e12), ("GFLOPs", 1e9), ("MFLOPs", 1.0)) if amount >= s)
    size = 1e6 if unit == "MFLOPs" else size
    if letter or number.scale in (1e6, 1e9, 1e12):
        scale = {"m": 1e6, "g": 1e9, "t": 1e12}.get(letter, number.scale)
        unit, size = {1e6: "MFLOPs", 1e9: "GFLOPs", 1e12: "TFLOPs"}.get(scale, unit), scale
    return Finding("flops", round(amount / size, 9), unit, number.start, found.end())


def share(number: Number) -> float:
    """A quality as a share: 90 %, 90 and 0.9 are the same."""
    value = number.amount
    return round(value / 100, 6) if number.percent or value > 1 else value


def _metrics(text: str, free: list[Number]) -> Iterator[Finding]:
    """Every metric name takes the free number that touches it from the left, else the next one in its clause."""
    taken: set[int] = set()
    for name in _METRIC.finditer(text):
        label = _METRIC_NAMES[int(str(name.lastgroup)[1:])][0]
        number = _metric_number(text, name, [n for n in free if n.start not in taken])
        if number is None:
            continue
        taken.add(number.start)
        yield Finding(
            f"metric.{label}", share(number), "share", min(number.start, name.start()), max(number.tail, name.end())
        )


def _metric_number(text: str, name: re.Match[str], free: list[Number]) -> Number | None:
    free = [n for n in free if n.percent or n.amount <= 1 or 10 <= n.amount <= 100]
    before = [n for n in free if n.tail <= name.start()]
    if before and not text[before[-1].tail : name.start()].strip():
        return before[-1]
    behind = [n for n in free if n.start >= name.end()]
    for number in behind[:1]:
        between = text[name.end() : number.start]
        if (
            len(between) <= 45
            and not _CLAUSE_END.search(between)
            and not re.search(r"[,()]|\bwith\b|\bat\b(?! least)", between)
        ):
            return number
    for number in before[-1:]:
        between = text[number.tail : name.start()]
        if re.fullmatch(r"\s*(?:or (?:more|better|higher)\s*)?(?:in |of |for )?(?:[a-z-]+\s+)?", between, _I):
            return number
    return None


def names(written: str, engine: str) -> bool:
    """Whether the words are the engine's name, written right or nearly."""
    return re.search(_ENGINE_WORDS[engine], written, _I) is not None or misspelt(written, engine)


def misspelt(written: str, engine: str) -> bool:
    """Whether the words are the engine's name with a slip of the hand: tensort, open-vno.

    Not the name itself: where that is written and yet not found, it is denied ("not TensorRT").
    """
    if re.search(_ENGINE_WORDS[engine], written, _I):
        return False
    plain = re.sub(r"[^a-z]", "", written.casefold())
    return difflib.SequenceMatcher(None, plain, engine).ratio() >= 0.8


def _engines(text: str) -> Iterator[Finding]:
    for engine in ENGINES:
        for found in re.finditer(_ENGINE_WORDS[engine], text, _I):
            if not _NOT.search(text[max(0, found.start() - 30) : found.start()]):
                yield Finding(f"engine.{engine}", 1.0, engine, found.start(), found.end())
                break


def _devices(text: str) -> Iterator[Finding]:
    negated = list(_NO_GPU.finditer(text))
    for found in negated[:1]:
        yield Finding("device.cpu", 1.0, "cpu", found.start(), found.end())
    if not negated:
        for found in list(_CPU.finditer(text))[:1]:
            yield Finding("device.cpu", 1.0, "cpu", found.start(), found.end())
    for found in _GPU.finditer(text):
        inside = any(n.start() <= found.start() < n.end() for n in negated)
        if not inside and not _NOT.search(text[max(0, found.start() - 20) : found.start()]):
            yield Finding("device.gpu", 1.0, "gpu", found.start(), found.end())
            break


def _tasks(text: str) -> Iterator[Finding]:
    for task, words in _TASK_WORDS:
        if found := re.search(words, text, _I):
            yield Finding(f"task.{task}", 1.0, task, found.start(), found.end())


def read(text: str) -> Reading:
    """Everything that the rules find, in the order of the fields."""
    found: list[Finding] = []
    free: list[Number] = []
    for number in numbers.find(text):
        finding = _flops(text, number) or _parameters(text, number) or _speed(text, number)
        if finding is None:
            free.append(number)
        else:
            found.append(finding)
    return Reading((*found, *_metrics(text, free), *_engines(text), *_devices(text), *_tasks(text)))
