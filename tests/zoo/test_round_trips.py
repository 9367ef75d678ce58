"""Facts about one data set in every format: what a reader says is what the COCO reader says of the same images."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import writers

from zoo.datasets import read_dataset
from zoo.datasets.check import check_images
from zoo.datasets.masks import mask_values
from zoo.datasets.record import Box, Dataset, Sample

REAL = ("bccd", "playing_cards")


def by_name(dataset: Dataset) -> dict[str, Sample]:
    named = {sample.image.name: sample for sample in dataset.samples}
    assert len(named) == len(dataset.samples)
    return named


def assert_same_boxes(one: Sample, other: Sample, names: Dataset, other_names: Dataset, within: float) -> None:
    """The same objects in the same order, with corners no farther apart than that."""
    assert [names.classes[b.label] for b in one.boxes] == [other_names.classes[b.label] for b in other.boxes]
    ours, theirs = corners(one.boxes), corners(other.boxes)
    assert ours.shape == theirs.shape
    assert not ours.size or float(np.abs(ours - theirs).max()) <= within


def corners(boxes: tuple[Box, ...]) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    return np.array([[b.x, b.y, b.x + b.w, b.y + b.h] for b in boxes], dtype=np.float64)


@pytest.fixture(params=REAL)
def real(request: pytest.FixtureRequest, real_datasets: Path) -> Dataset:
    """A real data set of boxes as the COCO reader has it; images without a box are left out."""
    dataset = read_dataset(real_datasets / request.param, "detection")
    return replace(dataset, samples=tuple(sample for sample in dataset.samples if sample.boxes))


@pytest.mark.parametrize("name", writers.BOXES)
def test_boxes_come_back_as_they_were_from_every_format(tmp_path: Path, real: Dataset, name: str) -> None:
    write, within = writers.BOXES[name]
    again = check_images(read_dataset(write(tmp_path, real), "detection"))
    assert again.bad == ()
    assert again.dataset.format == name
    assert sorted(again.dataset.classes) == sorted(real.classes)
    assert Counter(s.split for s in again.dataset.samples) == Counter(s.split for s in real.samples)
    read, first = by_name(again.dataset), by_name(real)
    assert read.keys() == first.keys()
    for key, sample in read.items():
        assert (sample.width, sample.height, sample.split) == (first[key].width, first[key].height, first[key].split)
        assert_same_boxes(sample, first[key], again.dataset, real, within)


def test_masks_come_back_as_they_were(tmp_path: Path, real: Dataset) -> None:
    again = check_images(read_dataset(writers.masks(tmp_path, real), "segmentation"))
    assert again.bad == ()
    assert again.dataset.classes == ("background", *real.classes)
    first = by_name(real)
    assert len(first) == len(again.dataset.samples)
    for sample in again.dataset.samples:
        assert sample.mask is not None
        was = first[sample.image.name]
        assert sample.split == was.split
        assert np.array_equal(mask_values(sample.mask), writers.painted(real, was))


@pytest.mark.parametrize("write", [writers.tags, writers.one_hot], ids=["tags", "one hot"])
def test_what_an_image_shows_comes_back_from_a_table(tmp_path: Path, real: Dataset, write: writers.Writer) -> None:
    again = check_images(read_dataset(write(tmp_path, real), "multilabel-classification")).dataset
    first = by_name(real)
    assert (again.format, again.tasks) == ("csv", ("multilabel-classification",))
    assert sorted(again.classes) == sorted(real.classes)
    assert len(again.samples) == len(first)
    for sample in again.samples:
        was = first[sample.image.name]
        assert (sample.split, sample.width, sample.height) == (was.split, was.width, was.height)
        assert sorted(writers.named(sample, again)) == sorted(writers.named(was, real))


@pytest.mark.parametrize("write", [writers.one_label, writers.folders], ids=["table", "folders"])
def test_one_label_comes_back_from_a_table_and_from_folders(
    tmp_path: Path, real: Dataset, write: writers.Writer
) -> None:
    again = read_dataset(write(tmp_path, real), "classification")
    first = by_name(real)
    assert len(again.samples) == len(first)
    for sample in again.samples:
        was = first[sample.image.name]
        assert sample.label is not None
        assert (sample.split, again.classes[sample.label]) == (was.split, real.classes[was.boxes[0].label])


@pytest.mark.parametrize("name", ["sign_digits", "fashion_mnist_small"])
def test_a_table_of_a_real_folder_says_what_the_folders_say(tmp_path: Path, real_datasets: Path, name: str) -> None:
    folders = read_dataset(real_datasets / name)
    # file names repeat in the folders of the classes, and a table of ids needs them to be one each
    kept = [s for s in folders.samples if s.label is not None][::20]
    rows: list[list[object]] = [["filepath", "split", "label"]]
    for number, sample in enumerate(kept):
        assert sample.label is not None
        target = tmp_path / "pictures" / f"{number:05}{sample.image.suffix}"
        target.parent.mkdir(exist_ok=True)
        target.symlink_to(sample.image)
        rows.append([f"pictures/{target.name}", sample.split, folders.classes[sample.label]])
    writers.table(tmp_path / "all.csv", rows)
    again = read_dataset(tmp_path, "classification")
    assert [again.classes[s.label or 0] for s in again.samples] == [folders.classes[s.label or 0] for s in kept]
    assert [s.split for s in again.samples] == [s.split for s in kept]
    assert check_images(again).bad == ()
