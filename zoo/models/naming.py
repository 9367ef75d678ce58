"""Which models a name means as people write it: "MobileNet-based", "ResNet50", "ViT-B/16", "an RTM model".

A name fits an entry of a metafile if its letters and numbers, in order, begin the entry's name or that of its
collection, and end where a word or a number ends: ResNet50 is neither SE-ResNet50 nor ResNeXt50, and MobileNetV2 no
MobileNetV20. Parts that say more may stand between ("SegFormer-B0" is segformer_mit-b0). If no entry begins so, a later
part of its name may: the backbone of a detector.
"""

from __future__ import annotations

import difflib
import functools
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from zoo.errors import ZooError, listed

# The words of a model's name from which on it speaks of the original training: `_8xb32`, `-1x_coco`, `_3rdparty` ...
_TRAINING = re.compile(
    r"[_-](\d+xb\d+|\d+x\d+_\d+[ex]|\d+(\.\d+)?x_coco|\d+e_|crop\d+|ms-|mstrain|3rdparty|in1k|in21k|coco|cityscapes)"
)

# Words around a name that are no part of it.
_AROUND = re.compile(
    r"\b(an?|the|any|some|models?|networks?|backbones?|based|styles?|family|architectures?|variants?|kind|type)\b"
)

# How entries' names begin before the architecture: mmpose's heads.
_BEFORE = r"(?:td-hm_|td-reg_|simcc_|ipr_)?"

# Between two pieces of a name: nothing, a separator, or a part that says more.
_GAP = r"(?:[-_.]|_[a-z0-9.]+[-_])?"

# What people shorten; in entries' names the right side stands.
_SIZES = {"n": "nano", "t": "tiny", "s": "small", "m": "medium", "b": "base", "l": "large", "h": "huge"}

# Families that share the beginning of a word.
_FAMILIES: Mapping[str, tuple[str, ...]] = {
    "rtm": ("rtmdet", "rtmpose", "rtmo"),
    "yolo": ("yolox", "yolov3", "yolof"),
    "rcnn": ("faster-rcnn", "cascade-rcnn", "mask-rcnn"),
}

# How names of detectors, segmenters and pose networks write their backbones.
_BACKBONES = (
    (r"resnet(\d+)", r"r\1"),
    (r"resnet(\d+)", r"res\1"),
    (r"resnext(\d+)", r"x\1"),
    (r"hrnetw?(\d+)", r"hrnetv2p-w\1"),
    (r"hrnetw?(\d+)", r"hr\1"),
    (r"resnet", r"r"),
    (r"resnet", r"res"),
    (r"hrnet", r"hrnetv2p"),
    (r"hrnet", r"hr"),
)


def stem(name: str) -> str:
    """The architecture alone, without the words about its original training: `rtmdet_tiny`."""
    return _TRAINING.split(name)[0]


def named(wanted: str, entries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The names of the entries that are meant, in their order.

    Raises:
        ZooError: none is; with the nearest names of families.
    """
    own, backbones = _spellings(wanted)
    # a later way counts where those before find nothing
    for begins, versions in ((True, False), (True, True), (False, False)):
        fits = functools.partial(_fits, begins=begins, versions=versions)
        behind = functools.partial(_fits, begins=False, versions=False)
        found = [
            name
            for name, entry in entries.items()
            if any(fits(each, name, entry) for each in own) or any(behind(each, name, entry) for each in backbones)
        ]
        if found:
            return found
    raise _unknown(wanted, entries)


def _spellings(wanted: str) -> tuple[list[str], list[str]]:
    """The name bare of words around it and with what people shorten written out; and as the name of a backbone."""
    plain = unicodedata.normalize("NFKC", wanted).casefold().replace("+", "plus")
    plain = re.sub(r"[\s_-]+based\b", "", _rcnn(plain))
    bare = " ".join(_AROUND.sub(" ", plain).split()) or plain
    long = re.sub(r"[-_ ]([ntsmblh])(?=$|[/ _-])", lambda match: "-" + _SIZES[match[1]], bare)
    long = re.sub(r"/(\d+)$", r"-p\1", long)
    short = re.sub(rf"[-_ ]({'|'.join(_SIZES.values())})\b", lambda match: "-" + match[1][0], bare)
    joined = re.sub(r"[^a-z0-9]", "", bare)
    backbones = [match.expand(written) for form, written in _BACKBONES if (match := re.fullmatch(form, joined))]
    return list(_FAMILIES.get(joined, dict.fromkeys((bare, long, short)))), backbones


def _rcnn(text: str) -> str:
    return re.sub(r"r[\s_-]*cnn", "rcnn", text)


def _fits(spelling: str, name: str, entry: Mapping[str, Any], *, begins: bool, versions: bool) -> bool:
    pieces = re.findall(r"[a-z]+|\d+", spelling)
    if not pieces:
        return False
    # "MobileNetV2" is mobilenet-v2; behind a number nothing may go on, behind letters a number may
    written = _GAP.join("[-_]?".join(piece) if piece.isalpha() else piece for piece in pieces)
    onward = r"(?![a-z0-9])" if pieces[-1].isdigit() else r"(?![a-z])"
    pattern = written + (rf"(?:v\d+(?:plus)?)?{onward}" if versions else onward)  # "BiSeNet" is all its versions
    plain = name.casefold()
    if begins:
        collection = _rcnn(str(entry.get("In Collection", "")).casefold().replace("+", "plus")).replace(" ", "-")
        return bool(re.match(_BEFORE + pattern, plain) or re.match(pattern, collection))
    return any(re.match(pattern, part) for part in plain.split("_")[1:])


def _unknown(wanted: str, entries: Mapping[str, Mapping[str, Any]]) -> ZooError:
    collections = sorted({str(entry["In Collection"]) for entry in entries.values()}, key=str.casefold)
    near = _near(wanted, collections)
    hint = f"The nearest are {listed(near)}." if near else f"The families are {listed(collections, shown=100)}."
    return ZooError.because(f"There is no model {wanted!r} in the zoo.", hint)


def _near(wanted: str, names: Iterable[str]) -> Sequence[str]:
    plain = {re.sub(r"[^a-z0-9]", "", name.casefold()): name for name in names}
    joined = re.sub(r"[^a-z0-9]", "", _spellings(wanted)[0][0])
    return [plain[word] for word in difflib.get_close_matches(joined, plain, n=5, cutoff=0.5)]
