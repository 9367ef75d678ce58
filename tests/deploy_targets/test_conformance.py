"""What every inference engine must do, over the registry's table: a new row is tested without a new test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy_targets.base import FP32, INT8, PRECISIONS, Backend, Session, Status
from deploy_targets.errors import (
    ConversionFailed,
    DeployError,
    EngineMissing,
    EngineUnknown,
    ModelUnreadable,
    PlacementRefused,
)
from deploy_targets.registry import BACKENDS, DEFAULT, backend

NOTE = "The file may be cut short or of another format; make the package again."
NETWORKS = ("classifier", "segmenter", "detector")  # of conftest.py


def runnable(name: str, precision: str = FP32) -> Backend:
    """The engine, or a skipped test with the reason why it cannot run here in that precision."""
    made = backend(name)
    status = made.status()
    if not status.available:
        pytest.skip(f"{name} cannot run here: {status.hint}")
    if precision not in status.precisions:
        pytest.skip(f"{name} refuses {precision} here: {status.refused[precision]}")
    return made


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory, networks: Any) -> Any:
    """(engine, precision, network) -> main file, each made once, in a folder whose name is not plain ASCII."""
    base = tmp_path_factory.mktemp("Modelle für 犬")

    @cache
    def make(name: str, precision: str, network: str) -> Path:
        engine = runnable(name, precision)
        folder = base / f"{name} {precision} {network}"
        folder.mkdir()
        source = networks[network].write(engine.source, folder)
        shown = [networks[network].tensor(seed) for seed in range(10, 18)] if precision == INT8 else []
        return engine.convert(source, folder, precision=precision, calibration=shown)

    return make


@pytest.fixture(params=list(BACKENDS))
def engine(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Each engine of the table that can run here."""
    yield runnable(request.param)


@pytest.fixture
def model(engine: Backend, converted: Any, tmp_path: Path) -> Path:
    """The tiny classifier in fp32, a copy that a test may damage."""
    files = engine.files(converted(engine.name, FP32, "classifier"))
    copies = [Path(shutil.copy(file, tmp_path / file.name)) for file in files]
    return copies[0]


@pytest.fixture
def classifier(networks: Any) -> Any:
    return networks["classifier"]


@pytest.fixture
def session(engine: Backend, model: Path) -> Session:
    return engine.open(model, threads=1)


@pytest.mark.parametrize("name", list(BACKENDS))
def test_every_row_leads_to_a_backend_of_that_name(name: str) -> None:
    made = backend(name)
    assert made.name == name
    assert made.source in ("onnx", "torchscript")
    assert BACKENDS[name].install.strip()


@pytest.mark.parametrize("name", list(BACKENDS))
def test_status_is_an_answer_and_never_an_error(name: str) -> None:
    status = backend(name).status()
    assert isinstance(status, Status)
    if not status.available:
        assert status.hint
        return
    assert status.version and status.devices
    assert FP32 in status.precisions
    assert sorted([*status.precisions, *status.refused]) == sorted(PRECISIONS)
    assert all(reason.strip() for reason in status.refused.values())


@pytest.mark.parametrize("name", list(BACKENDS))
def test_status_without_the_runtime_is_an_answer_that_says_what_to_install(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = backend(name)
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    status = made.status()
    assert (status.available, status.version, status.devices) == (False, "", ())
    assert status.hint == BACKENDS[name].install


@pytest.mark.parametrize("name", list(BACKENDS))
def test_engine_that_is_not_installed_neither_converts_nor_opens(name: str, tmp_path: Path, classifier: Any) -> None:
    made = backend(name)
    if made.status().available:
        pytest.skip(f"{name} is installed")
    source = classifier.write("onnx", tmp_path)
    with pytest.raises(EngineMissing):
        made.convert(source, tmp_path)
    with pytest.raises(EngineMissing):
        made.open(source, threads=1)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", list(BACKENDS))
def test_answers_are_those_of_the_reference(
    name: str, precision: str, network: str, converted: Any, networks: Any
) -> None:
    session = backend(name).open(converted(name, precision, network), threads=1, precision=precision)
    for seed in range(3):
        assert networks[network].agree(session.run(networks[network].tensor(seed)), seed, precision)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", list(BACKENDS))
def test_placement_proves_engine_device_threads_and_precision(
    name: str, precision: str, threads: int, converted: Any
) -> None:
    made = runnable(name, precision)
    placement = made.open(converted(name, precision, "classifier"), threads=threads, precision=precision).placement()
    assert placement["engine"] == name
    assert placement["threads"] == threads
    assert placement["device"] in made.status().devices
    assert placement["version"] == made.status().version
    assert placement["precision"] == precision
    assert set(placement["nodes"]) == {placement["device"]}
    assert sum(placement["nodes"].values()) > 0


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", list(BACKENDS))
def test_all_files_of_a_model_exist_main_file_first(name: str, precision: str, converted: Any) -> None:
    main = converted(name, precision, "detector")
    files = backend(name).files(main)
    assert files[0] == main
    assert len(set(files)) == len(files)
    assert all(file.is_file() and file.parent == main.parent for file in files)


def test_same_input_gives_the_same_bits(session: Session, classifier: Any) -> None:
    first, second = session.run(classifier.tensor()), session.run(classifier.tensor())
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_two_sessions_of_one_file_agree_bit_for_bit(engine: Backend, model: Path, classifier: Any) -> None:
    first, second = (engine.open(model, threads=1).run(classifier.tensor()) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_an_answer_is_not_overwritten_by_the_next(session: Session, classifier: Any) -> None:
    first = session.run(classifier.tensor(1))
    session.run(classifier.tensor(2))
    assert classifier.agree(first, 1)


def test_an_answer_outlives_its_session(engine: Backend, model: Path, classifier: Any) -> None:
    found = engine.open(model, threads=1).run(classifier.tensor(1))
    engine.open(model, threads=1).run(classifier.tensor(2))
    assert classifier.agree(found, 1)


def test_input_is_left_as_it_is(session: Session, classifier: Any) -> None:
    given, before = classifier.tensor(), classifier.tensor()
    session.run(given)
    session.bound(given)()
    assert np.array_equal(given, before)


def test_bound_call_runs_again_and_again_and_disturbs_no_other(session: Session, classifier: Any) -> None:
    one, other = session.bound(classifier.tensor(1)), session.bound(classifier.tensor(2))
    for _ in range(3):
        one()
        other()
    assert classifier.agree(session.run(classifier.tensor(3)), 3)


def test_bound_call_outlives_the_array_it_was_given(session: Session, classifier: Any) -> None:
    given = classifier.tensor()
    call = session.bound(given)
    del given
    call()


def test_placement_disturbs_no_answer(session: Session, classifier: Any) -> None:
    session.placement()
    assert classifier.agree(session.run(classifier.tensor()), 1)


def test_more_threads_give_the_same_answer(engine: Backend, model: Path, classifier: Any) -> None:
    assert classifier.agree(engine.open(model, threads=2).run(classifier.tensor()), 1)


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
    assert caught.value.__notes__ == [NOTE]


@pytest.mark.parametrize("damage", ["missing", "empty", "truncated"])
def test_model_with_a_damaged_second_file_is_refused(engine: Backend, model: Path, damage: str) -> None:
    others = engine.files(model)[1:]
    if not others:
        pytest.skip(f"a model of {engine.name} is one file")
    for other in others:
        whole = other.read_bytes()
        other.unlink()
        if damage != "missing":
            other.write_bytes(whole[: len(whole) // 2] if damage == "truncated" else b"")
        with pytest.raises(ModelUnreadable) as caught:
            engine.open(model, threads=1)
        assert caught.value.__notes__ == [NOTE]
        other.write_bytes(whole)


def test_source_that_is_no_model_is_not_converted(engine: Backend, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(range(256)))
    with pytest.raises((ConversionFailed, ModelUnreadable)):
        engine.open(engine.convert(source, tmp_path / "made"), threads=1)


def test_precision_nobody_knows_is_neither_made_nor_opened(
    engine: Backend, model: Path, tmp_path: Path, classifier: Any
) -> None:
    source = classifier.write(engine.source, tmp_path)
    with pytest.raises(ConversionFailed):
        engine.convert(source, tmp_path, precision="fp4")
    with pytest.raises((PlacementRefused, ModelUnreadable)):
        engine.open(model, threads=1, precision="fp4")


@pytest.mark.parametrize("precision", PRECISIONS)
def test_refused_precision_is_not_made(engine: Backend, precision: str, tmp_path: Path, classifier: Any) -> None:
    if precision in engine.status().precisions:
        pytest.skip(f"{engine.name} offers {precision} here")
    with pytest.raises(ConversionFailed):
        engine.convert(
            classifier.write(engine.source, tmp_path), tmp_path, precision=precision, calibration=[classifier.tensor()]
        )


def test_int8_without_calibration_is_not_made(engine: Backend, tmp_path: Path, classifier: Any) -> None:
    source = classifier.write(engine.source, tmp_path)
    with pytest.raises(ConversionFailed):
        engine.convert(source, tmp_path, precision=INT8)


def test_name_nobody_knows_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(EngineUnknown) as caught:
        backend("coreml")
    assert str(caught.value) == "there is no backend 'coreml'"
    assert caught.value.__notes__ == [f"Ask for one of: {', '.join(BACKENDS)}."]
    assert isinstance(caught.value, DeployError)


def test_default_is_a_row() -> None:
    assert DEFAULT in BACKENDS
