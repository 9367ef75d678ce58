"""Draws names: things, states, materials, beings, made-up words, codes, networks, data sets.

A part of all names is made up from syllables or taken from WordNet, so that a model which reads the sentence beats one
that remembers names. Knows nothing about sentences.
"""

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from llm_gguf.training.corpus import Theme

# ruff: noqa: E501 - a list of names is no prose


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in re.split(r"[|\n]", text) if part.strip())


ADJECTIVES: Final = _split("""
red|green|blue|yellow|white|black|grey|brown|orange|purple|small|large|tiny|broken|damaged|old|new|wooden|metal|plastic|rusty|wet|dry|wild
young|adult|juvenile|mature|ripe|dead|live|striped|spotted|round|square|long|short|thick|thin|loose|missing|cracked|bent|dirty|clean|empty
full|open|closed|electric|manual|left|right|front|rear|upper|lower|inner|outer|common|giant|dwarf|northern|southern|great|lesser|golden
silver|copper|frozen|burnt|raw|cooked|heavy|light|folded|torn|painted|parked|moving|standing|folding|portable|industrial|medical|glass
""")

MODELS: Final = _split("""
ResNet-18|ResNet-34|ResNet50|ResNet-101|ResNeXt-50|MobileNetV3|MobileNetV3-Small|MobileNet v2|ShuffleNetV2|EfficientNet-B3|EfficientNetV2-S
ConvNeXt-Tiny|ConvNeXt|Swin-T|Swin Transformer|ViT-B/16|ViT|DeiT-S|DeiT-tiny|RegNetY|VGG16|VGG-19|DenseNet-121|Inception v3|GhostNet|HRNet-W32
YOLOX-s|YOLOX|YOLOv3|YOLOv5|YOLOv8n|YOLOv8|YOLOv7|YOLO|PP-YOLOE|RTMDet|RTMDet-tiny|RTMDet-s|RTMDet-Ins|Faster R-CNN|Mask R-CNN
Cascade R-CNN|RetinaNet|FCOS|SSD|SSD300|SSDLite|DETR|Deformable DETR|DINO|CenterNet|ATSS|Sparse R-CNN|SOLOv2|SOLO|CondInst|YOLACT|QueryInst
U-Net|UNet|UNet++|DeepLabV3|DeepLabV3+|PSPNet|FCN|SegFormer|SegFormer-B0|SegFormer B2|BiSeNetV2|PIDNet-S|PIDNet|Fast-SCNN|STDC|OCRNet
Mask2Former|UPerNet|SegNeXt|DDRNet|RTMPose|RTMPose-t|RTMPose-m|HRNet|SimpleBaseline|ViTPose|ViTPose-B|LiteHRNet|Hourglass|RTMO|CPM|DEKR
MLP-Mixer|PoolFormer|EdgeNeXt|MobileOne|MobileViT|RepVGG|CSPNet|Res2Net|SqueezeNet|AlexNet|LeNet|LeNet-5|Wide ResNet|Xception|NASNet
""")

DATASETS: Final = _split("""
COCO|ImageNet|Pascal VOC|VOC 2012|Cityscapes|ADE20K|LVIS|Objects365|Open Images|CIFAR-10|CIFAR-100|MNIST|Fashion-MNIST|KITTI|BDD100K
MPII|AP-10K|Animal Pose|CrowdPose|WFLW|300W|DOTA|VisDrone|xView|LoveDA|iSAID|CUB-200|Stanford Cars|Oxford Flowers|Food-101|DTD|SUN397
Places365|iNaturalist|PlantVillage|GTSRB|SVHN|CelebA|WIDER FACE|CrowdHuman|Mapillary Vistas|DRIVE|STARE|ISIC 2018|HAM10000|BCCD|LIVECell
""")

_SYLLABLES: Final = (
    _split("b|c|d|f|g|h|j|k|l|m|n|p|r|s|t|v|w|z|br|cl|cr|dr|fl|gr|kl|pl|pr|sk|sl|sp|st|tr|th|sh|ch|qu"),
    _split("a|e|i|o|u|ai|ea|ee|oo|ou|ie|a|e|i|o|u"),
    ("", "", "", *_split("n|r|l|s|t|m|nd|st|ck|x|rn|th|ng|p|d")),
    ("", "", "", *_split("er|ing|ed|le|y|on|us|ia|ite|ium|fish|berry|wort|et|al|ic")),
)
"""Onsets, nuclei, codas of a made-up syllable, and endings of a made-up word."""
_CAPITALS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NUMBERED: Final = (
    "class",
    "type",
    "grade",
    "digit",
    "letter",
    "stage",
    "group",
    "level",
    "category",
    "number",
    "size",
)
_LEFTOVERS: Final = ("other", "background", "none", "anything else", "nothing", "unknown", "others", "the rest", "misc")
_WITH: Final = ("with", "with", "with", "without", "in", "on", "of", "and")

WORDNET_KINDS: Final = {
    "T": ("05", "06", "13", "17", "20"),
    "M": ("17", "20", "27", "13"),
    "B": ("05", "18"),
    "p": ("08",),
}
"""Kind of name -> lexicographer files of WordNet (animal, artifact, body, food, object, person, plant, substance)."""


@dataclass(frozen=True)
class WordNet:
    """Names by kind, and whole example sentences."""

    names: Mapping[str, tuple[str, ...]]
    verbs: tuple[str, ...]
    adjectives: tuple[str, ...]
    examples: tuple[str, ...]


def _synsets(path: Path) -> Iterator[tuple[str, list[str], str]]:
    """Lexicographer file, lemmas in small letters of at most three words, and the gloss of every synset."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("  "):
                continue
            data, gloss = line.split(" | ", 1)
            fields = data.split()
            lemmas = [re.sub(r"\(.*", "", f).replace("_", " ") for f in fields[4 : 4 + 2 * int(fields[3], 16) : 2]]
            yield fields[1], [m for m in lemmas if re.fullmatch(r"[a-z][a-z' -]{2,24}", m) and m.count(" ") < 3], gloss


def _single_words(path: Path) -> tuple[str, ...]:
    return tuple(dict.fromkeys(m for _, lemmas, _ in _synsets(path) for m in lemmas if " " not in m))


@cache
def wordnet(folder: Path) -> WordNet:
    """Reads WordNet's database files (Debian: package wordnet-base, /usr/share/wordnet)."""
    nouns = list(_synsets(folder / "data.noun"))
    examples = [
        found
        for part in ("noun", "verb", "adj", "adv")
        for _, _, gloss in _synsets(folder / f"data.{part}")
        for found in re.findall(r'"([A-Z]?[a-z][^"{}\[\]/]{12,90})"', gloss)
        if found.count(" ") > 2
    ]
    return WordNet(
        names={
            kind: tuple(dict.fromkeys(m for file, lemmas, _ in nouns if file in files for m in lemmas))
            for kind, files in WORDNET_KINDS.items()
        },
        verbs=tuple(
            dict.fromkeys(m for _, lemmas, _ in _synsets(folder / "data.verb") for m in lemmas if " " not in m)
        ),
        adjectives=tuple(
            dict.fromkeys(m for _, lemmas, _ in _synsets(folder / "data.adj") for m in lemmas if " " not in m)
        ),
        examples=tuple(dict.fromkeys(examples)),
    )


def pseudo(rng: random.Random) -> str:
    """A pronounceable word that exists nowhere."""
    onset, nucleus, coda, ending = _SYLLABLES
    count = rng.choice((1, 1, 2, 2, 3))
    return "".join(rng.choice(onset) + rng.choice(nucleus) + rng.choice(coda) for _ in range(count)) + rng.choice(
        ending
    )


def code(rng: random.Random) -> str:
    """An abbreviation or an identifier: RBC, K7, tail_base, M-12, class 4."""
    pick = rng.random()
    if pick < 0.3:
        return "".join(rng.choice(_CAPITALS) for _ in range(rng.choice((2, 3, 3, 4))))
    if pick < 0.45:
        return rng.choice(_CAPITALS) + rng.choice(("", "-")) + str(rng.randint(1, 40))
    if pick < 0.6:
        return pseudo(rng) + "_" + pseudo(rng)
    if pick < 0.75:
        return pseudo(rng) + "-" + pseudo(rng)
    return f"{rng.choice(_NUMBERED)} {rng.choice((str(rng.randint(0, 12)), rng.choice(_CAPITALS), rng.choice(_CAPITALS).lower()))}"


class Names:
    """Draws names of one request; the themes and WordNet are the stock, the request has a theme of its own."""

    def __init__(
        self, rng: random.Random, themes: tuple[Theme, ...], plurals: Mapping[str, str], stock: WordNet | None
    ) -> None:
        self.rng, self.themes, self.plurals, self.stock = rng, themes, plurals, stock

    def any(self, kind: str) -> str:
        """A name of the kind from any theme."""
        return self.rng.choice(self.rng.choice(self.themes).names[kind])

    def _looked_up(self, kind: str) -> str:
        if self.stock is None:
            return self.any(kind)
        if kind == "S":
            return self.rng.choice(self.stock.adjectives)
        return self.rng.choice(self.stock.names.get(kind, self.stock.names["T"]))

    def draw(self, kind: str, count: int, theme: Theme) -> list[str]:
        """`count` different names of one kind for one list."""
        rng = self.rng
        kind = {"Ts": "T", "Bs": "B"}.get(kind, kind)
        if kind == "O":
            kind = rng.choice(("T", "T", "S", "M", "G", "B"))
        own = list(theme.names[kind])
        rng.shuffle(own)
        mixed = rng.random() < 0.45
        names: list[str] = []
        if kind != "p" and rng.random() < 0.1:
            return self._relatives(kind, count, theme)
        while len(names) < count:
            name = own.pop() if own and not mixed else self._mixed(kind, theme)
            if name.casefold() not in [n.casefold() for n in names]:
                names.append(name)
        if rng.random() < 0.03 and count > 2:
            names[-1] = rng.choice(_LEFTOVERS)
        return names

    def _relatives(self, kind: str, count: int, theme: Theme) -> list[str]:
        """Names that share their noun: light roast, medium roast, dark roast; no damage, slight damage."""
        noun = self.rng.choice((self.any("T"), self._looked_up("T"), self.rng.choice(theme.names["T"]))).split()[-1]
        found = [f"no {noun}"] if kind in ("S", "G") and self.rng.random() < 0.15 else []
        while len(found) < count:
            before = self.modifier() if self.rng.random() < 0.7 else self.any(kind).split()[0]
            if f"{before} {noun}" not in found:
                found.append(f"{before} {noun}")
        if self.rng.random() < 0.3:
            found[-1] = self._mixed(kind, theme)
        return found

    def _mixed(self, kind: str, theme: Theme) -> str:
        rng = self.rng
        pick = rng.random()
        if pick < 0.16:
            return rng.choice(theme.names[kind])
        if pick < 0.32:
            return self.any(kind)
        if pick < 0.52:
            return self._looked_up(kind)
        if pick < 0.72:
            return f"{self.modifier()} {rng.choice((self.any(kind), self._looked_up(kind)))}"
        if pick < 0.8:
            return f"{self.any('T').split()[-1]} {self.any(kind).split()[-1]}"
        if pick < 0.84:
            return f"{self.any(kind)} {rng.choice(_WITH)} {self.any('T')}"
        if pick < 0.91:
            return pseudo(rng)
        if pick < 0.94:
            return f"{pseudo(rng)} {self.any(kind).split()[-1]}"
        if pick < 0.98:
            return code(rng)
        return f"{self.modifier()} {self.modifier()} {self.any(kind)}"

    def modifier(self) -> str:
        if self.stock is not None and self.rng.random() < 0.4:
            return self.rng.choice(self.stock.adjectives)
        return self.rng.choice(ADJECTIVES)

    def plural(self, name: str) -> str:
        """The plural of a name's head, by the list of exceptions and the ordinary rules."""
        cut = re.search(r" (?:with|without|in|on|of|and) ", name)
        if cut:
            return self.plural(name[: cut.start()]) + name[cut.start() :]
        if name in self.plurals:
            return self.plurals[name]
        *before, noun = name.split(" ")
        if noun in self.plurals:
            noun = self.plurals[noun]
        elif not noun[-1].isalpha() or "_" in noun:
            return name
        elif re.search(r"(?:s|x|z|ch|sh)$", noun):
            noun = noun if re.search(r"[^su]s$", noun) else noun + "es"
        elif re.search(r"[^aeiou]y$", noun):
            noun = noun[:-1] + "ies"
        else:
            noun += "s"
        return " ".join([*before, noun])


def model_name(rng: random.Random) -> str:
    """A known network, or one that looks like a network and is none."""
    pick = rng.random()
    if pick < 0.45:
        return rng.choice(MODELS)
    stem = pseudo(rng).capitalize() if rng.random() < 0.6 else "".join(rng.choice(_CAPITALS) for _ in range(3))
    tail = rng.choice(("Net", "Former", "Det", "Seg", "Pose", "Nets", "YOLO", "CNN", "", "Mixer", "ViT"))
    number = str(rng.randint(1, 152))
    size = rng.choice(("", "", "-S", "-tiny", "-B0", "v2", " v3", "-50", "-" + number, " Small", "X", "+", "-L", " V2"))
    if pick < 0.54:
        first = rng.choice(("Faster", "Mask", "Cascade", "Sparse", stem))
        return f"{first} {rng.choice(('R-CNN', 'RCNN', 'Transformer', 'DETR'))}"
    if pick < 0.6:
        return f"{rng.choice(('RT', 'HR', 'Lite', 'Tiny', 'Fast', 'DW'))}-{stem}{tail}"
    return stem + (tail or "Net") + size


def dataset_name(rng: random.Random) -> str:
    """A known data set, or a made-up one."""
    if rng.random() < 0.45:
        return rng.choice(DATASETS)
    stem = pseudo(rng).capitalize()
    return rng.choice(
        (
            f"{stem}-{rng.randint(2, 999)}",
            f"{stem}{rng.choice(('Net', 'Sat', 'Bench', 'Set', 'DB'))}",
            f"{stem} {pseudo(rng).capitalize()}",
            f"{code(rng).upper()} {rng.randint(2008, 2025)}",
            "".join(rng.choice(_CAPITALS) for _ in range(4)),
            f"{stem}{rng.randint(10, 400)}K",
        )
    )
