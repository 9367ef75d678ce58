"""Composes one request from the written material: text, character spans, and what a careful reader should answer.

A written request is taken, its names and numbers are drawn anew, optional sentences go, others come. Spans are planted
as marks inside the text while it is written and taken out at the end, so text and answer cannot drift apart. The file
knows nothing about tokens or models.
"""

import random
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from llm_gguf.training import words
from llm_gguf.training.corpus import CLASS_KINDS, UNITS, Block, Corpus, Slot, Theme, load, slots
from llm_gguf.training.figures import redrawn, redrawn_share
from llm_gguf.training.listing import Listing
from llm_gguf.training.marking import Sample, capital, expand, mark, unmark
from llm_gguf.training.noise import Noise

METRIC_TOPIC: Final = {
    "classification": "classification",
    "multilabel-classification": "multilabel",
    "detection": "detection",
    "segmentation": "segmentation",
    "instance-segmentation": "instance",
    "keypoint": "keypoint",
}
_CONSTRAINTS: Final = ("speed", "flops", "parameters", "metric", "cpu", "gpu", "engine", "model", "data")
_WEIGHTS: Final = (4, 3, 4, 4, 2, 2, 4, 3, 1)


NOT_VISION: Final = 0.06
"""Share of texts that ask for something else."""
BARE: Final = 0.14
"""Share of requests of a few words with nothing around: else a short text would speak for no request at all."""
SHORT_WORDS: Final = 12


def _short(corpus: Corpus, task: str) -> list[Block]:
    """Written requests and patterns of few words."""
    both = (*corpus.blocks[task], *corpus.patterns[task])
    return [b for b in both if sum(len(expand(random.Random(0), x.text).split()) for x in b.lines) <= SHORT_WORDS]


@dataclass
class _Request:
    """What is known of the request being written."""

    task: str
    theme: Theme
    device: str = "none"
    classes: list[str] = field(default_factory=list)
    stated: set[str] = field(default_factory=set)
    """Constraints that stand in the text already."""


class Composer:
    """Draws one request after another from a seeded generator; `wordnet` is the folder of its database files."""

    def __init__(self, seed: int, wordnet: Path | None = None, corpus: Corpus | None = None) -> None:
        self.rng = random.Random(seed)
        self.corpus = corpus or load()
        stock = words.wordnet(wordnet) if wordnet else None
        self.names = words.Names(self.rng, self.corpus.themes, self.corpus.plurals, stock)
        self.noise = Noise(self.rng, self.names)
        self.short = {task: _short(self.corpus, task) for task in METRIC_TOPIC}

    def request(self) -> Sample:
        rng = self.rng
        pick = rng.random()
        if pick < NOT_VISION:
            return self._not_vision()
        task = rng.choice(tuple(METRIC_TOPIC))
        bare = pick < NOT_VISION + BARE
        if bare:
            block = rng.choice(self.short[task])
        else:
            block = rng.choice((self.corpus.patterns if rng.random() < 0.15 else self.corpus.blocks)[task])
        request = _Request(task, rng.choice(self.corpus.themes), block.device)
        lines = self._written(block, request)
        if not bare:
            lines = self._more_constraints(lines, request)
            lines = self._surroundings(lines, request)
        if rng.random() < 0.04:
            rng.shuffle(lines)
        sample = Sample("", task, request.device)
        sample.text, sample.marks = unmark(self.noise(self._joined(lines)))
        return sample

    def _not_vision(self) -> Sample:
        """A text without any vision request in it."""
        rng = self.rng
        request = _Request("none", rng.choice(self.corpus.themes))
        texts = [self.fill(rng.choice(self.corpus.not_vision), request)]
        if rng.random() < 0.3:
            texts.insert(rng.randint(0, 1), self._context(request))
        text, marks = unmark(self.noise(self._joined(texts)))
        return Sample(text, "none", marks=marks)

    # -- sentences -------------------------------------------------------------------------------------------------
    def _written(self, block: Block, request: _Request) -> list[str]:
        """The lines of the block with their slots filled; some optional ones are left out."""
        keep = self.rng.random() < 0.4
        lines = []
        for line in block.lines:
            if line.optional and not keep and self.rng.random() < 0.5:
                continue
            if line.device != "none":
                if request.device not in ("none", line.device):
                    continue
                request.device = line.device
            lines.append(self.fill(line.text, request))
        return lines

    def _more_constraints(self, lines: list[str], request: _Request) -> list[str]:
        """Adds constraints that the request does not state yet, as sentences or behind one of its sentences."""
        rng = self.rng
        for _ in range(rng.choice((0, 0, 0, 1, 1, 2, 3))):
            kind = rng.choices(_CONSTRAINTS, _WEIGHTS)[0]
            inline = rng.random() < 0.3
            key = f"metric {METRIC_TOPIC[request.task]}" if kind == "metric" else kind
            table = self.corpus.phrases if inline else self.corpus.sentences
            keys = [k for k in table if key in k.split("+") and self._free(k.split("+"), request)]
            if not keys:
                continue
            chosen = rng.choice((key if key in keys else keys[0], rng.choice(keys)))
            text = self.fill(rng.choice(table[chosen]), request)
            for part in chosen.split("+"):
                request.stated.add(part.split(" ")[0])
                if part in ("cpu", "gpu"):
                    request.device = part
            if inline:
                self._append(lines, text)
            else:
                self._insert(lines, text)
        return lines

    @staticmethod
    def _free(parts: list[str], request: _Request) -> bool:
        for part in parts:
            topic = part.split(" ")
            if topic[0] in request.stated or (part in ("cpu", "gpu") and request.device != "none"):
                return False
            if len(topic) > 1 and topic[1] != METRIC_TOPIC[request.task]:
                return False
        return True

    def _append(self, lines: list[str], phrase: str) -> None:
        """Puts a phrase in front of the full stop of a line."""
        at = self.rng.randrange(len(lines))
        found = re.search(r"[.!?]?\s*$", lines[at])
        cut = found.start() if found else len(lines[at])
        glue = "" if phrase.startswith((",", ";")) else self.rng.choice((" ", " ", ", "))
        lines[at] = lines[at][:cut] + glue + phrase + lines[at][cut:]

    def _insert(self, lines: list[str], text: str) -> None:
        rng = self.rng
        note = not any(line.rstrip().endswith((".", "?", "!")) for line in lines)
        if note:
            lines[-1] = lines[-1].rstrip(" ,;")
            lines.append(rng.choice((", ", "; ", ", ", ". ", "\n")) + text)
            return
        if not text.endswith((".", "!", "?", "\n")):
            text += rng.choice((".", ".", ".", ".", "!", ""))
        lines.insert(rng.randint(1, len(lines)) if rng.random() < 0.8 else 0, capital(text))

    def _surroundings(self, lines: list[str], request: _Request) -> list[str]:
        """Context, things to ignore and figures that are no requirements."""
        rng = self.rng
        for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
            pick = rng.random()
            if pick < 0.25:
                text = self.fill(rng.choice(self.corpus.traps), request)
            elif pick < 0.37:
                text = self.fill(rng.choice(self.corpus.ignore), request)
            else:
                text = self._context(request)
            if not text.endswith((".", "!", "?", "\n", ",")):
                text += "."
            lines.insert(0 if rng.random() < 0.5 else rng.randint(0, len(lines)), capital(text))
        return lines

    def _context(self, request: _Request) -> str:
        stock = self.names.stock
        if stock is not None and self.rng.random() < 0.3:
            return self.rng.choice(stock.examples)
        return self.fill(self.rng.choice(self.corpus.context), request)

    # -- slots -----------------------------------------------------------------------------------------------------
    def fill(self, pattern: str, request: _Request) -> str:
        """A line with its choices made and its slots filled."""
        text = expand(self.rng, self._plain_count(pattern)).replace("\\n", "\n")
        out, end = [], 0
        for found, slot in slots(text):
            out.append(text[end : found.start()])
            out.append(self._slot(slot, request, before="".join(out), after=text[found.end() :]))
            end = found.end()
        return "".join([*out, text[end:]]).strip(" ")

    def _plain_count(self, pattern: str) -> str:
        """Now and then a number of millions is written out: 2,500,000."""
        if self.rng.random() > 0.1:
            return pattern
        return re.sub(r"\{M:\d+\}(?: million\b| ?M\b)", "{count: 0}", pattern, count=1)

    def _slot(self, slot: Slot, request: _Request, *, before: str, after: str) -> str:
        rng, kind = self.rng, slot.kind
        if not slot.body and kind != "O":
            return self._plain(kind, request)
        if kind in CLASS_KINDS:
            return self._classes(slot, request, before, after)
        if kind == "p":
            parts = slot.items
            if rng.random() < 0.6:
                count = max(1, len(parts) + rng.choice((-1, 0, 0, 1, 2))) if len(parts) > 1 else 1
                parts = self.names.draw("p", count, request.theme)
            return Listing(rng, slot.hints, before=before, after=after).write(parts)
        if kind in ("x", "xs"):
            return self._thing(slot, request)
        if kind in UNITS:
            request.stated.add(UNITS[kind][0])
            number = slot.body if rng.random() < 0.25 else redrawn(rng, kind, slot.body)
            return mark(*UNITS[kind], number)
        if kind == "count":
            amount = rng.choice((rng.randint(1, 900) * 1000, rng.randint(1, 60) * 1_000_000))
            request.stated.add("parameters")
            return mark(
                "parameters", "plain", rng.choice((f"{amount:,}", str(amount), f"{amount:,}".replace(",", " ")))
            )
        return self._named(slot, request)

    def _named(self, slot: Slot, request: _Request) -> str:
        rng, kind = self.rng, slot.kind
        keep = rng.random() < 0.3
        if kind == "m":
            request.stated.add("metric")
            return mark("metric", slot.hints[0], slot.body if keep else redrawn_share(rng, slot.body))
        if kind == "engine":
            request.stated.add("engine")
            return mark("engine", slot.hints[0], slot.body)
        if kind == "model":
            request.stated.add("model")
            return mark("model", "", slot.body if keep else words.model_name(rng))
        if kind == "data":
            request.stated.add("data")
            return mark("dataset", "", slot.body if keep else words.dataset_name(rng))
        return slot.body if keep else redrawn(rng, "n", slot.body)

    def _plain(self, kind: str, request: _Request) -> str:
        """Slots of the bare patterns: P a place, S the theme, W who asks, N a number of classes."""
        rng = self.rng
        if kind == "P":
            return rng.choice(("", rng.choice(request.theme.where), rng.choice(rng.choice(self.corpus.themes).where)))
        return {"S": request.theme.name, "W": rng.choice(request.theme.who), "N": str(rng.randint(2, 9))}[kind]

    def _thing(self, slot: Slot, request: _Request) -> str:
        """A name that is no class of this request."""
        rng = self.rng
        name = slot.body
        if rng.random() < 0.6:
            name = self.names.draw("T", 1, request.theme)[0]
            if slot.kind == "xs":
                name = self.names.plural(name)
        clash = any(name.casefold() in c.casefold() or c.casefold() in name.casefold() for c in request.classes)
        return words.pseudo(rng) if clash else name

    def _classes(self, slot: Slot, request: _Request, before: str, after: str) -> str:
        rng = self.rng
        if slot.kind == "O":
            names = self.names.draw("O", rng.choice((1, 2, 2, 3, 3, 4, 5, 6)), request.theme)
            if rng.random() < 0.4:
                names = [self.names.plural(name) for name in names]
        elif rng.random() < 0.3:
            names = slot.items
        else:
            names = self.names.draw(slot.kind, self._count(slot), request.theme)
            if slot.kind in ("Ts", "Bs"):
                singular = 0.4 if rng.random() < 0.1 and len(names) > 1 else 0.0
                names = [name if rng.random() < singular else self.names.plural(name) for name in names]
        request.classes += names
        text = Listing(rng, slot.hints, before=before, after=after).write(names, "object")
        if rng.random() < 0.07 and not after.startswith((" on", " in", " at")) and "\n" not in text:
            text += " " + rng.choice(request.theme.where)
        return text

    def _count(self, slot: Slot) -> int:
        rng, written = self.rng, len(slot.items)
        if "one" in slot.hints:
            return 1
        if written == 1 and "two" not in slot.hints:
            return 1 if slot.hints or rng.random() < 0.8 else rng.choice((2, 3))
        return max(2, written + rng.choice((-1, 0, 0, 0, 1, 2, 4)))

    def _joined(self, lines: list[str]) -> str:
        """The lines as one text; only what the lines themselves break is broken."""
        glue = self.rng.choice((" ", " ", " ", " ", " ", " ", " ", " ", "\n", "\n\n"))
        out = ""
        for line in lines:
            body = re.sub(r" +", " ", line)
            body = re.sub(r" ([,.;:!?])", r"\1", body)
            body = re.sub(r"\n +", "\n", body).strip(" ")
            if not body:
                continue
            joined = not out or out.endswith("\n") or body.startswith((",", ";", ".", "\n"))
            out += ("" if joined else glue) + body
        return out.strip()
