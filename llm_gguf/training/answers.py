"""Turns an invented request into the prompt and the marks the model is trained to give. Knows no tokens, no network."""

from llm_gguf.prompting import INSIDE, NO_TASK, OUTSIDE, Prompt, Word, encode
from llm_gguf.training.marking import Mark, Sample


def _place(mark: Mark, words: tuple[Word, ...]) -> tuple[int, int] | None:
    """First and last word of a mark; None where the mark cuts a word in two."""
    inside = [i for i, w in enumerate(words) if w.start < mark.end and w.end > mark.start]
    if not inside or words[inside[0]].start != mark.start or words[inside[-1]].end != mark.end:
        return None
    return inside[0], inside[-1]


def _first_mark(mark: Mark) -> str:
    if mark.kind in ("speed", "flops", "parameters"):
        return f"<unit={mark.label}>"
    return f"<{mark.kind}={mark.label}>" if mark.label else f"<{mark.kind}>"


def answer(sample: Sample) -> tuple[Prompt, list[str]] | None:
    """Prompt and marks (one per word, then task and device); None where a mark does not fall on word limits."""
    prompt = encode(sample.text)
    marks = [OUTSIDE] * len(prompt.words)
    for mark in sample.marks:
        place = _place(mark, prompt.words)
        if place is None:
            return None
        first, last = place
        marks[first] = _first_mark(mark)
        if mark.kind in ("object", "model", "dataset", "engine"):
            marks[first + 1 : last + 1] = [INSIDE] * (last - first)
    task = NO_TASK if sample.task == "none" else f"<task={sample.task}>"
    return prompt, [*marks, task, OUTSIDE if sample.gpu == "none" else f"<gpu={sample.gpu}>"]
