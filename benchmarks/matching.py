"""Which classes of six public data sets do the objects of requests mean? Against cases written by hand.

    python benchmarks/matching.py [--show-wrong]

Four files of cases: two that the matching was improved on, a third whose mistakes were looked at, and one that was
written by somebody who knew the classes alone, after the last change of the matching (`cases/matching-fresh.jsonl`).
Precision and recall are of pairs of object and class. Beside it, on the same cases,
the rule of other systems: a name that is spelt nearly alike (difflib, 0.8), or any sense of the class below any sense
of the object in WordNet.
"""

from __future__ import annotations

import argparse
import difflib
import json
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.datasets.public import public_sets
from zoo.labels import Found, Hit, Vocabulary, find, wordnet
from zoo.labels.spelling import names

FOLDER = Path(__file__).with_name("cases")
FILES = ("matching-first.jsonl", "matching-second.jsonl", "matching-third.jsonl", "matching-fresh.jsonl")
ALIKE = 0.8

Case = dict[str, Any]
Matcher = Callable[[list[str], Vocabulary], dict[str, Found]]


@dataclass
class Score:
    right: int = 0
    extra: int = 0
    missing: int = 0
    whole: int = 0
    cases: int = 0
    asked: int = 0
    to_ask: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        return self.right / max(1, self.right + self.extra)

    @property
    def recall(self) -> float:
        return self.right / max(1, self.right + self.missing)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--show-wrong", action="store_true")
    chosen = parser.parse_args()
    files = {
        file: [json.loads(line) for line in (FOLDER / file).read_text(encoding="utf-8").splitlines()] for file in FILES
    }
    files["all together"] = [case for cases in files.values() for case in cases]
    enough = False
    for file, cases in files.items():
        print(f"\n{file}: {len(cases)} cases")
        for title, matcher in (("edge", find), ("spelt nearly alike, or any sense", naive)):
            began = time.monotonic()
            score = scored(cases, matcher)
            print(
                f"  {title:<34} precision {score.precision:.3f}  recall {score.recall:.3f}  "
                f"whole cases {score.whole} of {score.cases}, asked back in {score.asked} of {score.to_ask} "
                f"that need it ({time.monotonic() - began:.1f} s)"
            )
            if matcher is find:
                enough = score.precision >= 0.97 and score.recall >= 0.92
                if chosen.show_wrong and file in FILES:
                    print("\n".join(score.wrong))
    return 0 if enough else 1


def scored(cases: list[Case], matcher: Matcher) -> Score:
    score, by_set = Score(), defaultdict(list)
    for case in cases:
        by_set[case["dataset"]].append(case)
    for name, some in by_set.items():
        vocabulary = public_sets()[name].vocabulary
        found = matcher([case["object"] for case in some], vocabulary)
        for case in some:
            count(case, found[case["object"]], vocabulary, score)
    return score


def count(case: Case, found: Found, vocabulary: Vocabulary, score: Score) -> None:
    # cases name a class of several names by its first
    got = {names(hit.label)[0] for hit in found.taken}
    wanted = {names(label)[0] for label in case["classes"]}
    score.right += len(got & wanted)
    score.extra += len(got - wanted)
    score.missing += len(wanted - got)
    score.cases += 1
    asked = bool(found.asked) and not found.taken
    score.to_ask += case["ask"]
    score.asked += case["ask"] and asked
    if got == wanted and (asked or not case["ask"]):
        score.whole += 1
    else:
        score.wrong.append(
            f"    {case['dataset']} {case['kind']} {case['object']!r}: extra {sorted(got - wanted)[:6]}, "
            f"missing {sorted(wanted - got)[:6]}, asked {[hit.label for hit in found.asked][:4]}"
        )


def naive(objects: list[str], vocabulary: Vocabulary) -> dict[str, Found]:
    """Fuzzy text or any sense, written anew from the description of such a system."""
    kinds = {
        label: {up for part in names(label) for sense in wordnet.senses(part) for up in wordnet.above(sense)}
        for label in vocabulary.classes
    }
    found = {}
    for name in objects:
        meanings = set(wordnet.senses(name))
        hits = [
            Hit(label, "spelling", 1.0, "")
            for label in vocabulary.classes
            if meanings & kinds[label]
            or any(difflib.SequenceMatcher(None, name.lower(), part.lower()).ratio() >= ALIKE for part in names(label))
        ]
        found[name] = Found(tuple(hits))
    return found


if __name__ == "__main__":
    raise SystemExit(main())
