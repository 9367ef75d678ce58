"""Request understanding by a small language model in GGUF form: one English request in, one checked configuration out.

Importing this package loads neither llama.cpp nor torch; `understand` loads llama.cpp when it is called.
"""

from llm_gguf.answer import Span
from llm_gguf.combine import Disagreement
from llm_gguf.config import RequestConfig, flops_count, parameters_count, speed_fps
from llm_gguf.understanding import Understanding, reading, understand, understand_with

__all__ = [
    "Disagreement",
    "RequestConfig",
    "Span",
    "Understanding",
    "flops_count",
    "parameters_count",
    "reading",
    "speed_fps",
    "understand",
    "understand_with",
]
