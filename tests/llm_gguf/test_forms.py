"""The other forms of the answer say the same as the marks."""

from llm_gguf.prompting import ASK_DEVICE, ASK_TASK, INSIDE, OUTSIDE, encode
from llm_gguf.training.forms import found, written

PROMPT = encode("Detect guide dogs at 20 fps")
MARKS = [OUTSIDE, "<object>", INSIDE, OUTSIDE, "<unit=fps>", OUTSIDE, "<task=detection>", OUTSIDE]


def test_what_is_marked_is_found_with_its_words() -> None:
    assert found(MARKS) == [("<object>", 1, 2), ("<unit=fps>", 4, 4)]


def test_pointers_name_first_and_last_word() -> None:
    both = written(PROMPT, MARKS, "pointers")
    assert both is not None
    assert [piece for piece in both[0] if piece.startswith("<w")] == [f"<w{i}>" for i in range(6)]
    assert both[0][-1] == ASK_DEVICE
    assert both[1] == [
        "<task=detection>", OUTSIDE, "<object>", "<w1>", "<w2>", "<unit=fps>", "<w4>", "<w4>", ASK_TASK,
    ]  # fmt: skip


def test_copies_hold_the_words_themselves() -> None:
    both = written(PROMPT, MARKS, "copy")
    assert both is not None
    assert both[1] == ["<task=detection>", OUTSIDE, "<object>", " guide", " dogs", "<unit=fps>", " 20", ASK_TASK]


def test_a_very_long_request_has_no_written_form() -> None:
    assert written(encode("cars " * 300), [OUTSIDE] * 302, "pointers") is None
