"""The grammar of enumerations, without any model."""

from __future__ import annotations

import pytest

from llm_gguf.lists import holes


def place(text: str, name: str) -> tuple[int, int]:
    start = text.index(name)
    return start, start + len(name)


@pytest.mark.parametrize(
    ("text", "read", "missing"),
    [
        ("Classify cats and dogs at 10 fps", ["dogs"], ["cats"]),
        ("find the red cups or plates", ["plates"], ["red cups"]),
        ("classify zero, one, two", ["zero", "two"], ["one"]),
        ("Detect cars and buses in photos", ["cars", "buses"], []),
        ("Detect with care and dogs", ["dogs"], []),
    ],
)
def test_a_list_that_was_read_in_part_is_completed(text: str, read: list[str], missing: list[str]) -> None:
    found = holes(text, [place(text, name) for name in read])
    assert [text[start:end] for start, end in found] == missing
