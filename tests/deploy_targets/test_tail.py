"""The cut before NMS and ArgMax: head and tail together answer as the uncut file does, bit for bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from deploy_targets.errors import ConversionFailed
from deploy_targets.tail import Largest, Suppression, Tail, split

BOXES, CLASSES = 60, 3


class Detector:
    """The end of MMDeploy's export for one-stage detectors, node for node; boxes and scores come in one input."""

    def __init__(self, boxes: int = BOXES, classes: int = CLASSES) -> None:
        self.boxes, self.classes = boxes, classes
        self.max_per_class, self.pre_top_k, self.keep_top_k = 20, 40, 25
        self.iou, self.score = 0.5, 0.1
        self.padding = np.zeros((1, 1, 5), np.float32)
        self.perm = [0, 2, 1]

    def write(self, path: Path) -> Path:
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self._before()
        self._after()
        graph = helper.make_graph(
            self.nodes,
            "detector",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, self.boxes, 4 + self.classes])],
            [
                helper.make_tensor_value_info("dets", TensorProto.FLOAT, [1, "n", 5]),
                helper.make_tensor_value_info("labels", TensorProto.INT64, [1, "n"]),
            ],
            [numpy_helper.from_array(value, name) for name, value in self.constants.items()],
        )
        return save(graph, path)

    def _add(self, operator: str, inputs: str, outputs: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(operator, inputs.split(), outputs.split(), **attributes))

    def _constant(self, **values: Any) -> None:
        self.constants |= {name: np.asarray(value) for name, value in values.items()}

    def _before(self) -> None:
        self._constant(zero=0, one=1, two=2, axis=[2], from0=[0], from4=[4], end=[4 + self.classes], first=[0])
        self._constant(boxes_end=[4], pre=[self.pre_top_k], per_class=[self.max_per_class])
        self._constant(iou=np.float32([self.iou]), score=np.float32([self.score]))
        self._add("Slice", "input from0 boxes_end axis", "all_boxes")
        self._add("Slice", "input from4 end axis", "all_scores")
        self._add("ReduceMax", "all_scores", "best", axes=[-1], keepdims=0)
        self._add("Squeeze", "best first", "best_flat")
        self._add("TopK", "best_flat pre", "pre_values pre_places", axis=0)
        self._add("Gather", "all_boxes pre_places", "boxes", axis=1)
        self._add("Gather", "all_scores pre_places", "scores", axis=1)
        self._add("Transpose", "scores", "turned", perm=self.perm)
        self._add("NonMaxSuppression", "boxes turned per_class iou score", "selected")

    def _after(self) -> None:
        self._constant(flat=[-1], keep=self.keep_top_k, one_dim=[1], zeros=self.padding, label0=np.int64([[0]]))
        self._constant(last=[-1], batch=np.int64([[0]]))
        self._add("Gather", "selected one", "class", axis=1)
        self._add("Gather", "selected two", "place", axis=1)
        self._add("Unsqueeze", "class last", "class_column")
        self._add("Unsqueeze", "place last", "place_column")
        self._add("Concat", "class_column place_column", "pairs", axis=1)
        self._add("Squeeze", "turned first", "score_table")
        self._add("GatherND", "score_table pairs", "found_scores")
        self._add("Unsqueeze", "found_scores first", "score_row")
        self._add("Unsqueeze", "score_row axis", "score_column")
        self._add("Gather", "boxes place", "found_boxes", axis=1)
        self._add("Concat", "found_boxes score_column", "found", axis=2)
        self._add("Unsqueeze", "class first", "found_labels")
        self._add("Concat", "found zeros", "padded", axis=1)
        self._add("Concat", "found_labels label0", "padded_labels", axis=1)
        self._constant(minus=-1)
        self._add("Gather", "padded minus", "ranking", axis=2)
        self._add("Shape", "ranking", "shape")
        self._add("Gather", "shape one", "rows", axis=0)
        self._add("Less", "keep rows", "many")
        self._add("Where", "many keep rows", "count")
        self._add("Reshape", "count one_dim", "k")
        self._add("TopK", "ranking k", "top_values top", axis=1)
        self._add("Squeeze", "top first", "order")
        self._add("Gather", "padded order", "dets", axis=1)
        self._add("Gather", "padded_labels order", "labels", axis=1)


def save(graph: Any, path: Path) -> Path:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def ask(model: Path, tensor: Any) -> dict[str, Any]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {session.get_inputs()[0].name: tensor}), strict=True))


def crowd(seed: int, boxes: int = BOXES, classes: int = CLASSES) -> Any:
    """Boxes in clusters, so that most are suppressed; scores on a coarse grid, so that many are equal."""
    random = np.random.default_rng(seed)
    corner = random.integers(0, 4, (boxes, 2)) * 30 + random.normal(0, 3, (boxes, 2))
    side = random.uniform(10, 25, (boxes, 2))
    scores = random.integers(0, 12, (boxes, classes)) / 12
    return np.concatenate([corner, corner + side, scores], axis=1).astype(np.float32)[None]


def same(found: dict[str, Any], expected: dict[str, Any]) -> bool:
    return list(found) == list(expected) and all(
        found[name].dtype == expected[name].dtype and np.array_equal(found[name], expected[name]) for name in expected
    )


def halves(model: Path, tensor: Any, folder: Path) -> dict[str, Any]:
    head, tail = split(model, folder)
    assert tail is not None
    return tail.apply(ask(head, tensor))


@pytest.mark.parametrize("seed", range(8))
def test_detector_cut_before_nms_answers_as_the_uncut_one(seed: int, tmp_path: Path) -> None:
    model = Detector().write(tmp_path / "model.onnx")
    assert same(halves(model, crowd(seed), tmp_path / "cut"), ask(model, crowd(seed)))


def test_numbers_of_the_suppression_are_those_of_the_graph(tmp_path: Path) -> None:
    head, tail = split(Detector().write(tmp_path / "model.onnx"), tmp_path / "cut")
    assert tail is not None and isinstance(tail.step, Suppression)
    assert (tail.step.max_per_class, tail.step.pre_top_k, tail.step.keep_top_k) == (20, 40, 25)
    assert (tail.step.iou_threshold, tail.step.score_threshold) == pytest.approx((0.5, 0.1))
    assert tail.outputs == ("dets", "labels")
    shapes = [output.type.tensor_type.shape.dim for output in onnx.load(head).graph.output]
    assert [[dim.dim_value for dim in shape] for shape in shapes] == [[1, BOXES, 4], [1, BOXES, CLASSES]]


def test_at_most_so_many_boxes_of_a_class_are_kept(tmp_path: Path) -> None:
    detector = Detector()
    detector.max_per_class, detector.keep_top_k, detector.iou = 2, 100, 0.95
    model = detector.write(tmp_path / "model.onnx")
    found = halves(model, crowd(0), tmp_path / "cut")
    assert same(found, ask(model, crowd(0)))
    assert found["dets"].shape == (1, 2 * CLASSES + 1, 5)


def test_nothing_found_is_one_row_of_zeros(tmp_path: Path) -> None:
    model = Detector().write(tmp_path / "model.onnx")
    nothing = np.zeros((1, BOXES, 4 + CLASSES), np.float32)
    found = halves(model, nothing, tmp_path / "cut")
    assert same(found, ask(model, nothing))
    assert found["dets"].shape == (1, 1, 5) and not found["dets"].any()


def test_boxes_without_area_and_with_corners_swapped_are_treated_as_onnxruntime_does(tmp_path: Path) -> None:
    model = Detector().write(tmp_path / "model.onnx")
    tensor = crowd(1)
    tensor[0, ::3, 2:4] = tensor[0, ::3, :2]
    tensor[0, 1::3, :4] = tensor[0, 1::3][:, [2, 1, 0, 3]]
    assert same(halves(model, tensor, tmp_path / "cut"), ask(model, tensor))


def test_more_candidates_than_one_block_holds(tmp_path: Path) -> None:
    detector = Detector(900, 4)
    detector.pre_top_k, detector.keep_top_k, detector.max_per_class = 800, 200, 200
    model = detector.write(tmp_path / "model.onnx")
    tensor = crowd(2, 900, 4)
    tensor[0, :, :4] += np.repeat(np.random.default_rng(3).integers(0, 12, (900, 2)) * 100, 2, axis=0).reshape(900, 4)
    assert same(halves(model, tensor, tmp_path / "cut"), ask(model, tensor))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"padding": np.ones((1, 1, 5), np.float32)}, "no row of zeros is appended"),
        ({"perm": [0, 1, 2]}, "its scores are not transposed"),
    ],
)
def test_nms_of_another_form_is_refused(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    detector = Detector(5, 5)
    detector.pre_top_k = 5
    vars(detector).update(change)
    with pytest.raises(ConversionFailed) as caught:
        split(detector.write(tmp_path / "model.onnx"), tmp_path / "cut")
    assert str(caught.value) == f"the network's NonMaxSuppression cannot be cut off: {words}"
    assert caught.value.__notes__ == [
        "Only the end that MMDeploy's end-to-end export gives a one-stage detector is known."
    ]


@pytest.mark.parametrize("keepdims", [0, 1])
def test_segmenter_cut_before_argmax_answers_as_the_uncut_one(keepdims: int, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Relu", ["input"], ["logits"]),
        helper.make_node("ArgMax", ["logits"], ["output"], axis=1, keepdims=keepdims),
        helper.make_node("Neg", ["input"], ["other"]),
    ]
    graph = helper.make_graph(
        nodes,
        "segmenter",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 4, 6, 7])],
        [
            helper.make_tensor_value_info("other", TensorProto.FLOAT, [1, 4, 6, 7]),
            helper.make_tensor_value_info("output", TensorProto.INT64, [1, 1, 6, 7] if keepdims else [1, 6, 7]),
        ],
    )
    model = save(graph, tmp_path / "model.onnx")
    tensor = np.random.default_rng(0).integers(-2, 3, (1, 4, 6, 7)).astype(np.float32)  # ties in most pixels
    assert same(halves(model, tensor, tmp_path / "cut"), ask(model, tensor))


def test_network_without_such_an_end_stays_whole(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["input"], ["output"])],
        "whole",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 2])],
    )
    model = save(graph, tmp_path / "model.onnx")
    assert split(model, tmp_path / "cut") == (model, None)
    assert not (tmp_path / "cut").exists()


@pytest.mark.parametrize(
    "tail",
    [
        Tail(Suppression(0.1, 0.5, 100, None, 50), ("b", "s"), ("dets", "labels"), ("dets", "labels")),
        Tail(Largest(1, True), ("logits",), ("output",), ("output",)),
    ],
)
def test_tail_survives_json(tail: Tail) -> None:
    assert Tail.from_json(json.loads(json.dumps(tail.to_json()))) == tail


def test_file_that_is_not_onnx_is_refused_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model at all")
    with pytest.raises(ConversionFailed, match="is not an ONNX file that can be read"):
        split(tmp_path / "model.onnx", tmp_path / "cut")
