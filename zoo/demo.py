"""Writes a small real data set that needs no download. Knows no format reader and no training."""

import os
import shutil
import tempfile
from pathlib import Path

from zoo.errors import DemoError

CLASSES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SIDE_PX = 32
"""Side of the written images; the originals have 8, too few for any network of the model zoo."""

SOURCE = """Handwritten digits, 8 x 8 pixels in 17 grey levels, from 43 writers.

Origin: sklearn.datasets.load_digits of scikit-learn {version}, a copy of the test part of "Optical Recognition of
Handwritten Digits" (E. Alpaydin, C. Kaynak; UCI Machine Learning Repository, doi 10.24432/C50P49).
Changed here: grey levels 0-16 scaled to 0-255, enlarged to {side} x {side} pixels (bicubic), one PNG per digit.
Images: {count}.
"""


def write_digits(folder: Path, limit: int | None = None) -> Path:
    """The digits of scikit-learn as folder/<zero..nine>/NNNN.png with classes.txt and SOURCE.txt; returns `folder`.

    `limit` takes so many images, the first of each class in turn. The folder appears complete or
    not at all, with the same content each time. DemoError if it exists, or if scikit-learn is missing.
    """
    if folder.exists():
        raise DemoError.because(f"{folder} exists already.", "Remove it, or choose another folder.")
    if limit is not None and limit < len(CLASSES):
        raise DemoError.because(f"{limit} image(s) cannot show {len(CLASSES)} digits.", "Ask for 10 or more.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        _write(aside, limit)
        aside.chmod(0o755)
        _flush(aside)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def _evenly(labels: list[int]) -> list[int]:
    """All indices: the first of each label, then the second of each, and so on."""
    before = [labels[:index].count(label) for index, label in enumerate(labels)]
    return sorted(range(len(labels)), key=lambda index: (before[index], labels[index]))


def _flush(folder: Path) -> None:
    """fsync of every file, so that the rename cannot be on disk before them."""
    for path in folder.rglob("*.*"):
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _write(folder: Path, limit: int | None) -> None:
    try:
        import sklearn
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DemoError.because("The digits are part of scikit-learn.", "Run: pip install scikit-learn") from error
    import cv2
    import numpy as np

    digits = load_digits()
    for name in CLASSES:
        (folder / name).mkdir()
    chosen = _evenly([int(label) for label in digits.target])[:limit]
    for number in sorted(chosen):
        label = int(digits.target[number])
        grey = (digits.images[number] * (255 / 16)).astype(np.float32)
        large = cv2.resize(grey, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC)
        encoded, png = cv2.imencode(".png", np.clip(large, 0, 255).round().astype(np.uint8))
        if not encoded:
            raise DemoError.because(f"OpenCV could not encode image {number}.", "Is its PNG support built in?")
        (folder / CLASSES[label] / f"{number:04}.png").write_bytes(png.tobytes())
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
    about = SOURCE.format(version=sklearn.__version__, side=SIDE_PX, count=len(chosen))
    (folder / "SOURCE.txt").write_text(about, encoding="utf-8")
