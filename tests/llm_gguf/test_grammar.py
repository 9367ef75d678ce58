"""A grammar that reaches llama.cpp is valid, and it allows exactly the marks that a request can have."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_gguf import answer, grammar, numbers, prompting
from llm_gguf.errors import GrammarError
from llm_gguf.grammar import Grammar, Rule


def built(text: str) -> tuple[Grammar, prompting.Prompt]:
    prompt = prompting.encode(text)
    found = answer.number_words(prompt.words, numbers.find(text))
    return grammar.build(text, prompt.words, found.keys()), prompt


def accepts(rules: Grammar, marks: list[str]) -> bool:
    """Whether the grammar derives exactly these marks (a plain recogniser with an explicit stack of states)."""
    states: set[tuple[object, ...]] = {(Rule("root"),)}
    for wanted in [*marks, None]:
        waiting, following = list(states), set()
        seen: set[tuple[object, ...]] = set()
        while waiting:
            state = waiting.pop()
            if state in seen:
                continue
            seen.add(state)
            if not state:
                if wanted is None:
                    return True
            elif isinstance(state[0], Rule):
                waiting += [(*alternative, *state[1:]) for alternative in rules.rules[state[0].name]]
            elif state[0] == wanted:
                following.add(state[1:])
        states = following
    return False


@settings(derandomize=True, database=None, max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_every_text_gives_a_grammar_that_passes_its_own_check(text: str) -> None:
    rules, prompt = built(text)
    blank = [prompting.OUTSIDE] * len(prompt.words)
    assert accepts(rules, [*blank, prompting.NO_TASK, prompting.OUTSIDE])


@settings(derandomize=True, database=None, max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["cats", "5", "fps", ",", "half a", "U-Net", ".", "\n", "30ms", "and"]), max_size=30))
def test_all_literals_are_structural_tokens_and_all_rules_are_defined(parts: list[str]) -> None:
    rules, _ = built(" ".join(parts))
    literals = {s for alts in rules.rules.values() for a in alts for s in a if isinstance(s, str)}
    assert literals <= set(prompting.structural_tokens())
    assert rules.gbnf.count("::=") == len(rules.rules)


def test_a_name_may_not_cross_a_comma() -> None:
    rules, _ = built("detect cats, dogs")
    head, tail = [prompting.OUTSIDE, "<object>"], ["<task=detection>", prompting.OUTSIDE]
    assert accepts(rules, [*head, "<object>", *tail])
    assert not accepts(rules, [*head, prompting.INSIDE, *tail])


def test_a_word_that_is_no_number_may_not_be_a_quantity() -> None:
    rules, _ = built("cats 5 fps")
    tail = ["<task=detection>", prompting.OUTSIDE]
    assert accepts(rules, ["<object>", "<unit=fps>", prompting.OUTSIDE, *tail])
    assert not accepts(rules, ["<unit=fps>", prompting.OUTSIDE, prompting.OUTSIDE, *tail])


def test_a_name_cannot_begin_with_its_second_word() -> None:
    rules, _ = built("traffic cones")
    assert not accepts(rules, [prompting.INSIDE, prompting.OUTSIDE, "<task=detection>", prompting.OUTSIDE])


@pytest.mark.parametrize(
    ("rules", "fault"),
    [
        ({"root": [[Rule("missing")]]}, "rule 'missing' is used but not defined"),
        ({"start": [["a"]]}, "there is no rule 'root'"),
        ({"root": [[Rule("root"), "a"], ["b"]]}, "rule 'root' is left-recursive"),
        ({"root": [[Rule("a"), "x"]], "a": [[], [Rule("root")]]}, "rule 'a' is left-recursive"),
        ({"root": [["a", Rule("root")]]}, "rule 'root' can never end"),
        ({"root": []}, "rule 'root' has no alternative"),
        ({"root": [[""]]}, "a literal is empty or holds a control character"),
        ({"root": [["a\nb"]]}, "a literal is empty or holds a control character"),
        ({"root": [["a"]], "B b": [["c"]]}, "rule name 'B b' is not a plain name"),
    ],
)
def test_a_faulty_grammar_is_refused_before_llama_cpp_sees_it(rules: dict[str, list[list[object]]], fault: str) -> None:
    with pytest.raises(GrammarError) as refused:
        Grammar(rules)  # type: ignore[arg-type]
    assert fault in str(refused.value)


def test_quotes_and_backslashes_are_escaped() -> None:
    assert Grammar({"root": [['a"b\\c']]}).gbnf == 'root ::= "a\\"b\\\\c"\n'
