"""The written material: every block and line can be filled, and what is planted is what the text says."""

import random
import re
from collections import Counter
from pathlib import Path

import pytest

from llm_gguf import numbers
from llm_gguf.prompting import METRICS, TASKS
from llm_gguf.training import corpus, words
from llm_gguf.training.answers import answer
from llm_gguf.training.compose import Composer
from llm_gguf.training.generate import samples, summary
from llm_gguf.training.listing import Listing

MATERIAL = corpus.load()
BLOCKS = [block for table in (MATERIAL.blocks, MATERIAL.patterns) for blocks in table.values() for block in blocks]
SENTENCES = [
    *(line for table in (MATERIAL.sentences, MATERIAL.phrases) for lines in table.values() for line in lines),
    *MATERIAL.traps, *MATERIAL.context, *MATERIAL.ignore, *MATERIAL.not_vision,
]  # fmt: skip
KNOWN = {*corpus.CLASS_KINDS, *corpus.UNITS, "p", "x", "xs", "m", "model", "data", "engine", "n", "P", "S", "W", "N"}


def test_every_task_has_many_requests_and_patterns() -> None:
    assert set(MATERIAL.blocks) == set(MATERIAL.patterns) == set(TASKS)
    assert min(len(blocks) for blocks in MATERIAL.blocks.values()) >= 300


def test_every_slot_is_known_and_every_metric_too() -> None:
    texts = [*(line.text for block in BLOCKS for line in block.lines), *SENTENCES]
    found = [slot for text in texts for _, slot in corpus.slots(text)]
    assert {slot.kind for slot in found} <= KNOWN
    assert {slot.hints[0] for slot in found if slot.kind == "m"} == set(METRICS)


def test_no_brace_or_bracket_is_left_when_everything_is_filled() -> None:
    for sample in samples(3000, seed=5):
        assert not re.search(r"[{}\[\]\x01-\x03]", sample.text), sample.text


def test_planted_numbers_are_numbers_that_the_code_finds() -> None:
    lost = Counter()
    for sample in samples(3000, seed=6):
        starts = {number.start for number in numbers.find(sample.text)}
        for mark in sample.marks:
            if mark.kind in ("speed", "flops", "parameters", "metric"):
                lost[mark.start in starts] += 1
    assert lost[False] <= 0.02 * lost[True]


def test_nearly_every_request_has_a_mark_for_every_word() -> None:
    made = [answer(sample) for sample in samples(2000, seed=7)]
    assert sum(one is None for one in made) <= 20
    assert all(len(prompt.asking) == len(marks) for prompt, marks in (one for one in made if one))


def test_the_seed_decides_what_is_drawn() -> None:
    first, second, other = (list(samples(30, seed)) for seed in (1, 1, 2))
    assert first == second != other


def test_a_request_that_asks_for_a_model_names_a_class_or_a_data_set() -> None:
    for sample in samples(1000, seed=8):
        if sample.task != "none":
            assert any(mark.kind in ("object", "dataset") for mark in sample.marks), sample.text


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("mouse", "mice"),
        ("guide dog", "guide dogs"),
        ("bag of cement", "bags of cement"),
        ("person with helmet", "people with helmet"),
        ("box", "boxes"),
        ("berry", "berries"),
        ("monkey", "monkeys"),
        ("RBC", "RBCs"),
        ("class 3", "class 3"),
    ],
)
def test_plurals(one: str, many: str) -> None:
    assert words.Names(random.Random(1), MATERIAL.themes, MATERIAL.plurals, None).plural(one) == many


@pytest.mark.parametrize(
    ("hints", "wanted"), [(("or", "a"), " or an? "), (("and", "the"), " (?:and(?: also)?|plus|as well as|&) the ")]
)
def test_a_list_keeps_to_what_its_sentence_needs(hints: tuple[str, ...], wanted: str) -> None:
    for seed in range(50):
        text = Listing(random.Random(seed), hints, before="is it ", after="?").write(["cat", "owl", "bee", "ant"])
        assert re.search(wanted, text) or not re.search(r" (?:and|or) ", text)


def test_the_summary_counts() -> None:
    lines = summary(list(samples(300, seed=3)))
    assert lines[0].startswith("requests: 300,")
    assert len(lines) == 6


def test_a_block_without_a_head_is_named(tmp_path: Path) -> None:
    bad = tmp_path / "bad.txt"
    bad.write_text("# detection\nfind {Ts: cars}\n\nfind {Ts: cars}\n")
    with pytest.raises(corpus.CorpusError, match=r"bad\.txt, block 2"):
        list(corpus._blocks(bad))


def test_composing_needs_no_foreign_files() -> None:
    assert Composer(1).names.stock is None
