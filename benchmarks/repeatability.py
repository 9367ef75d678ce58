"""The same models profiled twice: do the medians agree, and is the winner the same?

    python benchmarks/repeatability.py [--models 8]

Every form of a model is measured as `edge profile` does it, once for all models, then once more. A row is right if
its medians lie within 3 %, or if it says that it was disturbed; the winner of a model is right if it is the same, or
if both are called a tie (less than 3 % apart).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from edge.artefacts.variant import offered
from edge.profiling.database import Database, Filter
from edge.profiling.results import Circumstances
from edge.profiling.row import Row
from edge.profiling.sweep import sweep
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


def profile(run: str, count: int, database: Database) -> dict[tuple[str, str], Row]:
    where = Circumstances(run, fingerprint(), threads=1)
    cards = [find([name])[0] for name in MODELS[:count]]
    sweep(cards, offered(ENGINES, ["fp32"]), database, where, budget_s=None, told=lambda _: None, say=lambda *_: None)
    return {(row.subject.title, row.key.engine): row for row in database.rows(Filter(run=run)) if row.median_ms()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=len(MODELS))
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, Database.open(Path(scratch) / "profiles.db") as database:
        first, second = (profile(run, chosen.models, database) for run in ("first", "second"))
    print(f"{'model':<26} {'engine':<12} {'first ms':>9} {'second ms':>9} {'differ':>7}  says")
    quiet = loud = wrong = 0
    for key in sorted(first.keys() ^ second.keys()):
        print(f"{key[0]:<26} {key[1]:<12} measured in one run only")
    for key in first.keys() & second.keys():
        one, two = first[key], second[key]
        before, after = one.median_ms() or 0.0, two.median_ms() or 0.0
        differ = abs(after / before - 1)
        disturbed = one.disturbed or two.disturbed
        quiet += differ <= WITHIN
        loud += differ > WITHIN and disturbed
        wrong += differ > WITHIN and not disturbed
        print(f"{key[0]:<26} {key[1]:<12} {before:9.3f} {after:9.3f} {differ:7.1%}  {'disturbed' if disturbed else ''}")
    print(f"{quiet} of {len(first)} within {WITHIN:.0%}, {loud} beyond and said to be disturbed, {wrong} beyond unsaid")
    other = winners(first, second)
    return 1 if wrong or other or first.keys() != second.keys() else 0


def winners(first: dict[tuple[str, str], Row], second: dict[tuple[str, str], Row]) -> int:
    same = tied = other = 0
    for title in dict.fromkeys(title for title, _ in first):
        runs = [
            {key[1]: row.median_ms() or 0.0 for key, row in run.items() if key[0] == title} for run in (first, second)
        ]
        names = [min(times, key=lambda engine: times[engine]) for times in runs]
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
