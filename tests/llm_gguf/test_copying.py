"""Answers of an instruct model: its grammar lets it copy from the request and nothing else; reading them back."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_gguf import numbers, prompting
from llm_gguf.answer import Draft
from llm_gguf.errors import UnfinishedAnswerError
from llm_gguf.grammar import BREAK, Grammar, Rule
from llm_gguf.instruct import copying, instructions
from llm_gguf.instruct.walk import Walk

NASTY = st.sampled_from(
    ['"', "\\", "\\n", "\n", "\t", "\u00a0", "\u200d", "\u2028", "\x85", "\ufeff", "🐕\u200d🦺", "naïve", "犬",
     "e\u0301", "it's", "a\\b", "<|im_end|>", "5fps", "half a", "million", "30", "0.5", "3 000", "90 %", "9" * 400,
     "cats", "cats", "and", "the", ",", ".", "(", "C++", "none", "null", "]", "}", '"}', "{{", "::=", "%s"]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=200), st.lists(NASTY, max_size=40).map(" ".join), st.lists(NASTY).map("".join))


def derived(rules: Grammar, seed: int) -> str:
    """One of the grammar's texts, by chance."""
    chance = random.Random(seed)
    waiting: list[str | Rule] = [Rule("root")]
    text = ""
    while waiting:
        symbol = waiting.pop()
        if isinstance(symbol, str):
            text += symbol
        else:
            waiting += reversed(chance.choice(rules.rules[symbol.name]))
    return text


def allows(text: str, written: str, *, may_refuse: bool = True) -> bool:
    walk = Walk(copying.build(copying.source(text), may_refuse=may_refuse))
    return walk.write(written.encode()) and walk.ended


DECIMAL = re.compile(r"(?<=\d)[.,](?=\d)")
"""A sign inside a number breaks no clause."""


def read(text: str, **stated: object) -> Draft:
    written = instructions.worked("detection", **stated)
    assert allows(text, written)
    return copying.interpret(copying.source(text), written, lambda start, end: 0.5)


@settings(derandomize=True, database=None, max_examples=150, deadline=None)
@given(TEXTS, st.integers(0, 2**32))
def test_every_answer_is_json_copied_from_the_text(text: str, seed: int) -> None:
    source = copying.source(text)
    rules = copying.build(source)
    written = derived(rules, seed)
    assert Walk(rules).write(written.encode())
    assert list(json.loads(written)) == list(copying._SHAPES)
    draft = copying.interpret(source, written, lambda start, end: 0.5)
    names = [*draft.objects, *filter(None, (draft.model, draft.dataset))]
    assert all(
        text[span.start : span.end] == span.text and not BREAK.search(DECIMAL.sub("", span.text)) for span in names
    )
    assert len(draft.objects) == len(json.loads(written)["object"])
    assert all(a.end <= b.start for a, b in zip(draft.objects, draft.objects[1:], strict=False))
    places = {number.start for number in numbers.find(text)}
    assert {f.start for f in (*draft.quantities.values(), *draft.metrics)} == set(draft.certainty) <= places
    assert len(draft.quantities) == sum(json.loads(written)[kind] is not None for kind in copying.QUANTITIES)


@settings(
    derandomize=True,
    database=None,
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(TEXTS, st.integers(0, 2**32))
def test_llama_cpp_takes_every_grammar_and_every_answer(tiny_vocabulary: object, text: str, seed: int) -> None:
    from llm_gguf import llama

    lib = llama.library()
    rules = copying.build(copying.source(text))
    with llama.sampler(tiny_vocabulary, rules) as sampler:
        for token in llama.tokens(tiny_vocabulary, derived(rules, seed), special=False):
            assert permits(lib, sampler, token)
            lib.llama_sampler_accept(sampler, token)


def permits(lib: object, sampler: object, token: int) -> bool:
    import ctypes

    slot = (lib.llama_token_data * 1)()
    slot[0].id = token
    candidates = lib.llama_token_data_array(data=slot, size=1, selected=-1, sorted=False)
    lib.llama_sampler_apply(sampler, ctypes.byref(candidates))
    return slot[0].logit == 0.0


@pytest.fixture(scope="module")
def tiny_vocabulary(tiny_chat_file: Path) -> object:
    from llm_gguf import llama

    return llama.library().llama_model_get_vocab(llama.load(tiny_chat_file, vocabulary_only=True))


@pytest.mark.parametrize("words", [["w{}"], ["cat"], ["a", "b,"], ["{}", "fps"]])
def test_llama_cpp_takes_the_grammar_of_three_hundred_words(tiny_vocabulary: object, words: list[str]) -> None:
    from llm_gguf import llama

    text = " ".join(words[i % len(words)].format(i) for i in range(300))
    rules = copying.build(copying.source(text))
    with llama.sampler(tiny_vocabulary, rules) as sampler:
        for token in llama.tokens(tiny_vocabulary, derived(rules, 7), special=False):
            assert permits(llama.library(), sampler, token)
            llama.library().llama_sampler_accept(sampler, token)


def test_the_grammar_grows_with_the_words_and_not_faster() -> None:
    sizes = [len(copying.build(copying.source("some word " * count)).gbnf) for count in (100, 200, 400)]
    assert sizes[2] - sizes[1] < 2.2 * (sizes[1] - sizes[0])


@pytest.mark.parametrize(("request_text", "written"), instructions.EXAMPLES, ids=lambda text: text[:30])
def test_worked_answers_are_answers_of_their_requests(request_text: str, written: str) -> None:
    assert allows(request_text, written)
    copying.interpret(copying.source(request_text), written, lambda start, end: 1.0)


def test_every_task_is_worked_once_and_every_unit_is_named() -> None:
    tasks = [json.loads(written)["task"] for _, written in instructions.EXAMPLES]
    assert sorted(tasks) == sorted([*prompting.TASKS, "none"])
    named = (*prompting.SPEED_UNITS, *prompting.FLOPS_UNITS, *prompting.PARAMETER_UNITS, *prompting.METRICS)
    assert all(word in instructions.SYSTEM for word in (*named, *prompting.TASKS, *prompting.ENGINES))
    assert all(unit in copying._BEHIND for units in copying.QUANTITIES.values() for unit in units)


@pytest.mark.parametrize(
    ("text", "name", "possible"),
    [
        ("find traffic cones, cars", "traffic cones", True),
        ("find traffic cones, cars", "cones cars", False),
        ("find traffic cones, cars", "cones, cars", False),
        ("find traffic cones, cars", "traff", False),
        ("find Traffic cones", "traffic cones", False),
        ("find traffic \t cones", "traffic cones", True),
        ("the driver's seat", "driver's seat", True),
        ("mark C++ code", "C++ code", True),
        ("path a\\b here", "a\\b", True),
        ("a soft\u200dbreak", "soft\u200dbreak", True),
        ("one. two", "one. two", False),
    ],
)
def test_a_name_is_a_run_of_whole_words_of_one_clause(text: str, name: str, possible: bool) -> None:
    asked = instructions.worked("detection", specific_model=name)
    assert allows(text, asked.replace("\u200d", "\\u200d")) is possible
    listed = instructions.worked("detection", name)
    assert allows(text, listed.replace("\u200d", "\\u200d")) is possible


def test_classes_stand_in_the_order_of_the_text() -> None:
    assert allows("cats, dogs and cats", instructions.worked("detection", "cats", "dogs", "cats"))
    assert not allows("cats and dogs", instructions.worked("detection", "dogs", "cats"))
    assert not allows("cats and dogs", instructions.worked("detection", "cats", "cats"))
    assert not allows("traffic cones", instructions.worked("detection", "traffic cones", "cones"))


def test_a_class_is_found_behind_the_class_before_it() -> None:
    text = "I own cats. Classify dogs and cats."
    written = instructions.worked("classification", "dogs", "cats")
    draft = copying.interpret(copying.source(text), written, lambda start, end: 1.0)
    assert [span.start for span in draft.objects] == [21, 30]


def test_a_text_without_numbers_has_no_quantities() -> None:
    assert allows("find cats", instructions.worked("detection"))
    assert not allows("find cats", instructions.worked("detection", speed={"number": "5", "unit": "fps"}))
    assert not allows("find cats", instructions.worked("detection", metrics=[{"name": "mAP", "number": "5"}]))


def test_only_numbers_of_the_text_can_be_copied() -> None:
    assert allows("find cats at 25 fps", instructions.worked("detection", speed={"number": "25", "unit": "fps"}))
    assert not allows("find cats at 25 fps", instructions.worked("detection", speed={"number": "5", "unit": "fps"}))
    assert not allows("find cats at 25 fps", instructions.worked("detection", speed={"number": "25", "unit": "M"}))


def test_a_request_that_must_not_be_refused_has_a_task() -> None:
    assert allows("find cats", instructions.worked("none"))
    assert not allows("find cats", instructions.worked("none"), may_refuse=False)


def test_what_stands_behind_decides_between_equal_numbers() -> None:
    text = "up to 30 pictures lie there; under 30 million parameters, at 30 fps, 30 % recall"
    draft = read(
        text,
        speed={"number": "30", "unit": "fps"},
        parameters={"number": "30", "unit": "M"},
        metrics=[{"name": "recall", "number": "30"}],
    )
    speed, parameters = draft.quantities["speed"], draft.quantities["parameters"]
    assert (parameters.value, parameters.unit, text[parameters.start :][:10]) == (30, "M", "30 million")
    assert (speed.value, speed.unit) == (30, "fps")
    assert (draft.metrics[0].value, text[draft.metrics[0].start :][:4]) == (0.3, "30 %")


def test_equal_numbers_without_a_unit_are_taken_one_after_the_other() -> None:
    text = "values 7 and 7 and 7"
    draft = read(text, speed={"number": "7", "unit": "ms"}, parameters={"number": "7", "unit": "M"})
    assert (draft.quantities["speed"].start, draft.quantities["parameters"].start) == (7, 13)


def test_a_number_is_as_sure_as_its_entry_and_other_words_are_not_claimed() -> None:
    draft = read("find cats at 25 fps", speed={"number": "25", "unit": "fps"})
    assert draft.certainty == {13: 0.5}
    assert draft.device_certainty == 0.0


def test_a_misspelt_engine_is_found_in_the_text() -> None:
    assert read("find cats with tensort", inference_engine="tensorrt").engine_span.text == "tensort"
    assert read("find one cat", inference_engine="none").engine_span is None


@pytest.mark.parametrize("written", ["", "{", '{"task":"detection"}', instructions.worked("detection")[:-1]])
def test_an_answer_that_is_not_whole_is_an_error_of_the_request(written: str) -> None:
    with pytest.raises(UnfinishedAnswerError, match="did not bring its answer to an end"):
        copying.interpret(copying.source("find cats"), written, lambda start, end: 1.0)
