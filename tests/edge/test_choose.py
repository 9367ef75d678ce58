"""The choice is a pure function: best quality among those that hold, and a proof when nobody does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import Exit, Infeasible
from edge.records import Limits, Measured, Measurements, Rejection, Request, Timing
from edge.steps.choose import binding, run
from zoo.models import ModelCard

LAST_WORD = "Ask for less, or run on faster hardware. Nothing was relaxed and no package was made."


def candidate(
    name: str,
    *,
    quality: float = 70.0,
    side: int = 64,
    p90: float | None = 10.0,
    verdict: str = "PASS",
    parameters: int = 5_000_000,
    flops: int = 100_000_000,
    explanation: str = "64 of 64 queries within 20.00 ms",
    updates: int | None = None,
) -> Measured:
    card = ModelCard(name, "classification", "mmpretrain", "c.py", side, side, quality, "ImageNet Top 1", "Apache-2.0")
    timings = () if p90 is None else (Timing("pipeline", 64, p90 * 0.9, p90, p90 * 1.2),)
    return Measured(card, parameters, flops, 1, "ab", timings, verdict, explanation, True, updates=updates)


def request(**limits: float) -> Request:
    return Request(
        text="tell a from b",
        task="classification",
        objects=("a", "b"),
        engine="onnxruntime",
        device="cpu",
        specific_model=None,
        limits=Limits(**limits),
        targets=(),
        unchecked=(),
        disagreements=(),
        confidence=1.0,
        config={},
        spans={},
    )


def measured(*candidates: Measured) -> Measurements:
    return Measurements({}, 1, "pipeline", candidates, ())


def refused(*candidates: Measured, **limits: float) -> Infeasible:
    with pytest.raises(Infeasible) as caught:
        run(request(**limits), measured(*candidates))
    assert caught.value.exit_code == Exit.INFEASIBLE == 4
    return caught.value


def test_best_quoted_quality_among_the_holders_is_chosen() -> None:
    best = candidate("better", quality=72.0, p90=15.0, updates=400)
    found = run(request(min_fps=50), measured(candidate("plain", quality=71.9), best, candidate("poor", quality=60)))
    assert found.chosen is best
    assert found.runners_up == ("plain 64x64", "poor 64x64")
    assert found.rejected == ()
    assert found.reasons == (
        "3 of 3 measured networks hold every hard constraint in some form",
        "best expected (ImageNet Top 1 72.0, then the largest input) of those that get 400 training updates in the "
        "time there is; this one gets about 400",
        "measured 66.7 fps at p90, 50 fps wanted (64 of 64 queries within 20.00 ms)",
    )


def test_model_that_cannot_be_trained_in_the_time_gives_way_to_the_next_best() -> None:
    large = candidate("large", quality=80, updates=120)
    found = run(request(), measured(large, candidate("small", quality=60), candidate("medium", updates=450)))
    assert found.chosen.card.name == "medium"
    assert found.rejected == (Rejection("large 64x64", ("only 120 training updates fit into the time",)),)
    assert found.runners_up == ("small 64x64",)


def test_if_none_can_be_trained_long_enough_the_one_with_most_updates_is_taken_and_that_is_said() -> None:
    found = run(request(), measured(candidate("large", quality=80, updates=90), candidate("small", updates=200)))
    assert found.chosen.card.name == "small"
    assert found.reasons[1] == (
        "no candidate gets 400 training updates in the time there is; this one gets most, about 200 "
        "(ImageNet Top 1 70.0); more time (--budget) would allow a better one"
    )


@pytest.mark.parametrize("verdict", ["FAIL", "UNDECIDED", "ERROR", "OVER LIMIT"])
def test_better_model_that_does_not_hold_is_rejected_with_its_reason(verdict: str) -> None:
    better = candidate("better", quality=99.0, verdict=verdict, explanation="37 of 64 queries within 20.00 ms")
    found = run(request(min_fps=50), measured(better, candidate("plain")))
    assert found.chosen.card.name == "plain"
    assert found.rejected == (Rejection("better 64x64", (f"{verdict}: 37 of 64 queries within 20.00 ms",)),)
    assert found.runners_up == ()


def test_on_equal_quality_the_larger_input_wins_even_if_slower() -> None:
    found = run(request(), measured(candidate("a", side=64, p90=2.0), candidate("a", side=224, p90=18.0)))
    assert found.chosen.card.title == "a 224x224"


def test_on_equal_quality_and_input_the_faster_wins() -> None:
    found = run(request(), measured(candidate("a", p90=2.5), candidate("b", p90=2.0), candidate("c", p90=None)))
    assert found.chosen.card.name == "b"
    assert found.runners_up == ("a 64x64", "c 64x64")


def test_without_a_speed_limit_unchecked_candidates_hold_and_no_speed_is_given_as_reason() -> None:
    found = run(request(), measured(candidate("a", verdict="UNCHECKED")))
    assert [reason for reason in found.reasons if "fps" in reason] == []


def form(engine: str, precision: str, p90: float, verdict: str = "PASS", updates: int = 500) -> Measured:
    """The same network on an engine in a precision."""
    return replace(candidate("net", p90=p90, verdict=verdict, updates=updates), engine=engine, precision=precision)


def test_the_fastest_engine_in_full_precision_is_taken_and_lower_precisions_wait_for_proof() -> None:
    forms = (
        form("onnxruntime", "fp32", 9.0),
        form("openvino", "fp32", 6.0),
        form("openvino", "bf16", 3.0),
        form("openvino", "int8", 5.95),
        form("onnxruntime", "int8", 2.0, verdict="ERROR"),
    )
    found = run(request(min_fps=50), measured(*forms))
    assert found.chosen is forms[1]
    assert found.lower == (forms[2],), "1 % is not worth a lower precision, and what failed is no candidate"
    assert "openvino fp32 6.00 ms at p90 is its fastest form that holds; slower: onnxruntime 9.00 ms" in found.reasons
    assert found.reasons[-1] == (
        "faster in lower precision, to be proven on the trained network: openvino bf16 2.00 times"
    )


def test_engines_less_than_three_percent_apart_are_a_tie_that_the_first_of_the_list_wins() -> None:
    forms = (form("onnxruntime", "fp32", 6.1), form("openvino", "fp32", 6.0), form("ncnn", "fp32", 6.4))
    found = run(request(), measured(*forms))
    assert found.chosen is forms[0]
    assert (
        "a tie in speed, less than 3% apart at p90: openvino 6.00 ms, onnxruntime 6.10 ms; onnxruntime stands first; "
        "slower: ncnn 6.40 ms"
    ) in found.reasons


def test_where_only_a_lower_precision_holds_it_is_chosen_and_called_unproven() -> None:
    forms = (form("openvino", "fp32", 30.0, "FAIL"), form("openvino", "bf16", 9.0), form("openvino", "int8", 8.0))
    found = run(request(min_fps=50), measured(*forms))
    assert found.chosen is forms[2]
    assert "only a lower precision holds: int8, to be proven on the trained network" in found.reasons


@given(st.permutations([candidate(n, quality=70 + i % 2, p90=5 + i) for i, n in enumerate("abcdef")]))
def test_choice_does_not_depend_on_the_order_of_the_candidates(shuffled: list[Measured]) -> None:
    found = run(request(), measured(*shuffled))
    assert (found.chosen.card.name, found.runners_up[0]) == ("b", "d 64x64")


def test_speed_that_nobody_reaches_is_the_binding_constraint() -> None:
    error = refused(
        candidate("slow", p90=50.0, verdict="FAIL"),
        candidate("slower", p90=80.0, verdict="FAIL", parameters=11_180_000),
        candidate("slowest", p90=200.0, verdict="FAIL"),
        candidate("nearer", p90=25.0, verdict="FAIL", flops=1_234_000_000),
        candidate("broken", p90=None, verdict="ERROR", explanation="no memory"),
        min_fps=1000,
        max_parameters=1e9,
    )
    assert str(error) == "no candidate meets the request: the binding constraint is at least 1000 fps"
    assert error.__notes__ == [
        "Nearest: nearer 64x64, 40.0 fps at p90, 5.00 M parameters, 1.234 GFLOPs (FAIL).",
        "Nearest: slow 64x64, 20.0 fps at p90, 5.00 M parameters, 0.100 GFLOPs (FAIL).",
        "Nearest: slower 64x64, 12.5 fps at p90, 11.18 M parameters, 0.100 GFLOPs (FAIL).",
        LAST_WORD,
    ]


def test_parameters_that_nobody_keeps_are_the_binding_constraint() -> None:
    over = {"p90": None, "verdict": "OVER LIMIT"}
    error = refused(
        candidate("large", parameters=11_000_000, **over),
        candidate("small", parameters=2_230_000, **over),
        max_parameters=1e6,
        min_fps=10,
    )
    assert str(error) == "no candidate meets the request: the binding constraint is at most 1 M parameters"
    assert error.__notes__ == [
        "Nearest: small 64x64, 2.23 M parameters, 0.100 GFLOPs.",
        "Nearest: large 64x64, 11.00 M parameters, 0.100 GFLOPs.",
        LAST_WORD,
    ]


def test_two_limits_that_each_exclude_all_are_both_named() -> None:
    over = candidate("a", p90=None, verdict="OVER LIMIT", parameters=5_000_000, flops=2_000_000_000)
    error = refused(over, max_parameters=2.5e6, max_flops=1e9)
    assert str(error) == (
        "no candidate meets the request: the binding constraint is at most 2.5 M parameters and at most 1 GFLOPs"
    )


def test_limits_that_exclude_all_only_together_are_said_to_do_so() -> None:
    error = refused(
        candidate("fast but large", p90=None, verdict="OVER LIMIT", parameters=20_000_000),
        candidate("small but slow", p90=50.0, verdict="FAIL", parameters=1_000_000),
        candidate("broken", p90=None, verdict="ERROR"),
        max_parameters=10e6,
        min_fps=50,
    )
    assert str(error) == "no candidate meets the request: the constraints together exclude every candidate"


def test_speed_that_is_not_certain_is_not_taken_for_reached() -> None:
    error = refused(
        candidate("close", p90=19.9, verdict="UNDECIDED"), candidate("slow", p90=40.0, verdict="FAIL"), min_fps=50
    )
    assert str(error) == (
        "no candidate meets the request: no candidate's speed is certain enough (UNDECIDED at 99 % confidence)"
    )
    assert error.__notes__[0] == "Nearest: close 64x64, 50.3 fps at p90, 5.00 M parameters, 0.100 GFLOPs (UNDECIDED)."


def test_when_every_candidate_failed_each_cause_is_named_once() -> None:
    broken = {"p90": None, "verdict": "ERROR"}
    error = refused(
        candidate("a", explanation="no memory", **broken),
        candidate("b", explanation="killed", **broken),
        candidate("c", explanation="no memory", **broken),
        min_fps=50,
    )
    assert str(error) == "no candidate meets the request: every candidate failed: no memory; killed"


def test_no_candidate_at_all_is_said_as_such_and_no_limit_is_blamed() -> None:
    error = refused(max_parameters=1e6, max_flops=1e9, min_fps=5)
    assert str(error) == "no candidate meets the request: there is no candidate for this task"
    assert error.__notes__ == [LAST_WORD]


@given(
    st.lists(
        st.builds(
            candidate,
            st.sampled_from("abc"),
            p90=st.floats(1, 100),
            verdict=st.sampled_from(["FAIL", "UNDECIDED", "ERROR", "OVER LIMIT"]),
        ),
        max_size=5,
    ),
    st.floats(1, 1000),
)
def test_nothing_is_ever_relaxed(candidates: list[Any], fps: float) -> None:
    error = refused(*candidates, min_fps=fps)
    assert error.__notes__[-1] == LAST_WORD
    assert len(error.__notes__) <= 4
    assert binding(Limits(min_fps=fps), candidates) in str(error)
