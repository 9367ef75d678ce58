"""Edge's `runtime` latency beside the backend's own tool, on the same files, threads and minutes.

    python benchmarks/backends.py [--models 5] [--seconds 2] [--rounds 9] [--engine openvino]

OpenVINO is held against its benchmark_app, given edge's own input: left to itself it feeds bytes instead of floats,
which is 1 to 3 % faster. It tells two things. The median of its latencies is taken inside the library, without the
input's way in, the outputs' way out and the call itself, of which the last alone is 0.1 ms in Python; edge's `device`,
shown beside, is nearest to it. What a turn of its loop takes, its duration over its count, has the call in it: that is
what a program waits for, and what the mean of edge's `runtime` is held against. Means feel every interruption, so they
are told beside the medians and not in their place.

ONNX Runtime's wheel brings no onnxruntime_perf_test, so the peer is the loop that program runs: one session, one
thread, `run` again and again. Edge and peer take turns in short rounds, and each ratio is the median of those of the
rounds, so that a slow minute of the machine hits both; its range holds the middle half. The last column is what edge's
loop adds.
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
from typing import NamedTuple

import numpy as np

from deploy_targets.mmdeploy import export_onnx
from deploy_targets.registry import backend
from edge.artefacts.blueprint import blueprint
from edge.profiling.onnxfile import FACTORY, timed_input
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
times.sort(); print(times[len(times) // 2] / 1e6, sum(times) / len(times) / 1e6)
"""


class Peer(NamedTuple):
    """What the peer says of itself, in milliseconds: its median, and what a turn of its loop takes."""

    median: float
    turn: float


def ours(engine: str, model: Path, shape: list[int], seconds: float) -> Profile:
    arguments = {"model": str(model), "engine": engine, "precision": "fp32", "shape": shape, "threads": 1}
    candidate = Candidate(engine, FACTORY, arguments)
    return measure([candidate], scope="runtime", threads=1, min_queries=100_000, max_seconds=seconds)[0]


def theirs(engine: str, model: Path, shape: list[int], seconds: float) -> Peer:
    if engine == "onnxruntime":
        command = [sys.executable, "-c", ORT_LOOP, str(model), json.dumps(shape), str(seconds)]
        return Peer(*map(float, _answer(command).split()))
    tool = Path(sys.executable).with_name("benchmark_app")
    options = {"-d": "CPU", "-api": "sync", "-hint": "none", "-nstreams": "1", "-nthreads": "1"}
    options |= {"-infer_precision": "f32", "-m": str(model), "-t": str(round(seconds))}
    options |= {"-ip": "f32", "-i": str(model.with_name("input.npy"))}
    np.save(options["-i"], timed_input(shape))
    command = [sys.executable, str(tool), *(word for option in options.items() for word in option)]
    told = _answer(command)
    words = (r"Median:\s+([0-9.]+) ms", r"Duration:\s+([0-9.]+) ms", r"Count:\s+([0-9]+) iterations")
    found = [float(number[1]) for word in words if (number := re.search(word, told))]
    if len(found) < len(words):
        raise SystemExit(f"benchmark_app told no median, duration or count:\n{told[-2000:]}")
    median, duration, count = found
    return Peer(median, duration / count)


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
        f" {'of turns':>8} {'device ms':>10} {'overhead':>9}  notes"
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
                ratios = [one / peer.median for one, peer in zip(medians, peers, strict=True)]
                means = [profile.summary("runtime").mean for profile in profiles]
                turns = statistics.median(one / peer.turn for one, peer in zip(means, peers, strict=True))
                low, ratio, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
                worst = max(worst, abs(ratio - 1))
                device_ms = statistics.median(profile.summary("device").median for profile in profiles)
                extra = statistics.median(overhead(profile) for profile in profiles)
                disturbed = sum(profile.disturbed for profile in profiles)
                print(
                    f"{card.title:<28} {engine:<12} {statistics.median(medians):10.3f} "
                    f"{statistics.median(peer.median for peer in peers):9.3f}"
                    f" {ratio:7.3f} {low:6.3f}-{high:6.3f} {turns:8.3f} {device_ms:10.3f} {extra:9.3%}"
                    f"  {f'{disturbed} rounds disturbed' if disturbed else ''}",
                    flush=True,
                )
    print(f"largest difference of the medians: {worst:.1%}")
    return 0 if worst <= WITHIN else 1


if __name__ == "__main__":
    raise SystemExit(main())
