"""Tiny networks that every engine is held against: one that classifies, one with ArgMax, one with MMDeploy's NMS."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy_targets.base import BF16, FP16, FP32, INT8

SHAPE = (1, 3, 12, 20)

# By how much an answer may differ, as a share of the largest value in it: a few of their smallest steps, over a sum of
# up to 48 products. bf16 keeps 8 bits of a number, fp16 11; int8 has 256 steps over the whole range.
TOLERANCE = {FP32: 1e-5, FP16: 5e-3, BF16: 3e-2, INT8: 6e-2}


class Network:
    """A tiny network three times: as an ONNX file, as a torch module, and as the reference's answer to an input."""

    outputs: tuple[str, ...]
    opset = 13

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: dict[str, Any] = {}
        self.random = np.random.default_rng(0)
        self.answers: dict[int, dict[str, Any]] = {}

    def kernel(self, *shape: int) -> Any:
        """Weights that keep values about as large as they were."""
        return (self.random.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    def body(self) -> None:
        """Two convolutions with ReLU, "input" -> "features" (1, 6, 12, 20)."""
        self.weights |= {"kernel1": self.kernel(6, 3, 3, 3), "kernel2": self.kernel(6, 6, 3, 3)}
        self.add("Conv", "input kernel1", "conv1", pads=[1, 1, 1, 1])
        self.add("Relu", "conv1", "relu1")
        self.add("Conv", "relu1 kernel2", "conv2", pads=[1, 1, 1, 1])
        self.add("Relu", "conv2", "features")

    def features(self, image: Any) -> Any:
        import torch

        relu = torch.conv2d(image, self.torch("kernel1"), padding=1).relu()
        return torch.conv2d(relu, self.torch("kernel2"), padding=1).relu()

    def torch(self, name: str) -> Any:
        import torch

        return torch.from_numpy(self.weights[name])

    def add(self, operator: str, inputs: str, outputs: str, **attributes: Any) -> None:
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs.split(), outputs.split(), **attributes))

    def result(self, name: str, shape: list[Any], integer: bool = False) -> Any:
        from onnx import TensorProto, helper

        return helper.make_tensor_value_info(name, TensorProto.INT64 if integer else TensorProto.FLOAT, shape)

    def results(self) -> list[Any]:
        raise NotImplementedError

    def forward(self, image: Any) -> Any:
        """The same in torch."""
        raise NotImplementedError

    @property
    def model(self) -> Any:
        from onnx import helper, numpy_helper

        given = [self.result("input", list(SHAPE))]
        weights = [numpy_helper.from_array(np.asarray(value), name) for name, value in self.weights.items()]
        graph = helper.make_graph(self.nodes, "tiny", given, self.results(), weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)

    def write(self, source: str, folder: Path) -> Path:
        path = folder / ("source.onnx" if source == "onnx" else "source.pt")
        if source == "onnx":
            path.write_bytes(self.model.SerializeToString())
        else:
            self._trace(path)
        return path

    def _trace(self, path: Path) -> None:
        import torch

        from deploy_targets.torchscript import undeprecated, write_named

        class Module(torch.nn.Module):
            def __init__(self, network: Network) -> None:
                super().__init__()
                self.run = network.forward

            def forward(self, image: Any) -> Any:
                return self.run(image)

        with undeprecated(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tracer's remarks
            traced = torch.jit.trace(Module(self).eval(), torch.zeros(SHAPE), check_trace=False)
            write_named(traced, self.outputs, SHAPE, path)

    def tensor(self, seed: int = 1) -> Any:
        """An input; like a picture's values, those of all of them lie between the same two numbers."""
        return np.random.default_rng(seed).uniform(-2, 2, size=SHAPE).astype(np.float32)

    def answer(self, seed: int = 1) -> dict[str, Any]:
        """What the reference gives for that input."""
        from onnx.reference import ReferenceEvaluator

        if seed not in self.answers:
            found = ReferenceEvaluator(self.model).run(None, {"input": self.tensor(seed)})
            self.answers[seed] = dict(zip(self.outputs, found, strict=True))
        return self.answers[seed]

    def agree(self, found: Any, seed: int, precision: str = FP32) -> bool:
        """Whether an answer is that of the reference, in kind exactly, in value within the precision's tolerance."""
        expected = self.answer(seed)
        kinds = [(name, value.dtype, value.ndim) for name, value in expected.items()]
        same = [(name, value.dtype, value.ndim) for name, value in found.items()] == kinds
        return same and self.near(found, expected, precision)

    def near(self, found: Any, expected: dict[str, Any], precision: str) -> bool:
        return all(
            np.allclose(found[name], value, rtol=0, atol=TOLERANCE[precision] * np.abs(value).max())
            for name, value in expected.items()
        )


class Classifier(Network):
    """Convolutions, mean, matrix."""

    outputs = ("output",)

    def __init__(self) -> None:
        super().__init__()
        self.body()
        self.weights["matrix"] = self.kernel(6, 5)
        self.add("GlobalAveragePool", "features", "pooled")
        self.add("Flatten", "pooled", "flat")
        self.add("Gemm", "flat matrix", "output")

    def results(self) -> list[Any]:
        return [self.result("output", [1, 5])]

    def forward(self, image: Any) -> Any:
        return self.features(image).mean(dim=(2, 3)) @ self.torch("matrix")


class Segmenter(Network):
    """Scores of four classes, resized, then the number of the best per pixel."""

    outputs = ("output",)

    def __init__(self) -> None:
        super().__init__()
        self.body()
        self.weights |= {"kernel": self.kernel(4, 6, 1, 1), "scales": np.float32([1, 1, 2, 2])}
        self.add("Conv", "features kernel", "conv")
        self.add("Resize", "conv  scales", "scores", mode="linear")
        self.nodes[-1].input[:] = ["conv", "", "scales"]
        self.add("ArgMax", "scores", "output", axis=1, keepdims=1)

    def results(self) -> list[Any]:
        return [self.result("output", [1, 1, 24, 40], integer=True)]

    def forward(self, image: Any) -> Any:
        import torch

        scores = torch.conv2d(self.features(image), self.torch("kernel"))
        return torch.nn.functional.interpolate(scores, scale_factor=2, mode="bilinear").argmax(dim=1, keepdim=True)

    def near(self, found: Any, expected: dict[str, Any], precision: str) -> bool:
        same = found["output"] == expected["output"]
        return bool(np.mean(same) >= 1 - (0.001 if precision == FP32 else TOLERANCE[precision]))


class Detector(Network):
    """Two boxes in each of 15 cells, nearly the same, and the end of MMDeploy's export: TopK, NMS, a row of zeros."""

    outputs = ("dets", "labels")
    score, iou, per_class, first, most = 0.3, 0.5, 20, 28, 40

    def __init__(self) -> None:
        super().__init__()
        self.body()
        middle = np.float32([(x, y) for y in range(2, 12, 4) for x in range(2, 20, 4)]).repeat(2, axis=0)
        middle += np.tile(np.float32([[0], [0.4]]), (15, 1))
        self.weights |= {"both": self.kernel(12, 6, 4, 4), "at8": np.int64([8]), "at12": np.int64([12])}
        self.weights["both"][8:] *= 3  # scores on either side of the threshold
        self.weights |= {"priors": np.concatenate([middle - 3, middle + 3], axis=1)[None], "third": np.float32(0.3)}
        self.weights |= {"of4": np.int64([1, -1, 4]), "of2": np.int64([1, -1, 2]), "first": np.int64([self.first])}
        self.weights |= {"limit": np.int64([self.per_class]), "over": np.float32([self.iou])}
        self.weights |= {"least": np.float32([self.score]), "most": np.int64(self.most), "n0": np.int64([0])}
        self.weights |= {"zero": np.int64(0), "one": np.int64(1), "two": np.int64(2), "n1": np.int64([1])}
        self.weights |= {"n2": np.int64([2]), "last": np.int64([-1]), "label0": np.int64([[0]])}
        self.weights |= {"zeros": np.zeros((1, 1, 5), np.float32)}
        self._decode()
        self._suppress()

    def _decode(self) -> None:
        self.add("Conv", "features both", "raw", strides=[4, 4])
        self.add("Slice", "raw n0 at8 n1", "raw_boxes")
        self.add("Slice", "raw at8 at12 n1", "raw_scores")
        for kind, size in (("boxes", "of4"), ("scores", "of2")):
            self.add("Transpose", f"raw_{kind}", f"{kind}_last", perm=[0, 2, 3, 1])
            self.add("Reshape", f"{kind}_last {size}", f"{kind}_rows")
            self.add("Sigmoid", f"{kind}_rows", "all_scores" if kind == "scores" else "offsets")
        self.add("Mul", "offsets third", "moves")
        self.add("Add", "moves priors", "all_boxes")

    def _suppress(self) -> None:
        self.add("ReduceMax", "all_scores", "best", axes=[-1], keepdims=0)
        self.add("Squeeze", "best n0", "best_flat")
        self.add("TopK", "best_flat first", "values places", axis=0)
        self.add("Gather", "all_boxes places", "boxes", axis=1)
        self.add("Gather", "all_scores places", "scores", axis=1)
        self.add("Transpose", "scores", "turned", perm=[0, 2, 1])
        self.add("NonMaxSuppression", "boxes turned limit over least", "selected")
        self.add("Gather", "selected one", "class", axis=1)
        self.add("Gather", "selected two", "place", axis=1)
        self.add("Unsqueeze", "class last", "class_column")
        self.add("Unsqueeze", "place last", "place_column")
        self.add("Concat", "class_column place_column", "pairs", axis=1)
        self.add("Squeeze", "turned n0", "table")
        self.add("GatherND", "table pairs", "found_scores")
        self.add("Unsqueeze", "found_scores n0", "score_row")
        self.add("Unsqueeze", "score_row n2", "score_column")
        self.add("Gather", "boxes place", "found_boxes", axis=1)
        self.add("Concat", "found_boxes score_column", "found", axis=2)
        self.add("Unsqueeze", "class n0", "label_row")
        self.add("Concat", "found zeros", "padded", axis=1)
        self.add("Concat", "label_row label0", "padded_labels", axis=1)
        self.add("Gather", "padded last", "score_plane", axis=2)
        self.add("Squeeze", "score_plane n2", "flat_scores")
        self.add("Shape", "flat_scores", "sides")
        self.add("Gather", "sides one", "count", axis=0)
        self.add("Less", "most count", "many")
        self.add("Where", "many most count", "kept")
        self.add("Reshape", "kept n1", "kept_row")
        self.add("TopK", "flat_scores kept_row", "sorted order", axis=1)
        self.add("Squeeze", "order n0", "order_flat")
        self.add("Gather", "padded order_flat", "dets", axis=1)
        self.add("Gather", "padded_labels order_flat", "labels", axis=1)

    def results(self) -> list[Any]:
        return [self.result("dets", [1, "n", 5]), self.result("labels", [1, "n"], integer=True)]

    def forward(self, image: Any) -> Any:
        import torch

        from deploy_targets.mmdeploy import suppression

        raw = torch.conv2d(self.features(image), self.torch("both"), stride=4)
        boxes = raw[:, :8].permute(0, 2, 3, 1).reshape(1, -1, 4).sigmoid() * 0.3 + self.torch("priors")
        scores = raw[:, 8:].permute(0, 2, 3, 1).reshape(1, -1, 2).sigmoid()
        return suppression()(boxes, scores, self.score, self.iou, self.per_class, self.first, self.most)

    def near(self, found: Any, expected: dict[str, Any], precision: str) -> bool:
        if precision == FP32:
            return np.array_equal(found["labels"], expected["labels"]) and super().near(found, expected, precision)
        return self._contains(found, expected, precision) and self._contains(expected, found, precision)

    def _contains(self, these: Any, those: Any, precision: str) -> bool:
        """Whether each of those boxes that is clearly above the threshold is among these, or its near twin is."""
        near = TOLERANCE[precision]
        return all(
            any(
                label == other and abs(box[4] - row[4]) < near and np.abs(box[:4] - row[:4]).max() < 0.7 + near
                for row, other in zip(these["dets"][0], these["labels"][0], strict=True)
            )
            for box, label in zip(those["dets"][0], those["labels"][0], strict=True)
            if box[4] > self.score + near
        )


@pytest.fixture(scope="session")
def networks() -> Mapping[str, Network]:
    return {"classifier": Classifier(), "segmenter": Segmenter(), "detector": Detector()}
