"""The grammar of one request's answer: which marks its words may get, as GBNF.

A name is a run of words inside one clause; only the first word of a number may be a quantity; task and device come
from closed lists. The grammar is checked here, since llama.cpp ends the process on an undefined rule or left
recursion. Knows nothing about llama.cpp itself.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from llm_gguf import prompting
from llm_gguf.errors import GrammarError
from llm_gguf.prompting import INSIDE, OUTSIDE, Word

BREAK: Final = re.compile(r"[,;:!?|()•*\n\"]|\.(?:\s|$)|\s-\s")
"""Between two words: no name reaches over it."""
_NAME = re.compile(r"[a-z][a-z0-9-]*")


@dataclass(frozen=True, slots=True)
class Rule:
    """A reference to another rule."""

    name: str


Symbol = str | Rule
"""A literal text or a reference."""
Sequences = Sequence[Sequence[Symbol]]


class Grammar:
    """Named rules, each a list of alternatives; an empty alternative means "nothing"."""

    def __init__(self, rules: Mapping[str, Sequences]) -> None:
        self.rules = {name: tuple(tuple(a) for a in alternatives) for name, alternatives in rules.items()}
        self._check()

    @property
    def gbnf(self) -> str:
        return "\n".join(f"{name} ::= {' | '.join(map(_shown, alts))}" for name, alts in self.rules.items()) + "\n"

    def _check(self) -> None:
        faults = [f"rule name {name!r} is not a plain name" for name in self.rules if not _NAME.fullmatch(name)]
        if "root" not in self.rules:
            faults.append("there is no rule 'root'")
        faults += [f"rule {name!r} has no alternative" for name, alts in self.rules.items() if not alts]
        used = {s.name for s in _symbols(self.rules) if isinstance(s, Rule)}
        faults += [f"rule {name!r} is used but not defined" for name in sorted(used - set(self.rules))]
        faults += ["a literal is empty or holds a control character" for s in _symbols(self.rules) if _bad_literal(s)]
        if not faults:
            faults += [f"rule {name!r} can never end" for name in sorted(set(self.rules) - self._ending())]
            faults += [f"rule {name!r} is left-recursive" for name in self._left_recursive()]
        if faults:
            raise GrammarError("; ".join(sorted(set(faults))))

    def _ending(self) -> set[str]:
        """Rules that derive at least one finite text."""
        return self._deriving(
            lambda alternative, known: all(isinstance(s, str) or s.name in known for s in alternative)
        )

    def _nullable(self) -> set[str]:
        return self._deriving(
            lambda alternative, known: all(isinstance(s, Rule) and s.name in known for s in alternative)
        )

    def _deriving(self, holds: Callable[[tuple[Symbol, ...], set[str]], bool]) -> set[str]:
        return _closure(self.rules, lambda name, known: any(holds(a, known) for a in self.rules[name]))

    def _left_recursive(self) -> list[str]:
        nullable = self._nullable()
        first: dict[str, set[str]] = {name: set() for name in self.rules}
        for name, alternatives in self.rules.items():
            for alternative in alternatives:
                for symbol in alternative:
                    if isinstance(symbol, str):
                        break
                    first[name].add(symbol.name)
                    if symbol.name not in nullable:
                        break
        harmless = _closure(first, lambda name, known: first[name] <= known)
        return [name for name in self.rules if name not in harmless and _reaches(first, name)]


def _closure(names: Mapping[str, object], holds: Callable[[str, set[str]], bool]) -> set[str]:
    """The smallest set in which every name is that `holds` given the set."""
    known: set[str] = set()
    while True:
        before = len(known)
        # The rule of a word refers to that of the next word: from the back, one round settles all of them.
        for name in reversed(list(names)):
            if name not in known and holds(name, known):
                known.add(name)
        if len(known) == before:
            return known


def _reaches(first: Mapping[str, set[str]], origin: str) -> bool:
    """Whether a rule can begin with itself."""
    seen: set[str] = set()
    waiting = list(first[origin])
    while waiting:
        name = waiting.pop()
        if name == origin:
            return True
        if name not in seen:
            seen.add(name)
            waiting += first[name]
    return False


def _symbols(rules: Mapping[str, tuple[tuple[Symbol, ...], ...]]) -> Iterable[Symbol]:
    return (symbol for alternatives in rules.values() for alternative in alternatives for symbol in alternative)


def _bad_literal(symbol: Symbol) -> bool:
    return isinstance(symbol, str) and (not symbol or not symbol.isprintable())


def _shown(alternative: tuple[Symbol, ...]) -> str:
    if not alternative:
        return '""'
    quoted = (
        '"' + s.replace("\\", "\\\\").replace('"', '\\"') + '"' if isinstance(s, str) else s.name for s in alternative
    )
    return " ".join(quoted)


def build(text: str, words: Sequence[Word], number_words: Collection[int], *, may_refuse: bool = True) -> Grammar:
    """The grammar of the marks of this request; `number_words` are the words that begin a number.

    Without `may_refuse` the answer "no task" is left out.
    Rule word-i marks word i, rule name-i the same where a name stands before it that word i may continue.
    """
    count = len(words)
    rules: dict[str, list[list[Symbol]]] = {
        "root": [[Rule("word-0")]],
        "begin": _each(prompting.name_marks()),
        "number": _each(prompting.number_marks()),
        f"word-{count}": [[Rule("task"), Rule("device")]],
        "task": _each(m for m in prompting.task_marks() if may_refuse or m != prompting.NO_TASK),
        "device": _each(prompting.device_marks()),
    }
    for i in range(count):
        free = Rule(f"word-{i + 1}")
        joined = i + 1 < count and not BREAK.search(text[words[i].end : words[i + 1].start])
        named = Rule(f"name-{i + 1}") if joined else free
        rules[f"word-{i}"] = [[OUTSIDE, free], [Rule("begin"), named]]
        if i in number_words:
            rules[f"word-{i}"].append([Rule("number"), free])
        rules[f"name-{i}"] = [[Rule(f"word-{i}")], [INSIDE, named]]
    return Grammar(rules)


def anything(words: int) -> Grammar:
    """Any mark at every word and at both questions: no grammar at all, to measure what `build` gives."""
    marks = dict.fromkeys((*prompting.word_marks(), *prompting.task_marks(), *prompting.device_marks()))
    return Grammar({"root": [[Rule("mark")] * (words + 2)], "mark": _each(marks)})


def _each(marks: Iterable[str]) -> list[list[Symbol]]:
    return [[mark] for mark in marks]
