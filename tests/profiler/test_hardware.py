"""Facts about the fingerprint of a machine."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from profiler import hardware
from profiler.hardware import Hardware, fingerprint


def test_the_fingerprint_is_the_same_twice_and_survives_json() -> None:
    here = fingerprint()
    assert fingerprint().key == here.key
    assert Hardware.from_json(json.loads(json.dumps(here.to_json()))) == here


def test_the_key_ignores_the_governor_and_sees_the_cores() -> None:
    here = fingerprint()
    assert replace(here, governor="powersave").key == here.key
    assert replace(here, logical_cores=here.logical_cores + 1).key != here.key


def test_what_the_system_does_not_tell_is_unavailable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(hardware, "CPUINFO", tmp_path / "none")
    monkeypatch.setattr(hardware, "GOVERNOR", tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path))
    here = fingerprint()
    assert (here.cpu_model, here.governor, here.isa, here.accelerators) == ("unavailable", "unavailable", (), ())


def test_an_arm_cpu_reports_neon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nFeatures\t: fp asimd crc32 asimddp\nModel\t\t: Raspberry Pi 5\n")
    monkeypatch.setattr(hardware, "CPUINFO", cpuinfo)
    here = fingerprint()
    assert here.isa == ("neon", "dotprod")
    assert here.cpu_model == "Raspberry Pi 5"


def test_a_gpu_is_read_from_nvidia_smi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text('#!/bin/sh\necho "NVIDIA H200, 143771, 570.1"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (gpu,) = fingerprint().accelerators
    assert (gpu.name, gpu.memory_bytes, gpu.driver) == ("NVIDIA H200", 143771 * 2**20, "570.1")


def test_the_power_mode_is_not_in_the_key_and_neither_is_what_only_describes() -> None:
    here = fingerprint()
    assert replace(here, power_mode="nvpmodel 15W", caches={"L2": 1}, virtualised=None).key == here.key


def test_a_document_from_before_the_power_mode_is_still_read() -> None:
    document = fingerprint().to_json()
    for name in ("power_mode", "caches", "virtualised"):
        del document[name]
    assert Hardware.from_json(document).power_mode == "unavailable"


def test_a_jetson_names_its_power_mode(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "nvpmodel"
    program.write_text('#!/bin/sh\nprintf "NV Power Mode: MAXN\\n0\\n"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert fingerprint().power_mode == "nvpmodel MAXN"


def test_firmware_and_cpu_tell_their_preference(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "profile").write_text("balanced\n")
    (tmp_path / "epp").write_text("balance_power\n")
    monkeypatch.setattr(hardware, "PLATFORM", tmp_path / "profile")
    monkeypatch.setattr(hardware, "PREFERENCE", tmp_path / "epp")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert fingerprint().power_mode == "platform_profile balanced, energy_performance_preference balance_power"
    monkeypatch.setattr(hardware, "PLATFORM", tmp_path / "none")
    monkeypatch.setattr(hardware, "PREFERENCE", tmp_path / "none")
    assert fingerprint().power_mode == "unavailable"


def test_caches_are_told_in_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for index, (level, kind, size) in enumerate(
        [("1", "Data", "48K"), ("1", "Instruction", "32K"), ("2", "Unified", "2M"), ("3", "Unified", "unknown")]
    ):
        folder = tmp_path / f"index{index}"
        folder.mkdir()
        for name, value in {"level": level, "type": kind, "size": size}.items():
            (folder / name).write_text(f"{value}\n")
    monkeypatch.setattr(hardware, "CACHES", tmp_path)
    assert fingerprint().caches == {"L1d": 48 * 1024, "L2": 2 * 2**20}


@pytest.mark.parametrize(
    ("line", "virtual"), [("flags\t: fpu hypervisor", True), ("flags\t: fpu", False), ("Features\t: asimd", None)]
)
def test_a_guest_knows_that_it_is_one(
    line: str, virtual: bool | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cpuinfo").write_text(f"{line}\n")
    monkeypatch.setattr(hardware, "CPUINFO", tmp_path / "cpuinfo")
    assert fingerprint().virtualised is virtual
