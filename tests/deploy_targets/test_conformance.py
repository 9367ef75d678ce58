"""What every inference engine must do, over the registry's table: a new row is tested without a new test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy_targets.base import Backend, Session, Status
from deploy_targets.errors import DeployError, EngineUnknown, ModelUnreadable
from deploy_targets.registry import BACKENDS, DEFAULT, PLANNED, backend

SHAPE = (1, 3, 12, 20)


class Tiny:
    """Convolution, ReLU, mean, matrix: once as an ONNX file and once in numpy."""

    def __init__(self) -> None:
        generator = np.random.default_rng(0)
        self.kernel = generator.normal(size=(4, 3, 3, 3)).astype(np.float32)
        self.matrix = generator.normal(size=(4, 5)).astype(np.float32)

    def write(self, path: Path) -> None:
        from onnx import TensorProto, helper, numpy_helper

        nodes = [
            helper.make_node("Conv", ["input", "kernel"], ["conv"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["conv"], ["relu"]),
            helper.make_node("GlobalAveragePool", ["relu"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["features"]),
            helper.make_node("Gemm", ["features", "matrix"], ["output"]),
        ]
        graph = helper.make_graph(
            nodes,
            "tiny",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, list(SHAPE))],
            [
                helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 5]),
                helper.make_tensor_value_info("relu", TensorProto.FLOAT, [1, 4, *SHAPE[2:]]),
            ],
            [numpy_helper.from_array(self.kernel, "kernel"), numpy_helper.from_array(self.matrix, "matrix")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        path.write_bytes(model.SerializeToString())

    def answer(self, tensor: Any) -> dict[str, Any]:
        padded = np.pad(tensor[0], ((0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
        relu = np.maximum(np.einsum("chwij,ocij->ohw", windows, self.kernel), 0)
        return {"output": (relu.mean(axis=(1, 2)) @ self.matrix)[None], "relu": relu[None]}


def tensor(seed: int = 1) -> Any:
    return np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32)


@pytest.fixture(params=list(BACKENDS))
def engine(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Each engine of the table that can run here."""
    made = backend(request.param)
    status = made.status()
    if not status.available:
        pytest.skip(f"{request.param} cannot run here: {status.hint}")
    yield made


@pytest.fixture
def model(engine: Backend, tmp_path: Path) -> Path:
    """The tiny model in the engine's own form, in a folder whose name is not plain ASCII."""
    folder = tmp_path / "Modelle für 犬"
    folder.mkdir()
    Tiny().write(folder / "model.onnx")
    return engine.convert(folder / "model.onnx", folder)


@pytest.fixture
def session(engine: Backend, model: Path) -> Session:
    return engine.open(model, threads=1)


def close(found: Any, expected: dict[str, Any]) -> bool:
    return set(found) == set(expected) and all(np.allclose(found[n], expected[n], atol=1e-4) for n in expected)


@pytest.mark.parametrize("name", list(BACKENDS))
def test_every_row_leads_to_a_backend_of_that_name(name: str) -> None:
    made = backend(name)
    assert made.name == name
    assert BACKENDS[name].install.strip()


@pytest.mark.parametrize("name", list(BACKENDS))
def test_status_is_an_answer_and_never_an_error(name: str) -> None:
    status = backend(name).status()
    assert isinstance(status, Status)
    assert (status.version and status.devices) if status.available else status.hint


@pytest.mark.parametrize("name", list(BACKENDS))
def test_status_without_the_runtime_is_an_answer_that_says_what_to_install(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = backend(name)
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    status = made.status()
    assert (status.available, status.version, status.devices) == (False, "", ())
    assert status.hint == BACKENDS[name].install


def test_answers_are_those_of_numpy(session: Session) -> None:
    for seed in range(3):
        assert close(session.run(tensor(seed)), Tiny().answer(tensor(seed)))


def test_same_input_gives_the_same_bits(session: Session) -> None:
    first, second = session.run(tensor()), session.run(tensor())
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_two_sessions_of_one_file_agree_bit_for_bit(engine: Backend, model: Path) -> None:
    first, second = (engine.open(model, threads=1).run(tensor()) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_an_answer_is_not_overwritten_by_the_next(session: Session) -> None:
    first = session.run(tensor(1))
    session.run(tensor(2))
    assert close(first, Tiny().answer(tensor(1)))


def test_input_is_left_as_it_is(session: Session) -> None:
    given, before = tensor(), tensor()
    session.run(given)
    session.bound(given)()
    assert np.array_equal(given, before)


def test_bound_call_runs_again_and_again_and_disturbs_no_other(session: Session) -> None:
    one, other = session.bound(tensor(1)), session.bound(tensor(2))
    for _ in range(3):
        one()
        other()
    assert close(session.run(tensor(3)), Tiny().answer(tensor(3)))


def test_bound_call_outlives_the_array_it_was_given(session: Session) -> None:
    given = tensor()
    call = session.bound(given)
    del given
    call()


@pytest.mark.parametrize("threads", [1, 2])
def test_placement_states_engine_device_threads_and_version(engine: Backend, model: Path, threads: int) -> None:
    placement = engine.open(model, threads=threads).placement()
    assert placement["engine"] == engine.name
    assert placement["threads"] == threads
    assert placement["device"] in engine.status().devices
    assert placement["version"] == engine.status().version


def test_more_threads_give_the_same_answer(engine: Backend, model: Path) -> None:
    assert close(engine.open(model, threads=2).run(tensor()), Tiny().answer(tensor()))


@pytest.mark.parametrize("damage", ["empty", "truncated", "noise", "missing", "folder"])
def test_file_that_is_no_model_is_refused_with_its_path(engine: Backend, model: Path, damage: str) -> None:
    whole = model.read_bytes()
    model.unlink()
    if damage == "folder":
        model.mkdir()
    elif damage != "missing":
        model.write_bytes({"empty": b"", "truncated": whole[: len(whole) // 2], "noise": bytes(range(256))}[damage])
    with pytest.raises(ModelUnreadable) as caught:
        engine.open(model, threads=1)
    assert str(caught.value).startswith(f"{model} is not a model ")
    assert caught.value.__notes__ == ["The file may be cut short or of another format; make the package again."]


def test_name_nobody_knows_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(EngineUnknown) as caught:
        backend("coreml")
    assert str(caught.value) == "there is no backend 'coreml'"
    assert caught.value.__notes__ == [f"Ask for one of: {', '.join(BACKENDS)}."]
    assert isinstance(caught.value, DeployError)


@pytest.mark.parametrize("name", PLANNED)
def test_planned_engine_is_refused_honestly(name: str) -> None:
    with pytest.raises(EngineUnknown) as caught:
        backend(name)
    assert str(caught.value) == f"the backend {name} is not part of this version of edge"
    assert caught.value.__notes__ == [f"Ask for one of: {', '.join(BACKENDS)}."]


def test_default_is_a_row_and_no_engine_is_both_there_and_planned() -> None:
    assert DEFAULT in BACKENDS
    assert not set(BACKENDS) & set(PLANNED)
