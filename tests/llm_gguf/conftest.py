"""Puts the writer of tiny models within reach of the tests beside it, and one such model on disk."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))


@pytest.fixture(scope="session")
def tiny_chat_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chat model with random weights that llama.cpp really runs."""
    import tiny_gguf

    pytest.importorskip("llama_cpp")
    return tiny_gguf.write(tmp_path_factory.mktemp("chat") / "tiny.gguf")
