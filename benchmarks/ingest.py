"""Whether requests that come in disturb a measurement: 100 of them dropped while one runs.

A watcher like that of `edge watch` has a job running, which here sleeps, and takes in what is dropped. Beside it the
profiler times a network, in turns of a round without and a round with requests dropped over its whole length. Each
ratio is the median of a round with over that of the round before.

    python benchmarks/ingest.py [--rounds 16] [--seconds 2]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from deploy_targets.mmdeploy import export_onnx
from deploy_targets.registry import backend
from edge.appliance.likeness import likeness
from edge.appliance.limits import Limits
from edge.appliance.log import Log
from edge.appliance.loop import Trade, Watcher
from edge.appliance.notify import notifier
from edge.appliance.spool import Spool
from edge.artefacts.blueprint import blueprint
from edge.profiling.onnxfile import FACTORY
from profiler.session import Candidate, measure
from zoo.models import find

MODEL = "mobilenet-v2_8xb32_in1k"
REQUESTS = 100
WITHIN = 0.03


def watch(root: Path) -> None:
    """In a process of its own, until it is killed."""
    trade = Trade(lambda _entry, _arguments, _events: ("sleep", "86400"), likeness)
    Watcher(Spool.made(root), Limits(settle=0.5, hang=86400.0), trade, notifier(), Log(quiet=True)).watch()


def drop(root: Path, first: int, count: int, seconds: float) -> None:
    """That many requests, spread over the time, each written aside and renamed."""
    for number in range(first, first + count):
        aside = root.parent / f"{number}.txt"
        aside.write_text(f"detect cars, at least {number} fps", encoding="utf-8")
        aside.rename(root / "incoming" / aside.name)
        time.sleep(seconds / count)


def median_ms(model: Path, shape: list[int], seconds: float) -> tuple[float, int]:
    """Of `runtime`, and how many windows were repeated because something disturbed them."""
    arguments = {"model": str(model), "engine": "onnxruntime", "precision": "fp32", "shape": shape, "threads": 1}
    candidate = Candidate("network", FACTORY, arguments)
    (profile,) = measure([candidate], scope="runtime", threads=1, min_queries=100_000, max_seconds=seconds)
    if profile.error:
        raise SystemExit(profile.error)
    return profile.summary("runtime").median, sum(not window.counted for window in profile.windows)


def main() -> int:
    """Rounds in turns, then the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--watch", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.watch:
        watch(chosen.watch)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        root, folder = Path(scratch) / "spool", Path(scratch) / "model"
        plan = blueprint(find([MODEL])[0], None, threads=1)
        card, network = plan.card, plan.network
        size = (card.width, card.height)
        onnx = export_onnx(network.export_config(), None, card.task, card.toolbox, size, network.outputs, folder)
        model = backend("onnxruntime").convert(onnx, folder / "onnxruntime")
        shape = [1, 3, card.height, card.width]
        watcher = subprocess.Popen([sys.executable, "-P", __file__, "--watch", str(root)])
        try:
            while not (root / "incoming").is_dir():
                time.sleep(0.1)
            drop(root, 0, 1, 5.0)  # the job that runs
            ratios = []
            for number in range(chosen.rounds):
                alone, _ = median_ms(model, shape, chosen.seconds)
                dropping = threading.Thread(
                    target=drop, args=(root, 1 + number * REQUESTS, REQUESTS, chosen.seconds), daemon=True
                )
                dropping.start()
                beside, repeated = median_ms(model, shape, chosen.seconds)
                dropping.join()
                ratios.append(beside / alone)
                print(
                    f"round {number + 1}: {alone:.3f} ms alone, {beside:.3f} ms while {REQUESTS} requests came,"
                    f" {beside / alone - 1:+.1%}; {repeated} windows repeated",
                    flush=True,
                )
            time.sleep(5.0)
            taken = sum(1 for path in (root / "work").iterdir() if path.is_dir())
        finally:
            watcher.kill()
            watcher.wait()
    ratio = statistics.median(ratios)
    print(f"{taken} requests taken in; median ratio {ratio:.4f}")
    return 0 if abs(ratio - 1) <= WITHIN and taken == 1 + chosen.rounds * REQUESTS else 1


if __name__ == "__main__":
    raise SystemExit(main())
