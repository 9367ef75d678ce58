"""TorchScript files of a tiny network: names, precisions, order of weights, refusals."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from deploy_targets.base import BF16, FP32, Array
from deploy_targets.errors import ConversionFailed, EngineMissing, ModelUnreadable, PlacementRefused
from deploy_targets.memory import keep_freed
from deploy_targets.torchscript import TorchScript, _constants, undeprecated, write_named

SHAPE = (1, 3, 10, 14)
NAMES = ("output", "features")
ENGINE = TorchScript()

needs_bf16 = pytest.mark.skipif(BF16 not in ENGINE.status().precisions, reason="no bfloat16 instructions here")


class Tiny(torch.nn.Module):
    """Convolution, BatchNorm, ReLU, transposed convolution, mean, matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(8)
        self.larger = torch.nn.ConvTranspose2d(8, 8, 2, stride=2)
        self.matrix = torch.nn.Linear(8, 5)

    def forward(self, picture: Any) -> Any:
        features = self.larger(torch.relu(self.norm(self.convolution(picture))))
        return self.matrix(features.mean(dim=(2, 3))), features


class Overwriting(torch.nn.Module):
    def forward(self, picture: Any) -> Any:
        return picture.relu_()


def traced(module: torch.nn.Module) -> Any:
    with undeprecated():
        return torch.jit.trace(module.eval(), torch.zeros(SHAPE))


def network() -> Tiny:
    torch.manual_seed(0)
    made = Tiny()
    made(torch.randn(4, *SHAPE[1:]))  # in training mode: the norm gets statistics
    return made.eval()


def tensor(seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32)


def exported(folder: Path, module: torch.nn.Module | None = None, names: Sequence[str] = NAMES) -> Path:
    path = folder / "export.pt"
    write_named(traced(module or network()), names, SHAPE, path)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return ENGINE.convert(exported(tmp_path), tmp_path / "made")


def test_answers_are_those_of_torch_under_the_names_given(model: Path) -> None:
    session, plain = ENGINE.open(model, threads=1), network()
    for seed in range(3):
        found = session.run(tensor(seed))
        with torch.no_grad():
            expected = dict(zip(NAMES, plain(torch.from_numpy(tensor(seed))), strict=True))
        assert list(found) == list(NAMES)
        assert all(np.allclose(found[name], expected[name], atol=1e-5) for name in NAMES)


def test_weights_of_convolutions_lie_channels_last_in_the_file(model: Path) -> None:
    graph = torch.jit.load(str(model)).graph
    weights = [held for held in _constants(graph) if held.dim() == 4]
    assert len(weights) == 2
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)


def test_the_norm_is_part_of_the_convolution(model: Path) -> None:
    assert "batch_norm" not in str(torch.jit.load(str(model)).graph)


@needs_bf16
def test_bfloat16_is_smaller_and_near_and_answers_in_float32(tmp_path: Path, model: Path) -> None:
    half = ENGINE.convert(exported(tmp_path), tmp_path / "half", precision=BF16)
    found, full = (
        ENGINE.open(half, threads=1, precision=BF16).run(tensor()),
        ENGINE.open(model, threads=1).run(tensor()),
    )
    assert all(found[name].dtype == np.float32 for name in NAMES)
    assert all(np.allclose(found[name], full[name], atol=0.05) for name in NAMES)
    assert not np.array_equal(found["features"], full["features"])
    kinds = {held.dtype for held in _constants(torch.jit.load(str(half)).graph) if held.dim() == 4}
    assert kinds == {torch.bfloat16}


@needs_bf16
def test_a_file_opens_only_in_its_own_precision(tmp_path: Path) -> None:
    half = ENGINE.convert(exported(tmp_path), tmp_path / "half", precision=BF16)
    with pytest.raises(ModelUnreadable) as caught:
        ENGINE.open(half, threads=1)
    assert str(caught.value) == f"{half} was converted to bf16 and cannot run in fp32"


@needs_bf16
def test_the_arithmetic_of_bfloat16_is_proven_by_what_ran(tmp_path: Path) -> None:
    half = ENGINE.convert(exported(tmp_path), tmp_path / "half", precision=BF16)
    placement = ENGINE.open(half, threads=1, precision=BF16).placement()
    assert placement["precision"] == BF16
    assert placement["arithmetic"] == {"bf16": 3}


def test_a_file_whose_arithmetic_is_another_is_refused(tmp_path: Path) -> None:
    class Half(Tiny):
        def forward(self, picture: Any) -> Any:
            return tuple(part.float() for part in super().forward(picture.to(torch.bfloat16)))

    path = tmp_path / "model.pt"
    write_named(traced(Half().to(torch.bfloat16)), NAMES, SHAPE, path)
    with pytest.raises(PlacementRefused, match="asked for fp32, TorchScript executed of the convolutions"):
        ENGINE.open(path, threads=1).placement()


def test_a_package_of_a_precision_that_this_processor_lacks_is_refused(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reason = "this processor has no bfloat16 instructions (AVX512-BF16, AMX) that torch knows of"
    monkeypatch.setattr("deploy_targets.torchscript._precisions", lambda: ((FP32,), {BF16: reason}))
    with pytest.raises(PlacementRefused) as caught:
        ENGINE.open(model, threads=1, precision=BF16)
    assert str(caught.value) == f"TorchScript executes no bf16 here: {reason}"


@pytest.mark.parametrize("precision", ["int8", "fp4"])
def test_other_precisions_are_refused_with_the_reason(tmp_path: Path, precision: str) -> None:
    with pytest.raises(ConversionFailed) as caught:
        ENGINE.convert(exported(tmp_path), tmp_path / "made", precision=precision)
    reason = ENGINE.status().refused.get(precision, f"there is no precision {precision!r}")
    assert str(caught.value) == f"TorchScript cannot make {precision}: {reason}"


def test_status_gives_a_reason_for_every_precision_it_does_not_offer() -> None:
    status = ENGINE.status()
    assert status.available and FP32 in status.precisions
    assert {*status.precisions, *status.refused} == {"fp32", "fp16", "bf16", "int8"}


def test_a_file_without_names_is_refused(tmp_path: Path) -> None:
    nameless = tmp_path / "nameless.pt"
    with undeprecated():
        torch.jit.save(traced(network()), str(nameless))
    with pytest.raises(ConversionFailed, match="does not say how its outputs are called"):
        ENGINE.convert(nameless, tmp_path / "made")
    with pytest.raises(ModelUnreadable, match="does not say how its outputs are called"):
        ENGINE.open(nameless, threads=1)


def test_an_export_that_does_not_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "export.pt"
    write_named(traced(network()), NAMES, (1, 4, 10, 14), path)
    with pytest.raises(ConversionFailed, match="could not convert"):
        ENGINE.convert(path, tmp_path / "made")


@pytest.mark.parametrize("threads", [1, 2])
def test_placement_counts_the_operators_that_ran(model: Path, threads: int) -> None:
    placement = ENGINE.open(model, threads=threads).placement()
    assert placement.pop("nodes")["cpu"] >= 5
    assert placement.pop("arithmetic") == {"fp32": 3}
    assert placement.pop("memory") == keep_freed()
    assert placement == {
        "engine": "torchscript",
        "version": torch.__version__,
        "device": "cpu",
        "threads": threads,
        "precision": "fp32",
    }


def test_an_operator_on_another_device_is_refused(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = ENGINE.open(model, threads=1)
    monkeypatch.setattr("deploy_targets.torchscript._executed", lambda _call: ({"cpu": 4, "cuda:0": 1}, {}))
    with pytest.raises(PlacementRefused) as caught:
        session.placement()
    assert str(caught.value) == "asked for cpu, torch has tensors of the model on cuda:0"


def test_an_input_is_left_as_it_is_even_by_a_network_that_overwrites_it(tmp_path: Path) -> None:
    source = exported(tmp_path, Overwriting(), ("output",))
    session = ENGINE.open(ENGINE.convert(source, tmp_path / "made"), threads=1)
    given = tensor()
    session.run(given)
    session.bound(given)()
    assert np.array_equal(given, tensor())


def test_an_input_that_may_not_be_written_is_taken(model: Path) -> None:
    given = tensor()
    given.flags.writeable = False
    session = ENGINE.open(model, threads=1)
    assert np.array_equal(session.run(given)["output"], session.run(tensor())["output"])


def test_without_torch_opening_says_what_to_install(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(EngineMissing) as caught:
        ENGINE.open(model, threads=1)
    assert caught.value.__notes__ == ["pip install torch"]
