"""Writes invented requests as JSON lines: python -m llm_gguf.training.generate OUT --count N --seed S

Each line holds text, task, gpu, engine and the marked spans. Nothing but the seed decides what is drawn.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from llm_gguf.training.compose import Composer
from llm_gguf.training.marking import Mark, Sample


def samples(count: int, seed: int) -> Iterator[Sample]:
    """`count` requests of the given seed."""
    composer = Composer(seed)
    for _ in range(count):
        yield composer.request()


def load(path: Path) -> Iterator[Sample]:
    """Reads back what `main` wrote."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            row["marks"] = [Mark(**m) for m in row["marks"]]
            yield Sample(**row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with args.out.open("w", encoding="utf-8") as out:
        for sample in samples(args.count, args.seed):
            out.write(json.dumps(asdict(sample), ensure_ascii=False) + "\n")
    print(f"{args.count} requests of seed {args.seed} in {args.out}")


if __name__ == "__main__":
    main()
