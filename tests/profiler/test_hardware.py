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
