"""A small made-up story out of real records; every field can be replaced."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edge.records import (
    Check,
    Choice,
    CurvePoint,
    DataSource,
    Disagreement,
    Endured,
    Exported,
    Gathered,
    Hyperparameters,
    Limits,
    Measured,
    Measurements,
    MetricTarget,
    Origin,
    Picture,
    PrecisionTrial,
    Rejection,
    Request,
    Story,
    Timing,
    Trained,
    Trial,
    Tuned,
    Verified,
)
from zoo.models import ModelCard

SETTINGS = Hyperparameters(learning_rate=0.002, weight_decay=0.05, batch_size=64, flip=False, scale_jitter=0.1)


def card(name: str = "resnet18_8xb32_in1k", side: int = 64, quality: float = 69.9) -> ModelCard:
    return ModelCard(
        name, "classification", "mmpretrain", f"configs/{name}.py", side, side, quality,
        "ImageNet-1k Top 1 Accuracy", "Apache-2.0",
    )  # fmt: skip


def timings(p90_ms: float) -> tuple[Timing, ...]:
    return (
        Timing("runtime", 400, p90_ms * 0.7, p90_ms * 0.76, p90_ms * 0.9),
        Timing("pipeline", 400, p90_ms * 0.93, p90_ms, p90_ms * 1.2),
    )


def measured(
    name: str = "resnet18_8xb32_in1k", side: int = 64, p90_ms: float | None = 6.9, verdict: str = "PASS", **changes: Any
) -> Measured:
    base = Measured(
        card=card(name, side),
        parameters=11_181_642,
        flops=149_300_000 * side * side // 4096,
        model_bytes=44_700_000,
        artefact_sha256="ab" * 32,
        timings=() if p90_ms is None else timings(p90_ms),
        verdict=verdict,
        explanation="all 400 queries within 20 ms" if verdict == "PASS" else "37 of 400 queries within 20 ms",
        stable=True,
        engine="onnxruntime",
        peak_rss_mb=180.0,
    )
    return replace(base, **changes)


def request(**changes: Any) -> Request:
    base = Request(
        text="Tell circles, squares and triangles apart, at least 50 images per second on the CPU with ONNX Runtime, "
        "accuracy of 95% or better, at most 15M parameters.",
        task="classification",
        objects=("circle", "square", "triangle"),
        engine="onnxruntime",
        device="cpu",
        specific_model=None,
        limits=Limits(min_fps=50.0, max_parameters=15e6),
        targets=(MetricTarget("accuracy", 0.95),),
        unchecked=(),
        disagreements=(),
        confidence=0.97,
        config={"model": {"task": "classification"}},
        spans={
            "data.object.0": "circles",
            "data.object.1": "squares",
            "data.object.2": "triangles",
            "model.speed": "at least 50 images per second",
            "model.parameters": "at most 15M parameters",
            "deploy.inference_engine": "ONNX Runtime",
            "deploy.gpu": "CPU",
            "model.metrics.0": "accuracy of 95% or better",
        },
    )
    return replace(base, **changes)


def measurements(*candidates: Measured, **changes: Any) -> Measurements:
    base = Measurements(
        hardware={
            "key": "0123456789abcdef", "cpu_model": "Example CPU @ 2.50GHz", "physical_cores": 1, "logical_cores": 2,
            "isa": ["avx2", "fma"], "memory_bytes": 25_216_000_000, "governor": "unavailable", "accelerators": [],
            "system": "Debian GNU/Linux 12", "kernel": "6.1.0", "machine": "x86_64",
        },
        threads=2,
        scope="pipeline",
        candidates=candidates
        or (
            measured(side=224, p90_ms=41.2, verdict="FAIL"),
            measured(),
            measured("mobilenet-v2_8xb32_in1k", 64, 3.4, parameters=2_227_715, flops=26_100_000),
            measured("shufflenet-v2-1x_16xb64_in1k", 96, None, "ERROR", explanation="the engine refused the file"),
        ),
        not_measured=("resnet50 224x224: 25.6 M parameters, the request allows 15 M",),
        networks=4,
    )  # fmt: skip
    return replace(base, **changes)


def choice(**changes: Any) -> Choice:
    base = Choice(
        chosen=measured(),
        reasons=("best published quality of those that hold every limit",),
        rejected=(
            Rejection("resnet18 224x224, onnxruntime fp32", ("FAIL: 37 of 400 queries within 20.00 ms",)),
            Rejection("shufflenet-v2-1x 96x96, onnxruntime fp32", ("ERROR: the engine refused the file",)),
        ),
        runners_up=("mobilenet-v2 64x64, onnxruntime fp32",),
    )
    return replace(base, **changes)


def verified(**changes: Any) -> Verified:
    base = Verified(
        overall="works",
        checks=(
            Check("speed", "at least 50 fps", "138 fps at p90", "met"),
            Check("parameters", "at most 15 M", "11.2 M", "met"),
            Check("accuracy", "at least 95 %", "93.3 %", "missed"),
            Check("memory of the device", "8 GB", "not measured", "unchecked"),
        ),
        metric_name="top-1 accuracy",
        metric=0.9333,
        baseline=0.3467,
        baseline_title="always the majority class",
        parity={"largest difference of a score": 3.1e-06, "same class": 1.0},
        timings=timings(7.2),
        artefact_sha256="12" * 32,
        details={
            "test images": 90,
            "placement": {"provider": "CPUExecutionProvider"},
            "warnings": [],
            "samples_ms": {"pipeline": [6.9] * 400},
        },
    )
    return replace(base, **changes)


def story(**changes: Any) -> Story:
    curve = tuple(
        CurvePoint(i, loss=1.1 * 0.985 ** (i / 4) + 0.02 * (i % 3), validation=None if i % 50 else 1 - 0.6 * 0.98 ** i)
        for i in range(5, 401, 5)
    )  # fmt: skip
    base = Story(
        request=request(),
        gathered=Gathered(
            format="imagefolder", classes=("circle", "square", "triangle"),
            matches={"circle": ("circle",), "square": ("square",), "triangle": ("triangle",)},
            counts={"train": 420, "val": 90, "test": 90}, median_width=96, median_height=96,
            skipped=("circle/broken.png: not an image",), leaks_removed=("square/copy.png",), dataset_sha256="cd" * 32,
            sources=(
                DataSource("shapes", "/data/shapes", "imagefolder", "CC0", ("circle", "square", "triangle"), 600, "ef"),
            ),
            shown={"circle": 200, "square": 210, "triangle": 10},
        ),
        measurements=measurements(),
        choice=choice(),
        tuned=Tuned(
            best=SETTINGS,
            trials=(
                Trial(0, replace(SETTINGS, learning_rate=0.0005), 60, 31.0, 0.71),
                Trial(1, SETTINGS, 60, 30.2, 0.84, "advised"),
                Trial(2, replace(SETTINGS, learning_rate=0.1), 12, 8.0, None, "the loss was not finite"),
            ),
            seconds_per_iteration=0.5,
        ),
        trained=Trained("train/best.pth", "ef" * 32, 400, 400, 400, 0.956, 205.0, "from scratch", curve),
        exported=Exported("staged", "onnxruntime", "fp32", "12" * 32, 44_736_512, 16, 12.0),
        verified=verified(),
        seconds={"understand": 2.1, "gather": 1.4, "shortlist": 0.2, "measure": 74.0, "choose": 0.0, "tune": 70.0,
                 "train": 205.0, "export": 12.0, "verify": 66.0},
        versions={"edge": "0.1.0", "torch": "2.13.0", "onnxruntime": "1.31.1"},
        pictures=(),
        budget_s=900.0,
    )  # fmt: skip
    return replace(base, **changes)


SPEEDS = {
    ("onnxruntime", "fp32"): 6.9, ("onnxruntime", "int8"): 5.1, ("openvino", "fp32"): 6.2, ("openvino", "bf16"): 3.3,
    ("ncnn", "fp32"): 11.8, ("torchscript", "fp32"): 14.6,
}  # fmt: skip


def started(origin: Origin) -> Story:
    """The same, begun with other weights."""
    base = story()
    return replace(base, tuned=replace(base.tuned, origin=origin), trained=replace(base.trained, start=origin.words))


def forms(name: str = "resnet18_8xb32_in1k", side: int = 64, slower: float = 1.0, **changes: Any) -> list[Measured]:
    """One network in six forms."""
    parity = {"largest difference": 3.1e-06, "same class": 1.0}
    known: dict[str, Any] = {"parity": parity, "updates": 900, **changes}
    return [
        measured(name, side, p90 * slower, "PASS" if p90 * slower < 18 else "FAIL",
                 engine=engine, precision=precision, **known)
        for (engine, precision), p90 in SPEEDS.items()
    ]  # fmt: skip


REFUSED = (
    "onnxruntime fp16: its CPU provider casts float16 convolutions to float32, so nothing is gained",
    "onnxruntime bf16: its CPU provider has no bfloat16 convolutions",
    *(f"tensorrt {precision}: there is no NVIDIA card" for precision in ("fp32", "fp16", "bf16", "int8")),
)
TRIALS = (
    PrecisionTrial("openvino", "bf16", 1.912, 0.9311, 0.9556, False,
                   "loses 0.0245 of the metric, at most 0.01 allowed"),
    PrecisionTrial("onnxruntime", "int8", 1.345, 0.9533, 0.9556, True,
                   "1.34 times as fast, loses 0.0023 of the metric, at most 0.01 allowed"),
)  # fmt: skip


def endured(**changes: Any) -> Endured:
    base = Endured(30.0, 20.0, 600, 2, 41.0, 4.9, 5.6, "STEADY", 0.004, (-0.002, 0.0101))
    return replace(base, **changes)


def compared(**changes: Any) -> Story:
    """Two networks in six forms each; a lower precision was kept after training."""
    own, other = forms(), forms("mobilenet-v2_8xb32_in1k", 96, 1.4, parameters=2_227_715, flops=26_100_000)
    chosen = next(item for item in own if item.engine == "openvino" and item.lossless)
    lower = tuple(item for item in own if not item.lossless)
    asked = request()
    base = story(
        request=replace(
            asked, engine=None, text=asked.text.replace(" with ONNX Runtime", ""),
            spans={field: span for field, span in asked.spans.items() if field != "deploy.inference_engine"},
        ),
        measurements=measurements(
            *own, *other, refused=REFUSED, networks=5,
            not_measured=(
                "resnet50 224x224: 25.6 M parameters, the request allows 15 M",
                "vgg11 64x64: not needed: another holds that is expected to be better",
                "resnet34 96x96: not needed: another holds that is expected to be better",
            ),
        ),
        choice=choice(
            chosen=chosen, lower=lower,
            reasons=("2 of 2 measured networks hold every hard constraint in some form",
                     "openvino fp32 6.20 ms at p90 is its fastest form that holds; slower: onnxruntime 6.90 ms"),
            rejected=tuple(Rejection(i.title, ("only 12 training updates fit into the time",)) for i in other),
            runners_up=(),
        ),
        exported=Exported("staged", "onnxruntime", "int8", "12" * 32, 11_236_512, 16, 12.0, TRIALS),
        verified=verified(endured=endured()),
    )  # fmt: skip
    return replace(base, **changes)


def picture(
    caption: str = "circle (99 %)", right: bool | None = True, colour: tuple[int, int, int] = (90, 120, 60)
) -> Picture:
    import cv2
    import numpy as np

    image = np.full((96, 96, 3), 236, np.uint8)
    cv2.circle(image, (48, 48), 30, colour, -1, cv2.LINE_AA)
    return Picture(cv2.imencode(".jpg", image)[1].tobytes(), caption, right)


def disagreement() -> Disagreement:
    return Disagreement("speed", "50 fps", "50 ms")
