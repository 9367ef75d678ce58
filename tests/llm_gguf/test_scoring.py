"""Readings scored against gold: what counts as the same, what as invented, and the shares."""

import copy
from typing import Any

import pytest

from llm_gguf import scoring

GOLD: dict[str, Any] = {
    "data": {"scenario": "x", "object": ["cars", "guide dogs"], "modality": "rgb", "specific_dataset": "COCO"},
    "model": {
        "task": "detection",
        "specific_model": "YOLOX-s",
        "speed": {"value": 30, "unit": "fps"},
        "flops": {"value": 0, "unit": "none"},
        "parameters": {"value": 0.5, "unit": "M"},
        "metrics": [{"name": "mAP", "value": 0.5}],
    },
    "deploy": {"gpu": "none", "inference_engine": "none"},
}


def changed(**fields: Any) -> dict[str, Any]:
    config = copy.deepcopy(GOLD)
    for path, value in fields.items():
        section, key = path.split("__")
        config[section][key] = value
    return config


def wrong(**fields: Any) -> tuple[str, ...]:
    return scoring.judge("a", GOLD, changed(**fields)).wrong


def test_the_gold_itself_is_right_by_both_rules() -> None:
    done = scoring.judge("a", GOLD, copy.deepcopy(GOLD))
    assert (done.wrong, done.literally_right, done.invented, done.dataset_right) == ((), True, (), True)


@pytest.mark.parametrize(
    "same",
    [
        {"model__speed": {"value": 33.33, "unit": "ms"}},
        {"model__speed": {"value": 1 / 30, "unit": "s"}},
        {"model__parameters": {"value": 500, "unit": "K"}},
        {"model__specific_model": "yolox S"},
        {"data__object": ["the Guide  dogs", "Cars"]},
        {"model__metrics": [{"name": "map", "value": 0.5}]},
    ],
)
def test_another_way_of_writing_the_same_is_right_but_not_literally(same: dict[str, Any]) -> None:
    done = scoring.judge("a", GOLD, changed(**same))
    assert done.wrong == ()
    assert not done.literally_right


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"model__task": "segmentation"}, "task"),
        ({"model__speed": {"value": 29, "unit": "fps"}}, "speed"),
        ({"model__speed": {"value": 0, "unit": "none"}}, "speed"),
        ({"model__parameters": {"value": 0.5, "unit": "B"}}, "parameters"),
        ({"model__specific_model": "YOLOX"}, "specific_model"),
        ({"data__object": ["cars"]}, "object"),
        ({"data__object": ["cars", "dogs"]}, "object"),
        ({"data__object": ["cars", "cars", "guide dogs"]}, "object"),
        ({"model__metrics": []}, "metrics"),
        ({"model__metrics": [{"name": "AP50", "value": 0.5}]}, "metrics"),
        ({"deploy__gpu": "gpu"}, "gpu"),
    ],
)
def test_what_differs_is_wrong_by_its_key(fields: dict[str, Any], key: str) -> None:
    assert wrong(**fields) == (key,)


def test_only_what_the_gold_does_not_state_is_invented() -> None:
    read = changed(
        deploy__gpu="gpu", model__flops={"value": 3, "unit": "GFLOPs"}, model__speed={"value": 1, "unit": "fps"}
    )
    assert set(scoring.judge("a", GOLD, read).invented) == {"gpu", "flops"}


def test_a_refusal_has_every_key_wrong_and_nothing_invented() -> None:
    done = scoring.judge("a", GOLD, None, "no request")
    assert (done.wrong, done.invented, done.refusal) == (scoring.KEYS, (), "no request")


def test_shares_over_several_requests() -> None:
    outcomes = [
        scoring.judge("a", GOLD, GOLD),
        scoring.judge("b", GOLD, changed(deploy__gpu="gpu", model__speed={"value": 9, "unit": "fps"})),
        scoring.judge("c", GOLD, None),
    ]
    done = scoring.total(outcomes)
    assert done.requests == 3
    assert done.request_level == pytest.approx(1 / 3)
    assert done.key_level == pytest.approx((9 + 7 + 0) / 27)
    assert done.invented == pytest.approx(1 / 3)
    assert done.keys["speed"] == pytest.approx(1 / 3)
    assert done.tasks == {"detection": (1, 3)}


def test_nothing_has_no_score() -> None:
    with pytest.raises(ValueError, match="no request"):
        scoring.total([])
