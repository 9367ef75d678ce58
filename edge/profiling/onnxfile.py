"""Any ONNX file -> its speed on every engine here: no preprocessing, no answers, only what the engines do with it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from deploy_targets.base import Array
from deploy_targets.errors import ConversionFailed, EngineMissing
from deploy_targets.registry import backend
from edge.artefacts.variant import Offer, Variant
from edge.errors import BackendMissing, BadRequest
from edge.profiling.heat import Form
from edge.profiling.results import LEARNED_SCOPE, Circumstances, rows
from edge.profiling.row import Row, Subject
from edge.profiling.sweep import MAX_SECONDS, MIN_QUERIES, TIMES, WARMUP_CAP_S, WINDOW_QUERIES
from edge.workdir import sha256_file
from profiler.record import Profile, pooled
from profiler.session import Candidate, measure

FACTORY = "edge.profiling.onnxfile:callables"
CALIBRATION = 8
"""Random inputs for int8: its speed does not depend on the ranges, and nobody asks such a file for answers."""


def profile_file(file: Path, offer: Offer, where: Circumstances, say: Callable[[str], None]) -> list[Row]:
    """Measure a file in every variant whose engine reads ONNX.

    Raises:
        BadRequest: the file is no ONNX model, or its inputs are not one float tensor of known shape.
        BackendMissing: no engine among those offered reads ONNX.
    """
    shape = input_shape(file)
    variants = [v for v in offer.variants if backend(v.engine).source == "onnx"]
    if not variants:
        raise BackendMissing(
            f"none of {', '.join({v.engine for v in offer.variants})} reads ONNX files", "Name another --backend."
        )
    scratch = Path(tempfile.mkdtemp(prefix="edge-profile-"))
    try:
        forms = [_form(file, variant, shape, scratch / variant.slug, say) for variant in variants]
        ready = [form for form in forms if not form.failure]
        profiles = _timed(file, ready, shape, where, say) if ready else []
        by_variant = {form.variant: profile for form, profile in zip(ready, profiles, strict=True)}
        what = Subject(file.name, None, file.name, "", "", shape[-1], shape[-2])
        return rows(what, forms, [by_variant.get(form.variant) for form in forms], where)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _timed(
    file: Path, forms: Sequence[Form], shape: tuple[int, ...], where: Circumstances, say: Callable[[str], None]
) -> list[Profile]:
    """Every form as often as a sweep does it, each time in a new process; no other model runs in between."""
    found = []
    for turn in range(1, TIMES + 1):
        say(f"timing {file.name} in {len(forms)} forms, {turn} of {TIMES} times")
        found.append(
            measure(
                [_candidate(form, shape, where.threads) for form in forms],
                scope=LEARNED_SCOPE,
                threads=where.threads,
                min_queries=MIN_QUERIES,
                window_queries=WINDOW_QUERIES,
                max_seconds=MAX_SECONDS,
                warmup_cap_s=WARMUP_CAP_S,
            )
        )
    return [pooled(times) for times in zip(*found, strict=True)]


def input_shape(file: Path) -> tuple[int, ...]:
    """The shape of the model's only input; a free batch size becomes 1.

    Raises:
        BadRequest: what cannot be fed, with the reason.
    """
    import onnx

    try:
        graph = onnx.load(str(file), load_external_data=False).graph
    except Exception as error:  # protobuf and onnx raise their own, without a common base
        raise BadRequest(f"{file} is not an ONNX model: {error}", "Give a whole .onnx file.") from error
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [given for given in graph.input if given.name not in constants]
    if len(inputs) != 1:
        names = ", ".join(given.name for given in inputs) or "none"
        raise BadRequest(f"{file} has {len(inputs)} inputs ({names}); edge times models of one image", "Export it so.")
    tensor = inputs[0].type.tensor_type
    if tensor.elem_type != onnx.TensorProto.FLOAT:
        kind = onnx.TensorProto.DataType.Name(tensor.elem_type)
        raise BadRequest(f"{file} takes {kind} values; edge feeds 32-bit floats", "Export it with a float input.")
    sides = [int(side.dim_value) for side in tensor.shape.dim]
    if sides and sides[0] == 0:
        sides[0] = 1
    if len(sides) != 4 or 0 in sides or sides[0] != 1:
        named = [side.dim_param or str(side.dim_value or "?") for side in tensor.shape.dim]
        raise BadRequest(
            f"{file} takes an input of shape ({', '.join(named)}); edge times a known (1, channels, height, width)",
            "Export it with a fixed input size.",
        )
    return tuple(sides)


def _form(file: Path, variant: Variant, shape: tuple[int, ...], folder: Path, say: Callable[[str], None]) -> Form:
    import numpy

    say(f"converting {file.name} for {variant.title}")
    folder.mkdir(parents=True)
    random = numpy.random.default_rng(0)
    calibration: Sequence[Array] = [random.standard_normal(shape, numpy.float32) for _ in range(CALIBRATION)]
    engine = backend(variant.engine)
    try:
        main = engine.convert(file, folder, precision=variant.precision, calibration=calibration)
    except (ConversionFailed, EngineMissing) as error:
        return Form(variant, folder, failure=str(error))
    # the hash is that of the file that was given: it is what its owner knows it by
    return Form(variant, main, sha256_file(file), sum(part.stat().st_size for part in engine.files(main)))


def _candidate(form: Form, shape: tuple[int, ...], threads: int) -> Candidate:
    arguments: dict[str, Any] = {
        "model": str(form.folder),
        "engine": form.variant.engine,
        "precision": form.variant.precision,
        "shape": list(shape),
        "threads": threads,
    }
    return Candidate(form.variant.title, FACTORY, arguments)


def timed_input(shape: Sequence[int]) -> Array:
    """Noise, the same each time."""
    import numpy

    return numpy.random.default_rng(0).standard_normal(shape, numpy.float32)


def callables(model: str, engine: str, precision: str, shape: list[int], threads: int) -> dict[str, Any]:
    """What the profiler times, built inside its child process: a random input through execution and transfers."""
    session = backend(engine).open(Path(model), threads=threads, precision=precision)
    tensor = timed_input(shape)
    if session.input_memory is not None:
        session.input_memory[...] = tensor
        tensor = session.input_memory
    return {
        "device": session.bound(tensor),
        "runtime": lambda: session.run(tensor),
        "facts": session.placement(),
    }
