"""Edge's `runtime` latency beside the backend's own tool, on the same files, threads and minutes.

    python benchmarks/backends.py [--models 5] [--seconds 2] [--rounds 9] [--engine openvino]

OpenVINO is held against its benchmark_app, which fetches no outputs: that is edge's `device`, shown beside. It is given
edge's own input: left to itself it feeds bytes instead of floats, which is 1 to 3 % faster. ONNX
Runtime's wheel brings no onnxruntime_perf_test, so the peer is the loop that program runs: one session, one thread,
`run` again and again. Edge and peer take turns in short rounds, and the ratio is the median of those of the rounds, so
that a slow minute of the machine hits both; its range holds the middle half. The last column is what edge's loop adds.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from deploy_targets.mmdeploy import export_onnx
from deploy_targets.registry import backend
from edge.artefacts.blueprint import blueprint
from edge.profiling.onnxfile import FACTORY
from profiler.session import Candidate, Profile, measure
from zoo.models import find

MODELS = (
    "mobilenet-v2_8xb32_in1k",
    "resnet18_8xb32_in1k",
    "rtmdet_tiny_8xb32-300e_coco",
    "fast_scnn_8xb4-160k_cityscapes-512x1024",
    "rtmpose-t_8xb256-420e_coco-256x192",
)

ENGINES = ("onnxruntime", "openvino")
WITHIN = 0.03

ORT_LOOP = """
import sys, time, json, numpy, onnxruntime
path, shape, seconds = sys.argv[1], json.loads(sys.argv[2]), float(sys.argv[3])
options = onnxruntime.SessionOptions(); options.intra_op_num_threads = 1; options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
feed = {session.get_inputs()[0].name: numpy.random.default_rng(0).standard_normal(shape, numpy.float32)}
end = time.perf_counter() + 1.0
while time.perf_counter() < end: session.run(None, feed)
times, end = [], time.perf_counter() + seconds
while time.perf_counter() < end:
    start = time.perf_counter_ns(); session.run(None, feed); times.append(time.perf_counter_ns() - start)
times.sort(); print(times[len(times) // 2] / 1e6)
"""


def ours(engine: str, model: Path, shape: list[int], seconds: float) -> Profile:
    arguments = {"model": str(model), "engine": engine, "precision": "fp32", "shape": shape, "threads": 1}
    candidate = Candidate(engine, FACTORY, arguments)
    return measure([candidate], scope="runtime", threads=1, min_queries=100_000, max_seconds=seconds)[0]


def theirs(engine: str, model: Path, shape: list[int], seconds: float) -> float:
    """Median in milliseconds as the peer reports it."""
    if engine == "onnxruntime":
        command = [sys.executable, "-c", ORT_LOOP, str(model), json.dumps(shape), str(seconds)]
        return float(_answer(command))
    tool = Path(sys.executable).with_name("benchmark_app")
    options = {"-d": "CPU", "-api": "sync", "-hint": "none", "-nstreams": "1", "-nthreads": "1"}
    options |= {"-infer_precision": "f32", "-m": str(model), "-t": str(round(seconds))}
    options |= {"-ip": "f32", "-i": str(same_input(model.with_name("input.npy"), shape))}
    command = [sys.executable, str(tool), *(word for option in options.items() for word in option)]
    told = _answer(command)
    found = re.search(r"Median:\s+([0-9.]+) ms", told)
    if found is None:
        raise SystemExit(f"benchmark_app told no median:\n{told[-2000:]}")
    return float(found.group(1))


def same_input(path: Path, shape: list[int]) -> Path:
    """What `ours` is fed, as edge.profiling.onnxfile draws it."""
    np.save(path, np.random.default_rng(0).standard_normal(shape, np.float32))
    return path


def _answer(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the peer failed: {' '.join(command[:4])}\n{done.stderr[-2000:]}")
    return done.stdout


def overhead(profile: Profile) -> float:
    """Share of the windows' wall time that was not spent in the callable."""
    wall_ms = sum(window.wall_s * 1000 for window in profile.windows if window.counted and window.scope == "runtime")
    return 1 - sum(profile.samples_ms["runtime"]) / wall_ms


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=len(MODELS))
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--engine", choices=ENGINES, action="append")
    chosen = parser.parse_args()
    print(
        f"{'model':<28} {'engine':<12} {'runtime ms':>10} {'peer ms':>9} {'ratio':>7} {'middle half':>13}"
        f" {'device ms':>10} {'overhead':>9}  notes"
    )
    worst = 0.0
    with tempfile.TemporaryDirectory() as scratch:
        for name in MODELS[: chosen.models]:
            plan = blueprint(find([name])[0], None, threads=1)
            card, network = plan.card, plan.network
            shape = [1, 3, card.height, card.width]
            config, size, folder = network.export_config(), (card.width, card.height), Path(scratch) / plan.slug
            onnx = export_onnx(config, None, card.task, card.toolbox, size, network.outputs, folder)
            for engine in chosen.engine or ENGINES:
                model = backend(engine).convert(onnx, folder / engine)
                profiles, peers = [], []
                for _ in range(chosen.rounds):
                    profiles.append(ours(engine, model, shape, chosen.seconds))
                    peers.append(theirs(engine, model, shape, chosen.seconds))
                if faults := [profile.error for profile in profiles if profile.error]:
                    raise SystemExit(f"{card.title}, {engine}: {faults[0]}")
                medians = [profile.summary("runtime").median for profile in profiles]
                ratios = [one / other for one, other in zip(medians, peers, strict=True)]
                low, ratio, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
                worst = max(worst, abs(ratio - 1))
                device_ms = statistics.median(profile.summary("device").median for profile in profiles)
                extra = statistics.median(overhead(profile) for profile in profiles)
                disturbed = sum(profile.disturbed for profile in profiles)
                print(
                    f"{card.title:<28} {engine:<12} {statistics.median(medians):10.3f} {statistics.median(peers):9.3f}"
                    f" {ratio:7.3f} {low:6.3f}-{high:6.3f} {device_ms:10.3f} {extra:9.3%}"
                    f"  {f'{disturbed} rounds disturbed' if disturbed else ''}",
                    flush=True,
                )
    print(f"largest difference of the medians: {worst:.1%}")
    return 0 if worst <= WITHIN else 1


if __name__ == "__main__":
    raise SystemExit(main())
