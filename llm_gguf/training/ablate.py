"""Trains small variants under one budget and scores each: python -m llm_gguf.training.ablate FOLDER REQUESTS.jsonl

What the size, the amount of data, reading in both directions and foreign vocabulary are worth. Every variant is one
call of train and convert; finished ones are kept, so the command can be stopped and started again.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from llm_gguf import batch
from llm_gguf.training.forms import FORMS
from llm_gguf.understanding import reading

NO_WORDNET: Final = "no WordNet: names of the themes and made-up ones"
VARIANTS: Final[Mapping[str, tuple[str, ...]]] = {
    "base: width 256, 6 layers": (),
    "small: width 128, 4 layers": ("--width", "128", "--layers", "4"),
    "wide: width 384, 6 layers": ("--width", "384"),
    "6,000 requests, repeated": ("--requests", "6000"),
    "each word sees only what stands before it": ("--causal",),
    NO_WORDNET: (),
}


def _run(module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", f"llm_gguf.training.{module}", *arguments], check=True)


def trained(name: str, options: tuple[str, ...], args: argparse.Namespace) -> Path:
    """The GGUF of one variant, made if it is not there."""
    stem: Path = args.folder / name.split(":")[0].split(",")[0].replace(" ", "-")
    made = stem.with_suffix(".gguf")
    if not made.exists():
        stock = () if name == NO_WORDNET or args.wordnet is None else ("--wordnet", str(args.wordnet))
        shared = ("--steps", str(args.steps), "--threads", str(args.threads), "--rate", "2e-3")
        _run("train", str(args.tokenizer), str(stem.with_suffix(".pt")), *shared, *stock, *options)
        _run("convert", str(stem.with_suffix(".pt")), str(args.tokenizer), str(made))
    return made


def scored(model: Path, requests: Path) -> dict[str, Any]:
    """Shares of requests and keys right, by the model alone and by both readers."""
    rows = batch.rows(requests)
    shares = {}
    for by in ("model", "both"):
        score = batch.score(list(batch.read(rows, reading(model, 1, by=by)))).score
        shares[by] = {"requests": score.request_level, "keys": score.key_level, "invented": score.invented}
    return {"bytes": model.stat().st_size, **shares}


def compared_forms(args: argparse.Namespace) -> None:
    """Trains each form of the answer and notes how many held-out requests it gets wholly right."""
    for form in FORMS:
        log = args.folder / f"form-{form}.log"
        command = [
            str(args.tokenizer),
            str(args.folder / f"form-{form}.pt"),
            "--form",
            form,
            "--steps",
            str(args.steps),
        ]
        stock = ["--wordnet", str(args.wordnet)] if args.wordnet else []
        with log.open("a", encoding="utf-8") as out:
            shared = ["--threads", str(args.threads), "--rate", "2e-3"]
            call = [sys.executable, "-m", "llm_gguf.training.train", *command, *stock, *shared]
            subprocess.run(call, stdout=out, check=True)
        held = [line.strip() for line in log.read_text(encoding="utf-8").splitlines() if "held out" in line]
        print(f"{form}: {held[-1]}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("requests", type=Path, nargs="+", help="files to score on, with gold")
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--wordnet", type=Path)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="*", help="first words of the variants to run")
    parser.add_argument("--forms", action="store_true", help="compare forms of the answer instead of the variants")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    if args.forms:
        compared_forms(args)
        return
    for name, options in VARIANTS.items():
        if args.only and not name.startswith(tuple(args.only)):
            continue
        made = trained(name, options, args)
        for path in args.requests:
            line = json.dumps({"variant": name, "steps": args.steps, "on": path.name, **scored(made, path)})
            print(line, flush=True)
            with (args.folder / "results.jsonl").open("a", encoding="utf-8") as results:
                results.write(line + "\n")


if __name__ == "__main__":
    main()
