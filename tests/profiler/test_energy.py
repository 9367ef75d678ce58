"""Facts about counters of energy, on a fake sysfs tree."""

from pathlib import Path

from profiler.energy import Meter, Nvml, per_query


class NoGpus:
    reason = "no GPU"

    def millijoules(self) -> dict[str, int]:
        return {}


class OneGpu:
    reason = ""

    def __init__(self) -> None:
        self.used = 5000

    def millijoules(self) -> dict[str, int]:
        return {"gpu0": self.used}


def domain(root: Path, folder: str, name: str, uj: int, wraps_at_uj: int | None = 1_000_000) -> Path:
    place = root / folder
    place.mkdir(parents=True)
    (place / "name").write_text(f"{name}\n")
    (place / "energy_uj").write_text(f"{uj}\n")
    if wraps_at_uj is not None:
        (place / "max_energy_range_uj").write_text(f"{wraps_at_uj}\n")
    return place / "energy_uj"


def test_a_package_counts_and_wraps_around(tmp_path: Path) -> None:
    counter = domain(tmp_path, "intel-rapl:0", "package-0", 900_000)
    meter = Meter(tmp_path, NoGpus())
    before = meter.read()
    counter.write_text("950000")
    assert meter.between(before, meter.read()) == {"package-0": 0.05}
    counter.write_text("100000")
    assert meter.between(before, meter.read()) == {"package-0": 0.2}


def test_parts_of_a_package_are_told_but_not_counted_twice(tmp_path: Path) -> None:
    domain(tmp_path, "intel-rapl:0", "package-0", 0)
    domain(tmp_path, "intel-rapl:0:0", "core", 0)
    domain(tmp_path, "intel-rapl:0:1", "dram", 0)
    domain(tmp_path, "intel-rapl:1", "psys", 0)
    assert set(Meter(tmp_path, NoGpus()).read()) == {"package-0", "core-0", "dram-0", "psys"}
    found = per_query([(10, {"package-0": 2.0, "core-0": 1.5, "dram-0": 0.5, "psys": 9.0})], "")
    assert found.joules_per_query == 0.25
    assert found.by_domain["psys"] == 0.9


def test_where_nothing_counts_there_is_the_reason_and_no_zero(tmp_path: Path) -> None:
    meter = Meter(tmp_path, NoGpus())
    assert meter.read() == {}
    assert meter.reason == f"no {tmp_path}/intel-rapl:*; no GPU"
    found = per_query([(32, meter.between(meter.read(), meter.read()))], meter.reason)
    assert (found.joules_per_query, found.by_domain, found.reason) == (None, {}, meter.reason)


def test_a_counter_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    domain(tmp_path, "intel-rapl:0", "package-0", 0).unlink()
    (tmp_path / "intel-rapl:0" / "energy_uj").mkdir()  # root may read what is forbidden, but no folder
    domain(tmp_path, "intel-rapl:1", "package-1", 0, wraps_at_uj=None)
    meter = Meter(tmp_path, NoGpus())
    assert meter.read() == {}
    assert "intel-rapl:0: [Errno 21] Is a directory" in meter.reason
    assert "intel-rapl:1: [Errno 2] No such file or directory" in meter.reason


def test_a_gpu_counts_beside_the_packages(tmp_path: Path) -> None:
    domain(tmp_path, "intel-rapl:0", "package-0", 0)
    gpu = OneGpu()
    meter = Meter(tmp_path, gpu)
    before = meter.read()
    gpu.used += 3000
    assert meter.between(before, meter.read()) == {"package-0": 0.0, "gpu0": 3.0}


def test_a_domain_that_one_window_lacks_is_left_out() -> None:
    found = per_query([(10, {"package-0": 1.0, "gpu0": 1.0}), (10, {"package-0": 2.0})], "")
    assert found.by_domain == {"package-0": 0.15}


def test_without_nvidias_library_there_is_no_gpu() -> None:
    absent = Nvml("libnothing-of-the-kind.so.9")
    assert absent.millijoules() == {}
    assert absent.reason == "no libnothing-of-the-kind.so.9"
