"""What stays float in int8, what proves a precision, and what is refused before any work."""

from __future__ import annotations

import pytest

from deploy_targets.base import BF16, FP32, INT8, Status
from deploy_targets.errors import ConversionFailed, PlacementRefused
from deploy_targets.quantization import behind_the_last, proven, require_convertible

# input -> conv1 -> relu -> conv2 -> scale -> nms -> out, and relu is an output as well
ABOVE = {"conv1": [], "relu": ["conv1"], "conv2": ["relu"], "scale": ["conv2"], "nms": ["scale"], "out": ["nms"]}
STATUS = Status(True, "1.0", ("CPU",), precisions=(FP32, INT8), refused={BF16: "no such instructions"})


def behind(*ends: str) -> set[str]:
    return set(behind_the_last(ends, ABOVE.__getitem__, lambda name: name.startswith("conv")))


def test_only_what_follows_the_last_convolution_stays_float() -> None:
    assert behind("out") == {"out", "nms", "scale"}
    assert behind("out", "relu") == {"out", "nms", "scale", "relu"}
    assert behind("conv2") == set()


def test_most_frequent_arithmetic_counts_below_fp32() -> None:
    assert proven("engine", INT8, {INT8: 50, FP32: 3}) == INT8
    assert proven("engine", FP32, {FP32: 53}) == FP32


@pytest.mark.parametrize("asked", [FP32, BF16])
def test_arithmetic_other_than_asked_for_is_refused_with_the_counts(asked: str) -> None:
    with pytest.raises(PlacementRefused) as caught:
        proven("engine", asked, {INT8: 1, FP32: 52})
    words = "engine executed of the convolutions and matrix products 52 in fp32, 1 in int8"
    assert str(caught.value) == f"asked for {asked}, {words}"
    assert caught.value.__notes__


def test_without_convolutions_nothing_is_proven() -> None:
    with pytest.raises(PlacementRefused, match="products none"):
        proven("engine", FP32, {})


def test_reason_of_the_engine_is_given_for_a_precision_it_refuses() -> None:
    with pytest.raises(ConversionFailed) as caught:
        require_convertible("engine", BF16, STATUS, ())
    assert str(caught.value) == "engine makes no bf16 model here: no such instructions"
    assert caught.value.__notes__ == ["Ask for another precision or engine."]


def test_int8_without_inputs_is_refused_and_with_them_allowed() -> None:
    with pytest.raises(ConversionFailed, match="none were given"):
        require_convertible("engine", INT8, STATUS, ())
    require_convertible("engine", INT8, STATUS, [object()])
    require_convertible("engine", FP32, STATUS, ())
