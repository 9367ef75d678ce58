"""Facts about broken data sets: each is read whole, or refused with an error that names what is broken."""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from random import Random

import mutations
import pytest
import writers

from zoo.datasets import read_dataset
from zoo.datasets.check import Checked, check_images
from zoo.datasets.common import is_image
from zoo.datasets.overview import overview
from zoo.datasets.record import Dataset
from zoo.errors import ZooError

SEEDS = range(3)
TASK = {"masks": "segmentation", "imagefolder": "classification", "csv one label": "classification"}


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small valid data set in every format."""
    top = tmp_path_factory.mktemp("valid")
    made = writers.small(top / "pictures")
    return {name: write(top / name, made) for name, write in writers.ALL.items()}


@pytest.fixture(scope="module")
def whole(valid: dict[str, Path]) -> dict[str, Dataset]:
    """What they hold."""
    return {name: looked_at(root, task_of(name)).dataset for name, root in valid.items()}


def task_of(name: str) -> str:
    return TASK.get(name, "multilabel-classification" if name.startswith("csv") else "detection")


def looked_at(root: Path, task: str) -> Checked:
    """What `edge zoo check` does."""
    checked = check_images(read_dataset(root, task))
    overview(checked.dataset, checked.hashes, checked.looks)
    return checked


def images_below(root: Path) -> int:
    """Files that are called as images are, below no link and outside the masks."""
    return sum(
        is_image(Path(top) / name)
        for top, _, names in os.walk(root)
        for name in names
        if "masks" not in Path(top).relative_to(root).parts
    )


def text_of(error: ZooError) -> str:
    return "\n".join([str(error), *getattr(error, "__notes__", [])])


def names_it(text: str, broken: mutations.Broken, root: Path) -> bool:
    """Whether the broken file is named; where it cannot be known to be broken, any file, or all of them as a whole."""
    if broken.path.name in text or broken.path.stem in text:
        return True
    known = [path.name for path in root.rglob("*") if path.suffix]
    return broken.hidden and (any(name in text for name in known) or str(root) in text)


@pytest.mark.parametrize("name", writers.ALL)
def test_the_valid_sets_are_read_whole(valid: dict[str, Path], name: str) -> None:
    checked = looked_at(valid[name], task_of(name))
    assert (len(checked.dataset.samples), checked.bad) == (6, ())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("mutation", mutations.MUTATIONS)
@pytest.mark.parametrize("name", writers.ALL)
@pytest.mark.filterwarnings("ignore:::PIL")
def test_a_broken_data_set_is_read_whole_or_refused_by_name(
    valid: dict[str, Path], whole: dict[str, Dataset], tmp_path: Path, name: str, mutation: str, seed: int
) -> None:
    root = tmp_path / "set"
    shutil.copytree(valid[name], root)
    broken = mutations.MUTATIONS[mutation](root, Random(f"{name}{mutation}{seed}"))
    if broken is None:
        pytest.skip("does not fit this format")
    if name == "imagefolder" and mutation == "deleted_image":
        broken = replace(broken, hidden=True)  # no list says what was there
    try:
        checked = looked_at(root, task_of(name))
    except ZooError as error:
        assert names_it(text_of(error), broken, root), f"{broken}: {text_of(error)}"
        assert mutation not in mutations.HARMLESS, text_of(error)
        return
    dataset = checked.dataset
    lost = images_below(root) - len(dataset.samples) - len(checked.bad)
    assert lost <= 0 or any(f"{lost} image(s)" in note for note in dataset.notes), f"{broken}: {dataset.notes}"
    assert all(names_it(f"{one.path.name} {one.reason}", broken, root) for one in checked.bad), checked.bad
    told = checked.bad or any(names_it(note, broken, root) for note in dataset.notes)
    assert told or broken.hidden or content(dataset) == content(whole[name]), f"{broken}: {dataset.notes}"
    assert mutation not in mutations.HARMLESS or content(dataset) == content(whole[name])
    for sample in dataset.samples:
        assert all(0 <= label < len(dataset.classes) for label in sample.shown)
        assert sample.image.is_relative_to(root)


def content(dataset: Dataset) -> list[object]:
    return [(s.image.name, s.split, s.shown, s.boxes) for s in dataset.samples]
