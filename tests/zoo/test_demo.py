"""Facts about the demonstration data."""

from collections import Counter
from pathlib import Path

import pytest

from zoo.datasets import read_dataset
from zoo.datasets.check import check_images
from zoo.demo import CLASSES, write_digits
from zoo.errors import DemoError


def test_the_digits_are_a_readable_data_set_and_the_same_each_time(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    dataset = read_dataset(write_digits(tmp_path / "one", limit=50))
    assert dataset.classes == CLASSES
    assert set(Counter(sample.label for sample in dataset.samples).values()) == {5}
    assert check_images(dataset).bad == ()
    write_digits(tmp_path / "two", limit=50)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["one", "two"]
    for path in (tmp_path / "one").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()


def test_an_existing_folder_and_too_few_digits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="exists already"):
        write_digits(tmp_path)
    with pytest.raises(DemoError, match=r"5 image\(s\) cannot show 10 digits"):
        write_digits(tmp_path / "new", limit=5)
    assert list(tmp_path.iterdir()) == []
