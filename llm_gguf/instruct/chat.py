"""Reads requests with any instruct model: it is shown worked requests and writes an answer that can only copy.

Joins the grammar of copying.py, whoever writes under it, and the reading of what was written. Knows neither llama.cpp
nor the second reader.
"""

import math
from itertools import accumulate

from llm_gguf.answer import Answer
from llm_gguf.instruct import copying
from llm_gguf.instruct.writer import Writer


class ChatModel:
    """Any instruct model. Where it is silent nothing is concluded: the rules are never denied by it."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.name, self.sha256 = writer.name, writer.sha256

    def read(self, text: str, *, may_refuse: bool = True) -> Answer:
        """Reads one request; confidence is the product over all tokens where different texts were allowed.

        Raises RequestTooLongError and UnfinishedAnswerError.
        """
        given = copying.source(text)
        tokens = self.writer.write(text, copying.build(given, may_refuse=may_refuse))
        # Places in an answer are characters; a token may end within one.
        ends = [len(part.decode(errors="ignore")) for part in accumulate(token.text for token in tokens)]
        written = b"".join(token.text for token in tokens).decode(errors="replace")

        def certainty(start: int, end: int) -> float:
            starts = [0, *ends[:-1]]
            touching = (t for t, a, b in zip(tokens, starts, ends, strict=True) if a < end and b > start)
            return math.prod(token.probability for token in touching)

        draft = copying.interpret(given, written, certainty)
        draft.task_certainty = certainty(*copying.task_place(written))
        return Answer(
            draft=draft,
            task_probability=draft.task_certainty,
            confidence=math.prod(token.probability for token in tokens),
            forced=sum(not token.first for token in tokens),
        )
