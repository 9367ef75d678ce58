"""Predicts configurations for requests in a JSONL file: python -m llm_gguf.training.measure IN.jsonl OUT.jsonl

`--by both` is the product, `--by model` leaves the rules out, `--by rules` the language model. A request that is
refused gets no configuration. Only reads; nothing here is used for training.
"""

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

from llm_gguf import answer, engine, grammar, numbers, prompting, reader
from llm_gguf.combine import Combiner
from llm_gguf.errors import RequestError
from llm_gguf.reader import Reading
from llm_gguf.understanding import DEFAULT_MODEL, understand_with


def by_rules(text: str) -> dict[str, Any]:
    """The second reader alone: a task where the text names one, no class names."""
    reading = reader.read(text)
    named = [f.unit for f in reading.findings if f.field.startswith("task.")]
    draft = answer.Draft(task=named[0] if named else "detection")
    return Combiner(text, draft, reading).config().model_dump(mode="json")


def by_model(text: str, model: engine.Engine) -> dict[str, Any]:
    """The language model alone: every label and pointer is believed."""
    prompt = prompting.encode(text)
    pointed = answer.number_words(prompt.words, numbers.find(text))
    done = model.mark(prompt.pieces, grammar.build(text, prompt.words, pointed.keys()))
    draft = answer.interpret(done, text, prompt.words, pointed)
    config = Combiner(text, draft, Reading(())).config().model_dump(mode="json")
    config["deploy"] = {"gpu": draft.gpu, "inference_engine": draft.engine}
    return config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("requests", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--by", choices=("model", "rules", "both"), default="both")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    parser.add_argument("--doubts", action="store_true", help="print disagreements and confidence")
    args = parser.parse_args()
    model = engine.open_engine(args.model, 1) if args.by != "rules" else None
    rows = [json.loads(line) for line in args.requests.read_text(encoding="utf-8").splitlines() if line.strip()]
    began = time.perf_counter()
    with args.out.open("w", encoding="utf-8") as out:
        for row in rows:
            config: dict[str, Any] | None = None
            try:
                if model is None:
                    config = by_rules(row["request"])
                elif args.by == "both":
                    understood = understand_with(model, row["request"])
                    config = understood.config.model_dump(mode="json")
                    if args.doubts:
                        print(row["id"], f"{understood.confidence:.3f}", *understood.disagreements)
                else:
                    config = by_model(row["request"], model)
            except (RequestError, ValueError) as refused:
                print(f"{row['id']}: {refused}")
            out.write(json.dumps({"id": row["id"], "config": config}) + "\n")
    spent = (time.perf_counter() - began) / len(rows)
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(rows)} requests, {spent:.3f} s each, {rss:.0f} MiB at most")


if __name__ == "__main__":
    main()
