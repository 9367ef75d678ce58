"""Writes composed requests as JSON lines and counts them: python -m llm_gguf.training.generate OUT --count N --seed S

Each line holds text, task, device and the marked spans. Nothing but the seed and the material decides what is drawn.
Training composes its requests itself; this is for looking at them.
"""

import argparse
import json
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from llm_gguf.prompting import encode
from llm_gguf.training.compose import Composer
from llm_gguf.training.marking import Sample


def samples(count: int, seed: int, wordnet: Path | None = None) -> Iterator[Sample]:
    """`count` requests of the given seed."""
    composer = Composer(seed, wordnet)
    for _ in range(count):
        yield composer.request()


def summary(drawn: Sequence[Sample]) -> list[str]:
    """What the requests are like, a line each."""
    lengths = [len(encode(s.text).words) for s in drawn]
    classes = [[s.text[m.start : m.end] for m in s.marks if m.kind == "object"] for s in drawn]
    names = [name for listed in classes for name in listed]
    words = Counter(word.text.casefold() for s in drawn for word in encode(s.text).words)
    tasks = Counter(s.task for s in drawn)
    kinds = Counter(kind for s in drawn for kind in {m.kind for m in s.marks if m.kind != "object"})
    kinds["device"] = sum(s.gpu != "none" for s in drawn)
    deciles = statistics.quantiles(lengths, n=10)
    by_words = Counter(min(4, len(name.split())) for name in names)
    return [
        f"requests: {len(drawn):,}, different texts: {len({s.text for s in drawn}):,}",
        f"words a request: median {statistics.median(lengths):.0f}, "
        f"tenth {deciles[0]:.0f}, ninetieth {deciles[-1]:.0f}, most {max(lengths)}",
        f"different words: {len(words):,}, of them seen once: {sum(n == 1 for n in words.values()):,}",
        f"class names: {len(names):,}, different: {len({n.casefold() for n in names}):,}; of one, two, three, more "
        "words: " + ", ".join(f"{by_words[n] / len(names):.0%}" for n in (1, 2, 3, 4)),
        "tasks: " + ", ".join(f"{task} {n / len(drawn):.0%}" for task, n in tasks.most_common()),
        "stated in: " + ", ".join(f"{kind} {n / len(drawn):.0%}" for kind, n in kinds.most_common()),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--wordnet", type=Path, help="folder of WordNet's database, /usr/share/wordnet for one")
    args = parser.parse_args()
    drawn = list(samples(args.count, args.seed, args.wordnet))
    with args.out.open("w", encoding="utf-8") as out:
        for sample in drawn:
            out.write(json.dumps(asdict(sample), ensure_ascii=False) + "\n")
    print("\n".join(summary(drawn)))


if __name__ == "__main__":
    main()
