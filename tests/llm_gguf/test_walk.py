"""Where a text stands in a grammar: what must follow, and when it is whole."""

from __future__ import annotations

import pytest

from llm_gguf.grammar import Grammar, Rule
from llm_gguf.instruct.walk import Walk


def walk(*alternatives: list[str | Rule], **rules: list[list[str | Rule]]) -> Walk:
    return Walk(Grammar({"root": list(alternatives), **rules}))


def test_text_before_a_choice_is_forced_and_no_more() -> None:
    way = walk(["say ", Rule("word"), "!"], word=[["cat"], ["car"]])
    assert way.forced() == b"say ca"
    assert way.write(b"say cat")
    assert way.forced() == b"!"
    assert way.write(b"!")
    assert way.ended


def test_a_text_that_may_end_or_go_on_forces_nothing() -> None:
    way = walk(["a", Rule("more")], more=[[], ["b"]])
    assert way.forced() == b"a"
    assert way.write(b"a")
    assert (way.forced(), way.ended) == (b"", False)


@pytest.mark.parametrize("text", ["b", "ab", "aab", "aaaa"])
def test_what_the_grammar_does_not_allow_leads_nowhere(text: str) -> None:
    way = walk(["a"], ["aa"], ["aaa"])
    assert not way.write(text.encode())
    assert not way.write(b"a")
    assert not way.ended


def test_a_letter_of_several_bytes_can_be_split_by_a_choice() -> None:
    way = walk(["caf\u00e9"], ["caf\u00e8"])
    assert way.forced() == "caf\u00e9".encode()[:-1]


def test_many_readings_of_one_text_are_kept_once() -> None:
    """Every choice of which "a" are meant gives the same text: 2**200 ways, one symbol that may follow."""
    rules = {f"from-{i}": [["a", Rule(f"from-{i + 1}")], [Rule(f"from-{i + 1}")]] for i in range(200)}
    way = walk([Rule("from-0")], **rules, **{"from-200": [["."]]})
    assert way.write(b"a" * 100 + b".")
    assert way.ended
