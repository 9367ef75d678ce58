"""Composes one invented request: text, character spans, and what a careful reader should answer.

Spans are planted as marks inside the text while it is written and taken out at the end, so text and answer cannot
drift apart. The file knows nothing about tokens or models.
"""

import random
import re

from llm_gguf.training import phrases, words
from llm_gguf.training.figures import figure, round_number, spell, unit_of
from llm_gguf.training.marking import Sample, capital, expand, mark, outside_heads, unmark

# Words that the noise never replaces, since the answer hangs on them.
_KEEP = frozenset(
    [
        "and",
        "with",
        "not",
        "ignore",
        "skip",
        "without",
        "classify",
        "segment",
        "detect",
        "keypoints",
        "pose",
        "landmarks",
        "instance",
        "multi",
        "label",
        "fps",
        "frames",
        "per",
        "second",
        "million",
        "billion",
        "thousand",
        "parameters",
        "gpu",
        "cpu",
        "ncnn",
        "openvino",
        "onnxruntime",
        "runtime",
        "torchscript",
        "tensorrt",
        "accuracy",
        "precision",
        "recall",
        "percent",
        "mask",
        "masks",
        "pixel",
        "box",
        "boxes",
        "under",
        "below",
        "least",
        "most",
        "than",
        "images",
        "pictures",
        "seconds",
        "milliseconds",
        "only",
        "one",
        "model",
        "network",
        "detector",
        "individual",
        "every",
        "each",
    ]
)


class Composer:
    """Draws one request after another from a seeded generator."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    # -- slots -----------------------------------------------------------------------------------------------------
    def fill(self, pattern: str, **slots: str) -> str:
        text = expand(self.rng, pattern)
        return re.sub(r"\{(\w)\}", lambda m: self._slot(m.group(1), slots), text)

    def _slot(self, name: str, slots: dict[str, str]) -> str:
        if name in slots:
            return slots[name]
        rng = self.rng
        if name == "P":
            return (
                rng.choice(("", *words.PLACES))
                if rng.random() < 0.6
                else rng.choice(
                    (
                        f"in {words.pseudo(rng)} {rng.choice(('images', 'pictures', 'photos', 'video', 'scans'))}",
                        f"on the {words.pseudo(rng)}",
                        f"at the {rng.choice(rng.choice(words.THEMES)[1])}",
                        "",
                        "",
                        f"in {rng.choice(('images', 'pictures', 'video', 'shots'))} of the {self._any_thing()}",
                        f"near {rng.choice(('a', 'the', 'our'))} {self._any_thing()}",
                        f"{rng.choice(words.PLACES)} {rng.choice(words.PLACES)}",
                        f"at our {words.pseudo(rng)} {rng.choice(('station', 'plant', 'farm', 'office', 'site'))}",
                    )
                )
            )
        if name == "W":
            return rng.choice(words.PEOPLE)
        if name == "n":
            return figure(rng, round_number(rng, 2, rng.choice((12, 100, 5000))), 0.3)
        if name == "C":
            return words.common(rng)
        if name == "v":
            return rng.choice(words.VERBS) if rng.random() < 0.8 else words.pseudo(rng)
        if name == "a":
            return rng.choice(words.ADVERBS)
        if name == "T":
            return words.thing(rng, rng.choice(words.THEMES)[1])
        if name == "K":
            return self.listing([rng.choice(words.PARTS) for _ in range(rng.randint(2, 6))], modify=False)
        raise KeyError(name)

    def _any_thing(self) -> str:
        return self.rng.choice(self.rng.choice(words.THEMES)[1])

    # -- objects ---------------------------------------------------------------------------------------------------
    def objects(self, task: str, theme: tuple[str, ...]) -> list[str]:
        rng = self.rng
        if task == "keypoint":
            pick = rng.random()
            subject = rng.choice(words.SUBJECTS)
            if pick < 0.25:
                subject = rng.choice(words.ADJECTIVES) + " " + subject
            elif pick < 0.6:
                subject = words.thing(rng, theme)
                subject = words.plural(subject) if rng.random() < 0.5 else subject
            return [subject] if rng.random() < 0.93 else [subject, rng.choice(words.SUBJECTS)]
        if task == "classification" and rng.random() < 0.3:
            states = list(rng.choice(words.STATES))
            if rng.random() < 0.3:
                noun = words.thing(rng, theme)
                states = [f"{s} {noun}" if rng.random() < 0.9 else s for s in states]
            return states
        low = 2 if task in ("classification", "multilabel-classification") else 1
        count = rng.choice((low, 2, 2, 3, 3, 3, 4, 4, 5, 6)) if rng.random() < 0.9 else rng.randint(5, 12)
        many = rng.random() < (0.55 if task not in ("classification",) else 0.15)
        names: list[str] = []
        while len(names) < count:
            name = words.thing(rng, theme)
            if many and rng.random() < 0.95 and "_" not in name and not name.isupper():
                name = words.plural(name)
            if name.lower() not in [n.lower() for n in names]:
                names.append(name)
        if rng.random() < 0.12:
            names[-1] = rng.choice(("other", "background", "none", "anything else", "nothing", "unknown", "others"))
        return names

    def listing(self, names: list[str], *, modify: bool, kind: str = "") -> str:
        """The names in one of many list styles, marked as `kind` if that is not empty."""
        rng = self.rng
        quote = rng.choice(("'", '"')) if rng.random() < 0.06 else ""
        article = rng.choice(("a ", "the ", "any ", "every ", "each ", "all ", "some ")) if rng.random() < 0.14 else ""
        if article == "a " and names[0][:1].lower() in "aeiou":
            article = "an "
        capital = rng.random() < 0.05
        upper = rng.random() < 0.02
        items = []
        for name in names:
            shown = name.capitalize() if capital else name.upper() if upper else name
            shown = mark(kind, "", shown) if kind else shown
            item = f"{quote}{shown}{quote}" if quote else article + shown
            if modify and rng.random() < 0.07:
                item += " " + rng.choice(words.MODIFIERS)
            elif modify and rng.random() < 0.03:
                aside = ("also " + words.pseudo(rng), words.pseudo(rng), "any size", "rare", words.code(rng))
                item += f" ({rng.choice(aside)})"
            items.append(item)
        if modify and rng.random() < 0.15:
            items[-1] += " " + rng.choice(words.MODIFIERS)
        return self._join(items)

    def _join(self, items: list[str]) -> str:
        rng = self.rng
        if len(items) == 1:
            return items[0]
        last = rng.choice((" and ", " and ", " and ", " or ", " or ", ", and ", ", or ", " & ", " as well as "))
        pick = rng.random()
        if pick < 0.74:
            head = rng.choice(("either ", "both ", "")) if len(items) == 2 and rng.random() < 0.15 else ""
            return head + ", ".join(items[:-1]) + last + items[-1]
        if pick < 0.84:
            return rng.choice((", ", ",", "; ", " / ", "/", " | ", ", ")).join(items)
        if pick < 0.90:
            return rng.choice((" or ", " and ", " vs ", " versus ", " and ")).join(items)
        if pick < 0.95:
            bullet = rng.choice(("- ", "* ", "• "))
            return "\n" + "\n".join(bullet + item for item in items) + "\n"
        style = rng.choice(("{}) ", "{}. ", "({}) "))
        return rng.choice(("\n", " ")).join(style.format(i + 1) + item for i, item in enumerate(items))

    # -- constraints -----------------------------------------------------------------------------------------------
    def quantity(self, kind: str, pattern: str) -> str:
        """Fills {V} with a marked number that fits the unit which the expanded pattern names."""
        rng = self.rng
        text = expand(rng, pattern)
        unit, low, high = unit_of(kind, text)
        if unit == "plain":
            whole = rng.choice((round(round_number(rng, 1, 900)) * 1000, round(round_number(rng, 1, 60)) * 1_000_000))
            shown = rng.choice((f"{whole:,}", str(whole), f"{whole:,}".replace(",", " ")))
        elif kind == "parameters" and unit == "M" and rng.random() < 0.05:
            shown, text = rng.choice(("half a million", "one and a half million", "a million", "two million")), text
            text = re.sub(r"\{V\}[ ]?(million|mio|mln|M\b)", "{V}", text)
        else:
            number = round_number(rng, low, high)
            if unit == "s" and rng.random() < 0.6:
                number = rng.choice((0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.05, 0.02, 1, 2, 1.5, 3))
            elif unit in ("M", "GFLOPs") and rng.random() < 0.25:
                number = round(rng.random() * 9 + 0.2, 1)
            shown = figure(rng, number)
            if unit == "s" and number == 0.5 and rng.random() < 0.4:
                shown, text = (
                    "half a",
                    text.replace("seconds", "second").replace(" s ", " second ").replace(" sec", " second"),
                )
            elif unit == "s" and number == 1 and rng.random() < 0.3:
                shown, text = "a", text.replace("seconds", "second")
        return text.replace("{V}", mark(kind, unit, shown))

    def metric(self, task: str, *, inline: bool) -> str:
        rng = self.rng
        table = phrases.METRICS[task]
        name = rng.choice(list(table)) if rng.random() < 0.6 else next(iter(table))
        shown = rng.choice(table[name])
        value = rng.choice((50, 60, 70, 75, 80, 85, 90, 95, rng.randint(20, 99), rng.randint(30, 99), 99))
        style = rng.random()
        if style < 0.55:
            number = mark("metric", name, str(value) if rng.random() < 0.93 else f"{value}.5") + rng.choice(
                ("%", "%", " %", " percent", " per cent")
            )
        elif style < 0.6 and (spelled := spell(value)):
            number = mark("metric", name, spelled) + " percent"
        else:
            number = mark("metric", name, f"{value / 100:g}" if rng.random() < 0.85 else f"{value / 100:.3f}")
        pattern = rng.choice(phrases.METRIC_INLINE if inline else phrases.METRIC_SENTENCE)
        return self.fill(pattern, A=shown, V=number)

    def constraint(self, sample: Sample, kind: str, *, inline: bool) -> str:
        rng = self.rng
        if kind == "metric":
            return self.metric(sample.task, inline=inline)
        if kind in ("speed", "flops", "parameters"):
            table = {
                "speed": (phrases.SPEED_INLINE, phrases.SPEED_SENTENCE),
                "flops": (phrases.FLOPS_INLINE, phrases.FLOPS_SENTENCE),
                "parameters": (phrases.PARAMS_INLINE, phrases.PARAMS_SENTENCE),
            }[kind]
            return self.quantity(kind, rng.choice(table[0 if inline else 1]))
        if kind == "gpu":
            sample.gpu = rng.choice(("gpu", "cpu"))
            return self.fill(rng.choice((phrases.GPU_INLINE if inline else phrases.GPU_SENTENCE)[sample.gpu]))
        if kind == "engine":
            sample.engine = rng.choice(list(phrases.ENGINE_NAMES))
            shown = mark("engine", sample.engine, rng.choice(phrases.ENGINE_NAMES[sample.engine]))
            return self.fill(rng.choice(phrases.ENGINE_INLINE if inline else phrases.ENGINE_SENTENCE), E=shown)
        if kind == "model":
            return self.fill(
                rng.choice(phrases.MODEL_INLINE if inline else phrases.MODEL_SENTENCE),
                M=mark("model", "", words.model_name(rng)),
            )
        return self.fill(
            rng.choice(phrases.DATA_INLINE if inline else phrases.DATA_SENTENCE),
            D=mark("dataset", "", words.dataset_name(rng)),
        )

    # -- the whole request -----------------------------------------------------------------------------------------
    def request(self) -> Sample:
        rng = self.rng
        if rng.random() < 0.04:
            return self.not_vision()
        task = rng.choice(tuple(phrases.ASKS))
        sample = Sample("", task)
        scenario, theme = rng.choice(words.THEMES)
        if rng.random() < 0.35:
            scenario = words.pseudo(rng) + " " + rng.choice(scenario.split())
        by_dataset = rng.random() < 0.03
        if by_dataset:
            ask = self.fill(phrases.ASK_BY_DATASET[task]) + " " + self.constraint(sample, "dataset", inline=True)
        else:
            ask = self._ask(sample, theme, scenario)
        kinds = [
            k
            for k, p in (
                ("speed", 0.42),
                ("parameters", 0.3),
                ("flops", 0.22),
                ("metric", 0.42),
                ("gpu", 0.34),
                ("engine", 0.38),
                ("model", 0.34),
                ("dataset", 0.14),
            )
            if rng.random() < p and not (by_dataset and k == "dataset")
        ]
        if rng.random() < 0.06:
            kinds.append("metric")
        rng.shuffle(kinds)
        inline = [k for k in kinds if rng.random() < 0.45]
        ask += self._tail([self.constraint(sample, k, inline=True) for k in inline])
        sentences = self._sentences([self.constraint(sample, k, inline=False) for k in kinds if k not in inline])
        before = [self.fill(rng.choice(phrases.OPENINGS), S=scenario)] if rng.random() < 0.42 else []
        after = [self.fill(rng.choice(phrases.CLOSINGS)) for _ in range(rng.choice((0, 0, 0, 1, 1, 2)))]
        parts = [*before, ask, *sentences]
        for _ in range(rng.choice((0, 0, 1, 1, 2))):
            parts.insert(rng.randint(0, len(parts)), self.fill(rng.choice(phrases.CHATTER)))
        for extra in after:
            parts.insert(rng.randint(1, len(parts)) if rng.random() < 0.5 else len(parts), extra)
        if rng.random() < 0.08:
            rng.shuffle(parts)
        text = self._punctuate(parts)
        sample.text, sample.marks = unmark(self._noise(text))
        return sample

    def not_vision(self) -> Sample:
        """A text without any vision request in it."""
        count = self.rng.choice((1, 1, 1, 2))
        text = self._punctuate([self.fill(self.rng.choice(phrases.NOT_VISION)) for _ in range(count)])
        return Sample(self._noise(text), "none")

    def _ask(self, sample: Sample, theme: tuple[str, ...], scenario: str) -> str:
        rng = self.rng
        names = self.objects(sample.task, theme)
        while True:
            pattern = expand(rng, rng.choice(phrases.ASKS[sample.task]))
            if not (len(names) > 1 and re.search(r"\b(each|a|every|any) \{O\}", pattern)) or rng.random() < 0.2:
                break
        listed = self.listing(names, modify=True, kind="object")
        return self.fill(pattern, O=listed, S=scenario, N=figure(rng, len(names), 0.6))

    def _tail(self, tails: list[str]) -> str:
        rng = self.rng
        text = ""
        for i, tail in enumerate(tails):
            glue = rng.choice((", ", " ", ", ", " and ", "; ", ". ", " - ", " (")) if i or rng.random() < 0.6 else " "
            text += glue + tail + (")" if glue == " (" else "")
        return text

    def _sentences(self, constraints: list[str]) -> list[str]:
        """Some constraints stand alone, some are joined by 'and' or a semicolon."""
        rng = self.rng
        out: list[str] = []
        for text in constraints:
            if out and rng.random() < 0.25:
                out[-1] += rng.choice((" and ", "; ", ", ", ", and ", " - ")) + text[:1].lower() + text[1:]
            else:
                out.append(text)
        return out

    def _punctuate(self, parts: list[str]) -> str:
        rng = self.rng
        glue = rng.choice(("\n", "\n- ", "; ", ", ", " / ")) if rng.random() < 0.14 else " "
        out = ""
        for part in parts:
            body = re.sub(r" +", " ", part).strip(" ")
            body = re.sub(r" ([,.;:!?])", r"\1", body)
            if glue in (" ", "\n") and rng.random() < 0.93:
                body = capital(body)
            if glue == " " and not body.endswith((".", "!", "?", "\n", ",")):
                body += rng.choice((".", ".", ".", ".", "!", "")) if rng.random() < 0.97 else " "
            out += (glue if out and not out.endswith("\n") else "") + body
        return out.strip()

    def _noise(self, text: str) -> str:
        """Whole-text case changes and typing slips; marks stay where they are."""
        rng = self.rng
        pick = rng.random()
        if pick < 0.08:
            text = outside_heads(text, str.lower)
        elif pick < 0.11:
            text = outside_heads(text, str.upper)
        if rng.random() < 0.25:
            rate = rng.choice((0.02, 0.04, 0.08))
            text = re.sub(
                r"(?<![\x01:\w])[a-z]{4,}(?![\w:\x02])",
                lambda m: self._slip(m.group()) if rng.random() < rate else m.group(),
                text,
            )
        if rng.random() < 0.6:
            rate = rng.choice((0.04, 0.1, 0.2, 0.35))
            text = re.sub(
                r"(?<= )[a-z]{4,}(?=[ .,])",
                lambda m: words.common(rng) if rng.random() < rate and m.group() not in _KEEP else m.group(),
                text,
            )
        return text

    def _slip(self, word: str) -> str:
        i = self.rng.randrange(len(word) - 1)
        return self.rng.choice(
            (word[:i] + word[i + 1] + word[i] + word[i + 2 :], word[:i] + word[i + 1 :], word[:i] + word[i] + word[i:])
        )
