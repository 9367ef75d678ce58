"""Facts about a data set of many images: what looking at it costs. The whole size is benchmarks/large_dataset.py."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).parents[2] / "benchmarks" / "large_dataset.py"


@pytest.fixture(scope="module")
def large() -> ModuleType:
    spec = importlib.util.spec_from_file_location(FILE.stem, FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_time_and_memory_for_an_image_and_a_box_are_bound(tmp_path: Path, large: ModuleType) -> None:
    few, many = 500, 5000
    peaks = {}
    for images in (few, many):
        large.write(tmp_path / str(images), images)
        cost, told = large.checked(tmp_path / str(images), 2)
        peaks[images] = cost.peak_mib
        boxes = sum(one["objects"] for one in told["classes"])
        assert (sum(told["parts"].values()), boxes, told["bad"]) == (images, images * large.BOXES, [])
    # 100,000 images may take 90 s; a start, a slow machine and its neighbours get ten times the share of 5,000
    assert cost.seconds < 10 + 10 * 90 * many / 100_000
    # two GiB for 100,000 images with ten boxes each are 2 KiB a box
    assert (peaks[many] - peaks[few]) * 1024 / ((many - few) * large.BOXES) < 2
