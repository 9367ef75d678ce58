"""Opens every image of a data set before anything is trained on it. Knows nothing about formats or splits.

It does not look at what the picture shows: a wrong label in a sound file passes.
"""

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from zoo.datasets.common import box_fault
from zoo.datasets.lookalikes import Look, look_of
from zoo.datasets.record import Dataset, Sample
from zoo.errors import listed

MAX_PIXELS = 64_000_000
"""Larger images are refused unopened: below Pillow's own warning (89 million), above any camera meant here."""

WORKERS = 2
"""Threads that decode; both libraries release the interpreter lock, and more would starve a small device."""

BATCH = 16
"""Images a thread is given at once: handing over costs as much as opening a tiny one."""


@dataclass(frozen=True)
class BadImage:
    """A file that cannot be used, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Checked:
    """The data set without its bad images, sizes filled in; `hashes` gives each image's sha1 of decoded pixels, `looks`
    what it looks like, if it has any contrast."""

    dataset: Dataset
    bad: tuple[BadImage, ...]
    hashes: Mapping[Path, str]
    looks: Mapping[Path, Look]


@dataclass(frozen=True, slots=True)
class Seen:
    """What decoding one image told: its size in pixels, its content, or why it failed."""

    width: int = 0
    height: int = 0
    sha1: str = ""
    look: Look | None = None
    reason: str | None = None


def check_images(
    dataset: Dataset,
    progress: Callable[[int, int], None] | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Checked:
    """Decodes every image completely and compares it with its annotation.

    `progress` is called with (done, total). Sizes are those after EXIF rotation, as training sees them. What is bad
    is left out of the data set and listed; whether that is acceptable is for the caller to say.
    """
    kept: list[Sample] = []
    bad: list[BadImage] = []
    hashes: dict[Path, str] = {}
    looks: dict[Path, Look] = {}
    total = len(dataset.samples)
    batches = [dataset.samples[start : start + BATCH] for start in range(0, total, BATCH)]
    with ThreadPoolExecutor(WORKERS) as pool:
        opened = chain.from_iterable(pool.map(lambda some: [_look(one, max_pixels) for one in some], batches))
        for done, (sample, seen) in enumerate(zip(dataset.samples, opened, strict=True), start=1):
            if seen.reason is None:
                kept.append(replace(sample, width=seen.width, height=seen.height))
                hashes[sample.image] = seen.sha1
                if seen.look is not None:
                    looks[sample.image] = seen.look
            else:
                bad.append(BadImage(sample.image, seen.reason))
            if progress is not None:
                progress(done, total)
    return Checked(replace(dataset, samples=tuple(kept)), tuple(bad), hashes, looks)


def _look(sample: Sample, max_pixels: int) -> Seen:
    seen = _decode(sample.image, max_pixels)
    if seen.reason is not None:
        return seen
    return replace(seen, reason=_contradiction(sample, seen.width, seen.height))


def _decode(path: Path, max_pixels: int) -> Seen:
    import cv2
    import numpy as np
    from PIL import Image

    try:
        with Image.open(path) as image:
            width, height = image.size
            if width * height > max_pixels:
                return Seen(reason=f"has {width} x {height} pixels, more than the limit of {max_pixels}")
            # OpenCV fills the rest of a truncated JPEG with grey and only warns: Pillow refuses it
            image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        return Seen(reason=f"is too large to open: {error}")
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        return Seen(reason=f"cannot be decoded: {error}")
    try:
        pixels = cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error) as error:
        return Seen(reason=f"cannot be decoded by OpenCV: {error}")
    if pixels is None:
        return Seen(reason="cannot be decoded by OpenCV")
    height, width = pixels.shape[:2]
    digest = hashlib.sha1(f"{width}x{height}:".encode(), usedforsecurity=False)
    digest.update(np.ascontiguousarray(pixels).data)
    return Seen(width, height, digest.hexdigest(), look_of(pixels))


def _contradiction(sample: Sample, width: int, height: int) -> str | None:
    if (sample.width, sample.height) == (height, width) and width != height:
        return f"is annotated as {sample.width} x {sample.height} but shows as {width} x {height} (EXIF rotation?)"
    if sample.width not in (None, width) or sample.height not in (None, height):
        return f"is annotated as {sample.width} x {sample.height} but has {width} x {height} pixels"
    faults = [fault for box in sample.boxes if (fault := box_fault(box, width, height))]
    if faults:
        return f"has {len(faults)} box(es) that cannot be used: {listed(faults)}"
    return _mask_contradiction(sample.mask, width, height) if sample.mask is not None else None


def _mask_contradiction(mask: Path, width: int, height: int) -> str | None:
    from PIL import Image

    try:
        with Image.open(mask) as image:
            image.load()
            if image.size != (width, height):
                return f"has {width} x {height} pixels but its mask {mask.name} {image.width} x {image.height}"
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        return f"has a mask {mask.name} that cannot be decoded: {error}"
    return None
