"""Facts about pictures that show the same scene without being equal."""

import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import writers

from zoo.datasets import read_dataset
from zoo.datasets.check import check_images
from zoo.datasets.lookalikes import Look, look_of, lookalikes
from zoo.datasets.overview import Overview, overview

SIZE = (160, 120)


def looked_at(root: Path) -> Overview:
    checked = check_images(read_dataset(root))
    assert checked.bad == ()
    return overview(checked.dataset, checked.hashes, checked.looks)


def scenes(root: Path, parts: tuple[str, ...] = ("train", "val"), count: int = 12) -> Path:
    """Different scenes in every part."""
    for number, part in enumerate(parts):
        for seed in range(count):
            writers.scene(root / part / ("cat" if seed % 2 else "dog") / f"{part}{seed}.png", 100 * number + seed, SIZE)
    return root


def changed(path: Path, target: Path, how: str) -> None:
    pixels = cv2.imread(str(path))
    assert pixels is not None
    quality = [cv2.IMWRITE_JPEG_QUALITY, 60]
    versions = {
        "encoded anew": pixels,
        "smaller": cv2.resize(pixels, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA),
        "larger": cv2.resize(pixels, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC),
        "brighter": np.clip(pixels.astype(np.float32) * 1.15 + 10, 0, 255).astype(np.uint8),
        "grey": cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY),
    }
    cv2.imwrite(str(target), versions[how], quality)


@pytest.mark.parametrize("how", ["encoded anew", "smaller", "larger", "brighter", "grey"])
def test_a_picture_of_train_that_was_changed_a_little_is_found_in_val(tmp_path: Path, how: str) -> None:
    root = scenes(tmp_path)
    for seed in range(12):
        changed(
            root / "train" / ("cat" if seed % 2 else "dog") / f"train{seed}.png", root / f"val/cat/copy{seed}.jpg", how
        )
    told = looked_at(root)
    assert told.twins == ()
    assert {(one.image.split("/")[2], one.other.split("/")[2]) for one in told.alike} == {
        (f"copy{seed}.jpg", f"train{seed}.png") for seed in range(12)
    }
    assert all(0.99 <= one.correlation <= 1 for one in told.alike)


def test_different_scenes_are_not_alike(tmp_path: Path) -> None:
    assert looked_at(scenes(tmp_path, ("train", "val", "test"), 40)).alike == ()


def test_pictures_without_contrast_are_not_alike(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        for number in range(8):
            for name in ("black", "grey"):
                path = tmp_path / part / name / f"{part}{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                level = 0 if name == "black" else 120
                noise = rng.integers(0, 3, (24, 24, 3), dtype=np.uint8)
                cv2.imwrite(str(path), noise + np.uint8(level))
    assert looked_at(tmp_path).alike == ()
    assert look_of(np.full((9, 9, 3), 77, np.uint8)) is None


def test_equal_pictures_are_twins_and_not_alike_too(tmp_path: Path) -> None:
    root = scenes(tmp_path)
    (root / "val/cat/same.png").write_bytes((root / "train/dog/train0.png").read_bytes())
    told = looked_at(root)
    assert told.twins == (("train/dog/train0.png", "val/cat/same.png"),)
    assert told.alike == ()


def test_each_picture_is_held_against_the_parts_before_its_own() -> None:
    look = look_of(writers_scene())
    assert look is not None
    assert [(pair.one, pair.other) for pair in lookalikes([look, look, look], [0, 1, 2])] in (
        [(1, 0), (2, 0)],
        [(1, 0), (2, 1)],
    )
    assert lookalikes([look, look], [1, 1]) == []
    assert lookalikes([], []) == []


def writers_scene() -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    rng = np.random.default_rng(3)
    return cv2.resize(rng.integers(0, 255, (4, 5, 3), dtype=np.uint8), SIZE, interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize(("count", "varying"), [(100_000, (1 << 63) - 1), (30_000, 0x0000_0FFF_0000_0FFF)])
def test_many_pictures_are_compared_in_seconds_even_if_most_bits_are_the_same(count: int, varying: int) -> None:
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 1 << 63, count, dtype=np.uint64) & np.uint64(varying)
    thumbs = rng.integers(0, 256, (count, 256), dtype=np.uint8)
    looks = [Look(int(some), thumb.tobytes()) for some, thumb in zip(bits, thumbs, strict=True)]
    looks[-1] = looks[5]
    start = time.perf_counter()
    pairs = lookalikes(looks, [0] * (count - count // 10) + [1] * (count // 10))
    assert time.perf_counter() - start < 30
    assert [(pair.one, pair.other) for pair in pairs] == [(count - 1, 5)]
