"""Where a text stands in a grammar while it is written, byte by byte, and what can only follow.

Tokens cannot tell this: one may reach over a choice for which the others have no long token. Knows no model.
"""

from collections.abc import Iterable
from typing import Final, TypeAlias

from llm_gguf.grammar import Grammar, Rule

_Stack: TypeAlias = "tuple[bytes | Rule, _Stack] | None"
"""What must still be written: the next symbol, and what comes behind it; None where the text is whole."""


class Walk:
    """One way through a grammar. Every symbol that may come next is kept once, however many ways lead to it."""

    def __init__(self, grammar: Grammar) -> None:
        self._rules: Final = {
            name: [[s.encode() if isinstance(s, str) else s for s in alternative] for alternative in alternatives]
            for name, alternatives in grammar.rules.items()
        }
        self._open = self._opened([(Rule("root"), None)])

    @property
    def ended(self) -> bool:
        """Whether nothing may follow."""
        return self._open == {None}

    def forced(self) -> bytes:
        """All that must follow, up to the next choice or the end."""
        text = b""
        stacks = self._open
        while len(following := {_next(stack) for stack in stacks}) == 1 and None not in stacks:
            text += (step := following.pop())
            stacks = self._after(stacks, step)
        return text

    def write(self, text: bytes) -> bool:
        """Goes on over this text; False, and nowhere to go from there, if the grammar does not allow it."""
        for i in range(len(text)):
            self._open = self._after(self._open, text[i : i + 1])
        return bool(self._open)

    def _after(self, stacks: Iterable[_Stack], step: bytes) -> set[_Stack]:
        return self._opened([_rest(stack) for stack in stacks if stack is not None and _next(stack) == step])

    def _opened(self, waiting: list[_Stack]) -> set[_Stack]:
        """Rules on top replaced by their alternatives until a text or the end lies there."""
        seen: set[_Stack] = set()
        while waiting:
            stack = waiting.pop()
            if stack in seen:
                continue
            seen.add(stack)
            if stack is not None and isinstance(stack[0], Rule):
                waiting += [_on(alternative, stack[1]) for alternative in self._rules[stack[0].name]]
        return {stack for stack in seen if stack is None or isinstance(stack[0], bytes)}


def _on(symbols: Iterable[bytes | Rule], below: _Stack) -> _Stack:
    for symbol in reversed(list(symbols)):
        below = (symbol, below)
    return below


def _next(stack: _Stack) -> bytes:
    return b"" if stack is None or isinstance(stack[0], Rule) else stack[0][:1]


def _rest(stack: _Stack) -> _Stack:
    """Without the next byte."""
    if stack is None or isinstance(stack[0], Rule):
        raise ValueError("no text lies on top")
    return (stack[0][1:], stack[1]) if len(stack[0]) > 1 else stack[1]
