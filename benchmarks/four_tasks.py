"""`edge produce` on four real datasets, one per task: time, test metric, the trivial baseline, and their ratio.

    python benchmarks/four_tasks.py [--datasets DIR] [--out DIR] [--only NAME ...]

Resumable like the command itself; results are appended to OUT/results.jsonl. The datasets are not part of edge.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATASETS = Path(os.environ.get("EDGE_DATASETS", ROOT.parent / "shared" / "datasets"))

JOBS = {
    "sign_digits": (
        "Classify hand signs: zero, one, two, three, four, five, six, seven, eight and nine. "
        "At least 30 fps on the CPU with ONNX Runtime, under 15 million parameters."
    ),
    "bccd": (
        "Detect RBC, WBC and platelets in blood smear images, at least 5 fps on the CPU with ONNX Runtime, "
        "under 10 million parameters."
    ),
    "nuclei_semantic": (
        "Segment nucleus and nucleus border in microscope images, at least 10 fps on the CPU with ONNX Runtime, "
        "under 10 million parameters."
    ),
    "mouse_mirror": (
        "Find the keypoints of the mouse two views, at least 20 fps on the CPU with ONNX Runtime, "
        "under 10 million parameters."
    ),
}


def main() -> int:
    """Run the jobs one after the other and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--datasets", type=Path, default=DATASETS)
    parser.add_argument("--out", type=Path, default=ROOT / "edge-out" / "four-tasks")
    parser.add_argument("--budget", default="10m")
    parser.add_argument("--only", nargs="*", default=list(JOBS))
    options = parser.parse_args()
    if not options.datasets.is_dir():
        print(f"{options.datasets} is not there; name the folder with --datasets or EDGE_DATASETS", file=sys.stderr)
        return 1
    options.out.mkdir(parents=True, exist_ok=True)
    print(f"{'dataset':18} {'wall s':>7} {'result':8} {'metric':>7} {'trivial':>8} {'ratio':>6} {'fps p90':>8}")
    worst = 0
    for name in options.only:
        worst = max(worst, one(name, options.datasets / name, options.out, options.budget))
    return worst


def one(name: str, data: Path, out: Path, budget: str) -> int:
    """One job; returns its exit code."""
    command = [sys.executable, "-P", "-m", "edge", "produce", JOBS[name], "--data", str(data)]
    began = time.monotonic()
    code = subprocess.run([*command, "--out", str(out / name), "--budget", budget], check=False).returncode
    wall = time.monotonic() - began
    if code:
        print(f"{name:18} {wall:7.0f} exit {code}")
        return code
    found = json.loads((out / name / "package" / "verification.json").read_text(encoding="utf-8"))
    fps = next(1000 / t["p90_ms"] for t in found["timings"] if t["scope"] == "pipeline")
    ratio = found["metric"] / found["baseline"] if found["baseline"] else float("inf")
    row = {"dataset": name, "wall_s": wall, "overall": found["overall"], "fps_p90": fps, "metric": found["metric"]}
    with (out / "results.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({**row, "baseline": found["baseline"], "metric_name": found["metric_name"]}) + "\n")
    print(
        f"{name:18} {wall:7.0f} {found['overall']:8} {found['metric']:7.3f} {found['baseline']:8.3f} "
        f"{ratio:6.1f} {fps:8.1f}",
        flush=True,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
