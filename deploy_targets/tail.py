"""The end of a network that an engine cannot run itself, or not with fixed shapes: NMS of a detector, ArgMax of a mask.

`split` cuts it off the ONNX file; what is left, the head, has static shapes and ordinary operators. A `Tail` does in
numpy what was cut off, and answers as ONNX Runtime answers on the uncut file. Knows no engine and no task.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy_targets.base import Array, Outputs
from deploy_targets.errors import ConversionFailed

HEAD_FILE = "head.onnx"
BLOCK = 256  # candidates compared at once: a matrix of 64 K ratios stays in the second-level cache


@dataclass(frozen=True)
class Suppression:
    """Class-wise NMS over boxes (1, N, 4) x1 y1 x2 y2 and scores (1, N, C), with the numbers of the graph itself.

    Gives dets (1, n, 5), best score first, and labels (1, n). Like MMDeploy's graph it appends a row of zeros to what
    was found, so n is never 0.
    """

    score_threshold: float
    iou_threshold: float
    max_per_class: int
    pre_top_k: int | None  # boxes that take part, by their best score; None: all
    keep_top_k: int | None  # rows returned at most, the row of zeros among them; None: all

    def apply(self, boxes: Array, scores: Array) -> tuple[Array, Array]:
        import numpy as np

        best = scores[0].max(axis=-1)
        rows = np.flatnonzero(best > np.float32(self.score_threshold))
        # the order of the graph's TopK, also where scores are equal: a saturated sigmoid makes many equal ones
        rows = rows[np.argsort(-best[rows], kind="stable")][: self.pre_top_k]
        enough = scores[0][rows] > np.float32(self.score_threshold)
        labels, places = np.nonzero(enough.T)
        places = rows[places]
        values = scores[0][places, labels]
        order = np.argsort(-values, kind="stable")
        kept = order[self._greedy(boxes[0][places[order]], labels[order])]
        dets = np.concatenate([boxes[0][places[kept]], values[kept, None]], axis=1).astype(np.float32)
        dets = np.concatenate([dets, np.zeros((1, 5), np.float32)])[: self.keep_top_k]
        return dets[None], np.append(labels[kept], 0)[: self.keep_top_k].astype(np.int64)[None]

    def _greedy(self, boxes: Array, labels: Array) -> list[int]:
        """Indices that survive, boxes given best first.

        NMS of one class never looks at another, so one pass over all in the order of scores gives the same as one
        pass per class, and may end when enough are kept.
        """
        import numpy as np

        kept: list[int] = []
        taken: dict[int, int] = {}
        for start in range(0, len(boxes), BLOCK):
            block = slice(start, start + BLOCK)
            free = ~self._over(boxes[kept], labels[kept], boxes[block], labels[block]).any(axis=0)
            over = self._over(boxes[block], labels[block], boxes[block], labels[block])
            for i in np.flatnonzero(free).tolist():
                label = int(labels[start + i])
                if not free[i] or taken.get(label, 0) == self.max_per_class:
                    continue
                kept.append(start + i)
                taken[label] = taken.get(label, 0) + 1
                if len(kept) == self.keep_top_k:
                    return kept
                free &= ~over[i]
        return kept

    def _over(self, boxes: Array, labels: Array, others: Array, their_labels: Array) -> Array:
        """Whether two boxes of one class overlap too much, (boxes, others); float32 arithmetic as in ONNX Runtime."""
        import numpy as np

        low, high, area = _corners(boxes)
        their_low, their_high, their_area = _corners(others)
        sides = np.minimum(high[:, :, None], their_high[:, None]) - np.maximum(low[:, :, None], their_low[:, None])
        shared = sides[0].clip(0) * sides[1].clip(0)
        union = area[:, None] + their_area[None] - shared
        ratio = np.divide(shared, union, out=np.zeros_like(shared), where=(shared > 0) & (union > 0))
        found: Array = (ratio > np.float32(self.iou_threshold)) & (labels[:, None] == their_labels[None])
        return found


def _corners(boxes: Array) -> tuple[Array, Array, Array]:
    """Lower corner (2, n), upper corner (2, n), area (n,); the corners may come in any order."""
    import numpy as np

    low, high = np.minimum(boxes[:, :2], boxes[:, 2:]).T, np.maximum(boxes[:, :2], boxes[:, 2:]).T
    return low, high, (high[0] - low[0]) * (high[1] - low[1])


@dataclass(frozen=True)
class Largest:
    """ArgMax over one axis, the first of equal ones."""

    axis: int
    keepdims: bool

    def apply(self, values: Array) -> tuple[Array]:
        import numpy as np

        # plane by plane: numpy's argmax over an outer axis jumps through memory, 2 to 4 times slower on masks
        planes = np.moveaxis(values, self.axis, 0)
        best = planes[0].copy()
        found = np.zeros(best.shape, np.int64)
        for number, plane in enumerate(planes[1:], 1):
            np.putmask(found, plane > best, number)
            np.maximum(best, plane, out=best)
        return (np.expand_dims(found, self.axis) if self.keepdims else found,)


_STEPS: dict[str, type[Suppression] | type[Largest]] = {"nms": Suppression, "argmax": Largest}


@dataclass(frozen=True)
class Tail:
    """`step` reads some outputs of the head and gives outputs of the whole network; the others pass as they are."""

    step: Suppression | Largest
    reads: tuple[str, ...]
    gives: tuple[str, ...]
    outputs: tuple[str, ...]  # of the whole network, in its order

    def apply(self, outputs: Outputs) -> dict[str, Array]:
        """What ONNX Runtime answers on the uncut file, from what an engine answers on the head."""
        found = dict(outputs) | dict(
            zip(self.gives, self.step.apply(*(outputs[name] for name in self.reads)), strict=True)
        )
        return {name: found[name] for name in self.outputs}

    def to_json(self) -> dict[str, Any]:
        """A document for `json.dumps`."""
        kind = next(name for name, step in _STEPS.items() if isinstance(self.step, step))
        names = {"reads": list(self.reads), "gives": list(self.gives), "outputs": list(self.outputs)}
        return {"kind": kind, **dataclasses.asdict(self.step), **names}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Tail:
        """The inverse of `to_json`; KeyError or TypeError for a document that is none."""
        rest = dict(document)
        step = _STEPS[rest.pop("kind")]
        reads, gives, outputs = (tuple(rest.pop(name)) for name in ("reads", "gives", "outputs"))
        return cls(step(**rest), reads, gives, outputs)


def split(onnx: Path, folder: Path) -> tuple[Path, Tail | None]:
    """Cut a network before its NMS or ArgMax.

    Returns:
        The head in `folder` and its tail, or the file as it is and None where there is nothing to cut.

    Raises:
        ConversionFailed: it ends in an NMS of another form than MMDeploy's end-to-end detectors, or is no ONNX file.
    """
    import onnx as library
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = library.load(str(onnx))
    except (OSError, ValueError, DecodeError) as error:
        raise ConversionFailed(f"{onnx} is not an ONNX file that can be read: {error}") from error
    graph = _Graph(model.graph)
    tail = _suppression(graph) or _argmax(graph)
    if tail is None:
        return onnx, None
    passing = [name for name in tail.outputs if name not in tail.gives]
    head = folder / HEAD_FILE
    folder.mkdir(parents=True, exist_ok=True)
    head.write_bytes(_head(model, [*tail.reads, *passing]).SerializeToString())
    return head, tail


class _Graph:
    """Look-ups in an ONNX graph: who makes a tensor, who reads it, what constant it is."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.maker = {name: node for node in graph.node for name in node.output}
        self.stored = {tensor.name: tensor for tensor in graph.initializer}
        self.outputs = tuple(output.name for output in graph.output)

    def of(self, name: str, operator: str) -> Any:
        """The node that makes a tensor, if it is that operator; None otherwise."""
        node = self.maker.get(name)
        return node if node is not None and node.op_type == operator else None

    def constant(self, name: str) -> Any:
        """The value of a constant tensor as a numpy array, None for a computed one."""
        from onnx import numpy_helper

        if name in self.stored:
            return numpy_helper.to_array(self.stored[name])
        node = self.of(name, "Constant")
        return None if node is None else numpy_helper.to_array(_attribute(node, "value", None))

    def above(self, names: tuple[str, ...], *, until: str = "") -> Iterator[Any]:
        """All nodes that the tensors depend on, nearest first, not beyond the tensor `until`."""
        waiting, seen = list(names), {until}
        while waiting:
            name = waiting.pop(0)
            node = None if name in seen else self.maker.get(name)
            seen.add(name)
            if node is not None:
                yield node
                waiting.extend(node.input)


def _attribute(node: Any, name: str, default: Any) -> Any:
    from onnx import helper

    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), default)


def _head(model: Any, names: list[str]) -> Any:
    """The part of a model that makes these tensors, which become its outputs."""
    from onnx import TensorProto, helper, shape_inference

    known = shape_inference.infer_shapes(model, data_prop=True).graph
    described = {info.name: info for info in (*known.value_info, *known.output)}
    graph = _Graph(model.graph)
    needed = {node.output[0] for node in graph.above(tuple(names))}
    nodes = [node for node in model.graph.node if node.output[0] in needed]
    read = {name for node in nodes for name in node.input}
    outputs = [described.get(name) or helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names]
    cut = helper.make_graph(
        nodes,
        model.graph.name,
        list(model.graph.input),
        outputs,
        [tensor for tensor in model.graph.initializer if tensor.name in read],
    )
    return helper.make_model(cut, opset_imports=model.opset_import, ir_version=model.ir_version)


def _argmax(graph: _Graph) -> Tail | None:
    """A network one of whose outputs is an ArgMax."""
    for name in graph.outputs:
        node = graph.of(name, "ArgMax")
        if node is None or _attribute(node, "select_last_index", 0):
            continue
        step = Largest(_attribute(node, "axis", 0), bool(_attribute(node, "keepdims", 1)))
        return Tail(step, (node.input[0],), (name,), graph.outputs)
    return None


def _suppression(graph: _Graph) -> Tail | None:
    """A detector that ends in MMDeploy's multiclass NMS for ONNX Runtime; None without any NonMaxSuppression."""
    nms = next((node for node in graph.graph.node if node.op_type == "NonMaxSuppression"), None)
    if nms is None:
        return None
    types = {output.name: output.type.tensor_type.elem_type for output in graph.graph.output}
    dets, labels = ([name for name, kind in types.items() if kind == wanted] for wanted in (1, 7))  # float, int64
    turned = graph.of(nms.input[1], "Transpose")
    limits = [graph.constant(name) for name in nms.input[2:5]]
    after = list(graph.above(graph.outputs, until=nms.output[0]))
    _require(len(types) == 2 and len(dets) == 1 and len(labels) == 1, "its outputs are not dets and labels")
    _require(len(limits) == 3 and all(value is not None for value in limits), "its thresholds are not constants")
    _require(turned is not None and list(_attribute(turned, "perm", [])) == [0, 2, 1], "its scores are not transposed")
    _require(not _attribute(nms, "center_point_box", 0), "its boxes are not corners")
    _require(any(_is_row_of_zeros(graph, node) for node in after), "no row of zeros is appended")
    boxes, scores, pre_top_k = _before(graph, nms.input[0], turned.input[0])
    step = Suppression(
        score_threshold=float(limits[2].item()),
        iou_threshold=float(limits[1].item()),
        max_per_class=int(limits[0].item()),
        pre_top_k=pre_top_k,
        keep_top_k=_keep_top_k(graph, nms.output[0]),
    )
    return Tail(step, (boxes, scores), (dets[0], labels[0]), graph.outputs)


def _before(graph: _Graph, boxes: str, scores: str) -> tuple[str, str, int | None]:
    """Boxes and scores before the TopK that thins them out, and its k; as they are where there is none."""
    gathered = [graph.of(name, "Gather") for name in (boxes, scores)]
    best = None if None in gathered else graph.of(gathered[0].input[1], "TopK")
    if best is None:
        return boxes, scores, None
    count = graph.constant(best.input[1])
    squeezed = graph.of(best.input[0], "Squeeze")
    largest = None if squeezed is None else graph.of(squeezed.input[0], "ReduceMax")
    _require(count is not None, "the number of boxes before it is not constant")
    _require(gathered[0].input[1] == gathered[1].input[1], "boxes and scores are thinned out differently")
    _require(all(_attribute(node, "axis", 0) == 1 for node in gathered), "boxes are not thinned out along their axis")
    _require(largest is not None and largest.input[0] == gathered[1].input[0], "boxes are not thinned out by score")
    return gathered[0].input[0], gathered[1].input[0], int(count.item())


def _keep_top_k(graph: _Graph, selected: str) -> int | None:
    """The constant that limits the rows returned: MMDeploy takes the smaller of it and of the rows there are."""
    tops = [node for node in graph.above(graph.outputs, until=selected) if node.op_type == "TopK"]
    tops = [node for node in tops if graph.constant(node.input[1]) is None]  # that with a constant k stands before
    if not tops:
        return None
    choices = [node for node in graph.above((tops[0].input[1],), until=selected) if node.op_type == "Where"]
    limits = [graph.constant(name) for node in choices[:1] for name in node.input[1:]]
    found = [int(value.item()) for value in limits if value is not None and value.size == 1]
    _require(len(found) == 1, "the number of rows it returns is not a constant")
    return found[0]


def _is_row_of_zeros(graph: _Graph, node: Any) -> bool:
    if node.op_type != "Concat":
        return False
    last = graph.constant(node.input[-1])
    return last is not None and last.shape == (1, 1, 5) and not last.any()


def _require(holds: bool, words: str) -> None:
    if not holds:
        failed = ConversionFailed(f"the network's NonMaxSuppression cannot be cut off: {words}")
        failed.add_note("Only the end that MMDeploy's end-to-end export gives a one-stage detector is known.")
        raise failed
