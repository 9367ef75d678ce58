"""The same models profiled twice: do the medians agree, and is the winner the same?

    python benchmarks/repeatability.py [--models 8]

Every form of a model is measured as `edge profile` does it, once for all models, then once more. A row is right if its
medians lie within 3 %, or if the two say that they were disturbed or unstable, that they may be off by that much (each
row's ±), or that the machine itself or its memory was slower beside one of them; the winner of a model is right if it
is the same, or if both are called a tie (less than 3 % apart).
"""

from __future__ import annotations

import argparse
import math
import tempfile
from pathlib import Path

from edge.artefacts.variant import offered
from edge.profiling.database import Database, Filter
from edge.profiling.results import Circumstances
from edge.profiling.row import Row
from edge.profiling.sweep import sweep
from edge.report.beside import unlike
from profiler.hardware import fingerprint
from zoo.models import find

MODELS = (
    "mobilenet-v2_8xb32_in1k",
    "resnet18_8xb32_in1k",
    "mobilenet-v3-small_8xb128_in1k",
    "rtmdet_tiny_8xb32-300e_coco",
    "fast_scnn_8xb4-160k_cityscapes-512x1024",
    "pidnet-s_2xb6-120k_1024x1024-cityscapes",
    "rtmpose-t_8xb256-420e_coco-256x192",
    "td-hm_mobilenetv2_8xb64-210e_coco-256x192",
)
ENGINES = ("onnxruntime", "openvino", "ncnn")
WITHIN = 0.03

Form = tuple[str, str]  # title, engine


def profile(run: str, count: int, database: Database) -> dict[Form, Row]:
    where = Circumstances(run, fingerprint(), threads=1)
    cards = [find([name])[0] for name in MODELS[:count]]
    offer = offered(ENGINES, ["fp32"])
    sweep(cards, offer, database, where, budget_s=None, told=lambda row: tell(run, row), say=lambda *_: None)
    return {(row.subject.title, row.key.engine): row for row in database.rows(Filter(run=run)) if row.median_ms()}


def tell(run: str, row: Row) -> None:
    """As it goes: the whole takes some ten minutes."""
    median = f"{row.median_ms():9.3f} ms" if row.median_ms() else row.reason
    print(f"{run:<7} {row.subject.title:<26} {row.key.engine:<12} {median}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=len(MODELS))
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, Database.open(Path(scratch) / "profiles.db") as database:
        first, second = (profile(run, chosen.models, database) for run in ("first", "second"))
    for title, engine in sorted(first.keys() ^ second.keys()):
        print(f"{title:<26} {engine:<12} measured in one run only")
    unsaid = differences(first, second)
    other = winners(first, second)
    return 1 if unsaid or other or first.keys() != second.keys() else 0


def differences(first: dict[Form, Row], second: dict[Form, Row]) -> int:
    """How many medians differ without a word of what disturbed them."""
    print(f"\n{'model':<26} {'engine':<12} {'first ms':>9} {'±':>5} {'second ms':>9} {'±':>5} {'differ':>7}  says")
    quiet = said = unsaid = 0
    for title, engine in sorted(first.keys() & second.keys()):
        one, two = first[title, engine], second[title, engine]
        before, after = one.median_ms() or 0.0, two.median_ms() or 0.0
        differ = abs(after / before - 1)
        off = one.uncertainty() or 0.0, two.uncertainty() or 0.0
        slower = [f"slower {what}" for what in unlike(one, two)]
        told = ["within ±"] if WITHIN < differ <= math.hypot(*off) else []
        doubt = " and ".join(dict.fromkeys([*doubts(one), *doubts(two), *slower, *told]))
        quiet += differ <= WITHIN
        said += differ > WITHIN and doubt != ""
        unsaid += differ > WITHIN and not doubt
        print(f"{title:<26} {engine:<12} {before:9.3f} {off[0]:5.1%} {after:9.3f} {off[1]:5.1%} {differ:7.1%}  {doubt}")
    print(f"{quiet} of {len(first)} within {WITHIN:.0%}, {said} beyond and said so, {unsaid} beyond unsaid")
    return unsaid


def doubts(row: Row) -> list[str]:
    """What the row itself says against its median."""
    unstable = row.profile is not None and not row.profile.stable
    return [word for word, holds in (("disturbed", row.disturbed), ("unstable", unstable)) if holds]


def winners(first: dict[Form, Row], second: dict[Form, Row]) -> int:
    """How many models have another fastest engine in the second run, and no tie."""
    same = tied = other = 0
    for title in dict.fromkeys(title for title, _ in first):
        runs = [
            {engine: row.median_ms() or 0.0 for (of, engine), row in run.items() if of == title}
            for run in (first, second)
        ]
        names = [min(times, key=lambda engine: times[engine]) for times in runs]
        # each run's own figures must call the other's winner a tie
        close = [times[name] <= min(times.values()) * (1 + WITHIN) for times in runs for name in names]
        same += names[0] == names[1]
        tied += names[0] != names[1] and all(close)
        if names[0] != names[1] and not all(close):
            other += 1
            print(f"{title}: {names[0]} first, then {names[1]}")
    print(f"fastest engine: {same} the same, {tied} a tie both times, {other} another")
    return other


if __name__ == "__main__":
    raise SystemExit(main())
