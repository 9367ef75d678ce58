"""Oxford's 102 flowers as they are published: images in jpg/, classes and parts in MATLAB files. Knows no other set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.datasets.card import cards, classes_of
from zoo.datasets.common import is_there, published
from zoo.datasets.record import Dataset, Sample
from zoo.errors import AnnotationError, listed

NAME = "flowers102"
TASKS = ("classification",)
LOOKED_FOR = "imagelabels.mat and setid.mat beside jpg/image_00001.jpg, as Oxford's 102 flowers have them"
PARTS = {"trnid": "train", "valid": "val", "tstid": "test"}


def looks_like(root: Path) -> bool:
    """Whether both files are there, and the folder."""
    return is_there(root / "imagelabels.mat") and is_there(root / "setid.mat") and (root / "jpg").is_dir()


def read(root: Path, task: str | None = None) -> Dataset:
    """Every image of the three parts; classes and images are counted from 1."""
    labels = _numbers(root / "imagelabels.mat", "labels")
    classes = classes_of(cards()[NAME])
    beyond = sorted({label for label in labels if not 1 <= label <= len(classes)})
    if beyond:
        raise AnnotationError.because(
            f"{root / 'imagelabels.mat'} holds {listed(beyond)}, and there are {len(classes)} classes.",
            "Fetch it again.",
        )
    found = [(number, split) for key, split in PARTS.items() for number in _numbers(root / "setid.mat", key)]
    paths = {number: root / "jpg" / f"image_{number:05}.jpg" for number, _ in found}
    gone = [path.name for number, path in paths.items() if number > len(labels) or not is_there(path)]
    if gone:
        raise AnnotationError.because(
            f"In {root / 'jpg'} {len(gone)} image(s) are not there: {listed(gone)}.", "Unpack 102flowers.tgz again."
        )
    used = sorted({labels[number - 1] - 1 for number, _ in found})
    samples = [
        Sample(paths[number], None, None, split, label=used.index(labels[number - 1] - 1))
        for number, split in sorted(found)
    ]
    return Dataset(NAME, TASKS, root, tuple(classes[number] for number in used), published(samples))


def _numbers(path: Path, key: str) -> Sequence[int]:
    from scipy.io import loadmat

    try:
        document: dict[str, Any] = loadmat(str(path))
        return [int(number) for number in document[key].ravel()]
    except (OSError, ValueError, TypeError, KeyError, NotImplementedError) as error:
        raise AnnotationError.because(f"{path} cannot be read: {error!r}.", "Fetch it again.") from error
