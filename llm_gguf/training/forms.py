"""Other forms of the answer, for comparison only: written token by token, with pointers to words or with their text.

The shipped form marks every word in one pass (answers.py). Here the network sees the request, then writes what it
found: a mark, and behind it either the number of its first and last word or the words themselves. It must read
causally. All first choices right means that greedy writing gives the right answer, so the trainer's "whole" compares
the forms.
"""

from typing import TYPE_CHECKING, Final

from llm_gguf.prompting import INSIDE, OUTSIDE, Prompt

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MOST_WORDS: Final = 256
"""A request with more words is left out."""
FORMS: Final = ("marks", "pointers", "copy")


def _pointer(word: int) -> str:
    return f"<w{word}>"


def prepare(tokenizer: "Tokenizer") -> None:
    """Adds a token for the number of each word, behind all others."""
    from tokenizers import AddedToken

    tokenizer.add_tokens([AddedToken(_pointer(i), normalized=False) for i in range(MOST_WORDS)])


def found(marks: list[str]) -> list[tuple[str, int, int]]:
    """Mark, first and last word of everything that is marked."""
    spans: list[tuple[str, int, int]] = []
    for i, mark in enumerate(marks[:-2]):
        if mark == INSIDE:
            spans[-1] = (*spans[-1][:2], i)
        elif mark != OUTSIDE:
            spans.append((mark, i, i))
    return spans


def written(prompt: Prompt, marks: list[str], form: str) -> tuple[list[str], list[str]] | None:
    """Pieces of the request as they are read, and of the answer as it is written; None if it has too many words."""
    if len(prompt.words) > MOST_WORDS:
        return None
    pieces: list[str] = []
    number = 0
    for i, piece in enumerate(prompt.pieces[:-2]):
        if form == "pointers" and i in prompt.asking:
            pieces.append(_pointer(number))
            number += 1
        pieces.append(piece)
    answer = [marks[-2], marks[-1]]
    for mark, first, last in found(marks):
        names = [" " + word.text.lower() for word in prompt.words[first : last + 1]]
        answer += [mark, *((_pointer(first), _pointer(last)) if form == "pointers" else names)]
    return [*pieces, prompt.pieces[-1]], [*answer, prompt.pieces[-2]]
