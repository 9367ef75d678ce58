"""Text -> Request: the language model and the second reader of llm_gguf, and what edge can do about what they read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import llm_gguf
from deploy_targets.registry import backend
from edge.errors import BackendMissing, BadRequest
from edge.records import Disagreement, Limits, MetricTarget, Request
from zoo.tasks import TASKS

# What the verifier can compute, by task: the spellings of a request -> the metric it is held against.
CHECKABLE = {
    "classification": {"accuracy", "top-1 accuracy", "top1 accuracy", "acc"},
    "detection": {"ap50", "map50", "map@50", "map@0.5"},
    "segmentation": {"miou", "iou", "mean iou"},
    "keypoint": {"pck", "pck@0.1"},
}


def read(text: str, llm: Path | None) -> Request:
    """Read a request, whether edge can serve it or not. Raises the errors of llm_gguf."""
    understood = llm_gguf.understand(text, model=llm)
    config = understood.config
    engine, device = config.deploy.inference_engine, config.deploy.gpu
    targets = tuple(MetricTarget(m.name, m.value) for m in config.model.metrics)
    return Request(
        text=text,
        task=config.model.task,
        objects=tuple(config.data.object),
        engine=None if engine == "none" else engine,
        device="cpu" if device == "none" else device,
        specific_model=None if config.model.specific_model == "none" else config.model.specific_model,
        limits=Limits(
            min_fps=llm_gguf.speed_fps(config),
            max_parameters=llm_gguf.parameters_count(config),
            max_flops=llm_gguf.flops_count(config),
        ),
        targets=targets,
        unchecked=_unchecked(config.model.task, targets, config),
        disagreements=tuple(
            Disagreement(d.field, str(d.model_reading), str(d.reader_reading)) for d in understood.disagreements
        ),
        confidence=understood.confidence,
        config=config.model_dump(mode="json"),
        spans={field: span.text for field, span in understood.spans.items()},
        forced=understood.forced_tokens,
    )


def run(text: str, llm: Path | None, accept: bool) -> Request:
    """Read a request that edge is to serve.

    Raises:
        BadRequest: no request for a vision model, a task edge does not build, or two readings that differ and
            `accept` is not given.
        BackendMissing: the engine or device asked for is not here.
    """
    request = read(text, llm)
    if request.task not in TASKS:
        raise BadRequest(
            f"the request asks for {request.task}, which edge cannot make yet", f"It makes: {', '.join(TASKS)}."
        )
    if not request.objects:
        raise BadRequest("the request names nothing to look for", "Say what the model shall tell apart or find.")
    if request.disagreements and not accept:
        raise BadRequest(
            "the request can be read in two ways: "
            + "; ".join(f"{d.field}: {d.model_reading} or {d.reader_reading}" for d in request.disagreements),
            "Word it more plainly, or take the stated reading with --accept.",
        )
    _refuse_foreign_device(request.device)
    if request.engine is not None:
        _refuse_absent_engine(request.engine)
    return request


def _refuse_absent_engine(name: str) -> None:
    status = backend(name).status()
    if not status.available:
        raise BackendMissing(
            f"the request is for {name}, which cannot run on this machine: {status.hint}",
            "Install it, or leave the engine out: edge then takes the fastest that is there.",
        )


def _refuse_foreign_device(device: str) -> None:
    if device != "cpu":
        raise BackendMissing(
            f"the request is for {device}, and this version of edge measures and packs for the CPU only",
            "Leave the device out of the request, or ask for the CPU.",
        )


def _unchecked(task: str, targets: tuple[MetricTarget, ...], config: Any) -> tuple[str, ...]:
    wishes = [f"{t.name} of {t.value:g}" for t in targets if t.name.casefold() not in CHECKABLE.get(task, ())]
    if config.data.specific_dataset != "none":
        wishes.append(f"data set {config.data.specific_dataset}: the data given is used")
    return tuple(wishes)
