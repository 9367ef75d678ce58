"""ONNX -> ncnn's param and bin, by the program pnnx. The only file that starts it; knows what it gets wrong.

Each rewrite of the graph here answers one fault of pnnx and can go when that version of pnnx is no longer in the lock.
"""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from deploy_targets.errors import ConversionFailed, EngineMissing

LIMIT_S = 600  # a large model takes seconds; more means that pnnx hangs


def converter() -> Path:
    """pnnx's program, found without importing its package, which would load torch."""
    found = importlib.util.find_spec("pnnx")
    if found is None or found.origin is None:
        missing = EngineMissing("pnnx, which converts models for ncnn, is not installed")
        missing.add_note("pip install --no-deps pnnx")
        raise missing
    return Path(found.origin).with_name("pnnx.exe" if sys.platform == "win32" else "pnnx")


def prepared(head: Path) -> Any:
    """The ONNX model as pnnx gets it right, every shape of input and outputs known."""
    import onnx

    model = _inferred(onnx.load(str(head)))
    if _open_shapes(model.graph):
        model = _inferred(_folded(model))
    if names := _open_shapes(model.graph):
        raise _refused(f"ncnn needs fixed shapes, that of {names[0]!r} is open", "Take another engine or model.")
    _sums_as_means(model.graph)
    _products_with_bias(model.graph)
    if len(model.graph.input) != 1:
        count = len(model.graph.input)
        raise _refused(f"the network has {count} inputs, one image is what can be given", "Export it with one input.")
    return model


def _inferred(model: Any) -> Any:
    import onnx

    try:
        return onnx.shape_inference.infer_shapes(model, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        raise _refused(f"the shapes inside the ONNX file contradict each other: {error}", "Export it again.") from error


def _open_shapes(graph: Any) -> list[str]:
    """Inputs and outputs whose shapes are not known to the last number."""
    return [value.name for value in (*graph.input, *graph.output) if not dims(value) or 0 in dims(value)]


def _folded(model: Any) -> Any:
    """With the arithmetic on shapes computed, such as the paddings of EfficientNet, which depend on the input's size.

    Only where nothing else helps: of a graph with all its constants folded pnnx no longer recognises some patterns.
    """
    try:
        from onnxscript import ir, optimizer
    except ImportError as error:
        missing = EngineMissing("onnxscript, which folds constants for ncnn, is not installed")
        missing.add_note("pip install onnxscript")
        raise missing from error
    try:
        made = ir.from_proto(model)
        # without the flag it leaves constants of a computed size alone, because they may be large
        optimizer.fold_constants(made, onnx_shape_inference=True, should_fold=_fills_a_shape)
        optimizer.remove_unused_nodes(made)
        return ir.to_proto(made)
    except Exception as error:  # onnxscript raises RuntimeError, onnx and numpy their own, without a common base
        raise _refused(f"its arithmetic on shapes could not be folded: {error}", "Take another engine.") from error


def _fills_a_shape(node: Any) -> bool | None:
    return True if node.op_type == "ConstantOfShape" else None


def _sums_as_means(graph: Any) -> None:
    """ReduceSum over one axis as ReduceMean times its length.

    pnnx 20261020 writes `-23303=0`, an empty list, for the one axis that stands in an input of ReduceSum; ncnn then
    leaves the tensor as it is. Axes in an attribute, as ReduceMean has them up to opset 17, are written rightly.
    """
    from onnx import helper, numpy_helper

    shapes = {value.name: dims(value) for value in (*graph.value_info, *graph.input, *graph.output)}
    stored = _stored(graph)
    for place, node in reversed(list(enumerate(graph.node))):
        if node.op_type != "ReduceSum" or len(node.input) < 2 or node.input[1] not in stored:
            continue
        axes = numpy_helper.to_array(stored[node.input[1]]).reshape(-1).tolist()
        shape = shapes.get(node.input[0], ())
        if len(axes) != 1 or not shape or not shape[axes[0]]:
            continue
        keep = next((a.i for a in node.attribute if a.name == "keepdims"), 1)
        mean, length, out = f"{node.output[0]}_mean", f"{node.output[0]}_length", node.output[0]
        graph.initializer.append(helper.make_tensor(length, 1, [], [float(shape[axes[0]])]))
        graph.node.remove(node)
        graph.node.insert(place, helper.make_node("ReduceMean", [node.input[0]], [mean], axes=axes, keepdims=keep))
        graph.node.insert(place + 1, helper.make_node("Mul", [mean, length], [out]))


def _products_with_bias(graph: Any) -> None:
    """A product of two matrices, the second constant, as Gemm with a bias of zeros.

    Without a bias pnnx 20261020 takes it for a product of two activations and drops the Flatten before it, so that
    ncnn multiplies a column where a row was meant. With one it becomes an InnerProduct.
    """
    import numpy as np
    from onnx import helper, numpy_helper

    shapes = {value.name: dims(value) for value in (*graph.value_info, *graph.input)}
    stored = _stored(graph)
    for place, node in list(enumerate(graph.node)):
        plain = node.op_type == "MatMul" or (node.op_type == "Gemm" and not (node.input[2:] and node.input[2]))
        if not plain or node.input[1] not in stored:
            continue
        weights = list(stored[node.input[1]].dims)
        if len(weights) != 2 or len(shapes.get(node.input[0], ())) != 2:
            continue
        settings = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        bias = f"{node.output[0]}_no_bias"
        length = weights[0] if settings.get("transB", 0) else weights[1]
        graph.initializer.append(numpy_helper.from_array(np.zeros(length, np.float32), bias))
        graph.node.remove(node)
        graph.node.insert(place, helper.make_node("Gemm", [*node.input[:2], bias], list(node.output), **settings))


def _stored(graph: Any) -> dict[str, Any]:
    """The constant tensors of a graph, wherever they are kept."""
    made = (node for node in graph.node if node.op_type == "Constant" and node.attribute[0].name == "value")
    return {tensor.name: tensor for tensor in graph.initializer} | {n.output[0]: n.attribute[0].t for n in made}


def dims(value: Any) -> tuple[int, ...]:
    return tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)


def convert(program: Path, network: Any, scratch: Path, log: Path) -> Path:
    """Write the network and have it converted; everything that pnnx strews about stays in the scratch folder."""
    (scratch / "pnnx.onnx").write_bytes(network.SerializeToString())
    shape = ",".join(str(length) for length in dims(network.graph.input[0]))
    # fp16=0: pnnx would round every weight to fp16 otherwise, also for fp32
    command = [str(program), "pnnx.onnx", f"inputshape=[{shape}]", "fp16=0"]
    command += ["ncnnparam=model.param", "ncnnbin=model.bin"]
    with log.open("w", encoding="utf-8") as words:
        try:
            done = subprocess.run(command, cwd=scratch, stdout=words, stderr=words, timeout=LIMIT_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _failed(f"pnnx did not run to its end: {error}", log) from error
    made = scratch / "model.param"
    if done.returncode != 0 or not made.is_file() or not made.with_suffix(".bin").is_file():
        raise _failed(f"pnnx could not convert the model ({ended(done.returncode)})", log)
    return made


def _failed(words: str, log: Path) -> ConversionFailed:
    said = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return _refused(words, f"Its last words: {' / '.join(said[-3:]) or 'none'}. All of them are in {log}.")


def _refused(words: str, note: str) -> ConversionFailed:
    refused = ConversionFailed(words)
    refused.add_note(note)
    return refused


def ended(code: int) -> str:
    return f"stopped by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
