"""What each part of request reading is worth: python benchmarks/request_reading.py REQUESTS.jsonl [--weights FILE]

The language model alone, the rules alone, both; without the grammar of the request, without the grammar of lists; and
other files of the model (F32, Q4_K_M). One line of JSON per run, then a table. Nothing here trains or tunes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from llm_gguf import answer, batch, engine, grammar, lists, numbers, prompting
from llm_gguf.combine import believed
from llm_gguf.errors import NoVisionRequestError
from llm_gguf.understanding import DEFAULT_MODEL, reading

Reader = Callable[[str], dict[str, Any]]


def without_grammar(model: Path) -> Reader:
    """The language model alone with every mark allowed everywhere; an answer that contradicts itself is a refusal."""
    marker = engine.LlamaEngine(model, 1)

    def read(text: str) -> dict[str, Any]:
        prompt = prompting.encode(text)
        pointed = answer.number_words(prompt.words, numbers.find(text))
        done = marker.mark(prompt, grammar.anything(len(prompt.words)))
        try:
            draft = answer.interpret(done, text, prompt.words, pointed)
            return believed(text, draft).model_dump(mode="json")
        except (KeyError, ValueError, IndexError) as error:
            raise NoVisionRequestError(f"the marks contradict each other: {error!r}", "use the grammar") from error

    return read


def scored(name: str, path: Path, reader: Reader) -> dict[str, Any]:
    done = batch.score(list(batch.read(batch.rows(path), reader)))
    score = done.score
    return {
        "reading": name,
        "on": path.name,
        "requests": score.requests,
        "right": round(score.request_level, 4),
        "literal": round(score.literal, 4),
        "keys": round(score.key_level, 4),
        "invented": round(score.invented, 4),
        "classes": round(score.keys["object"], 4),
        "task": round(score.keys["task"], 4),
        "median_s": round(done.median_seconds, 4),
        "by_task": score.tasks,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("requests", type=Path, nargs="+")
    parser.add_argument("--weights", type=Path, nargs="*", default=[], help="other files of the same model")
    args = parser.parse_args()
    rows = []

    def run(name: str, reader: Reader) -> None:
        for path in args.requests:
            rows.append(scored(name, path, reader))
            print(json.dumps(rows[-1]), flush=True)

    run("both", reading(threads=1))
    run("language model alone", reading(threads=1, by="model"))
    run("language model alone, no grammar", without_grammar(DEFAULT_MODEL))
    run("rules alone", reading(by="rules"))
    with mock.patch.object(lists, "holes", lambda *_: []), mock.patch.object(lists, "strays", lambda *_: []):
        run("both, no grammar of lists", reading(threads=1))
    for path in args.weights:
        run(f"both, {path.stem}", reading(path, threads=1))
    print("\n| reading | " + " | ".join(f"{p.stem}: requests, keys, invented" for p in args.requests) + " |")
    print("|---|" + "---|" * len(args.requests))
    for name in dict.fromkeys(row["reading"] for row in rows):
        cells = [f"{r['right']:.3f}, {r['keys']:.3f}, {r['invented']:.3f}" for r in rows if r["reading"] == name]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
