"""Segmentation as images/[split/]* + masks/[split/]*.png + classes.txt. Knows nothing about colours as classes."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.datasets.common import SPLIT_NAMES, list_images, notes_about, published, read_class_list
from zoo.datasets.record import Dataset, Sample
from zoo.errors import AnnotationError, listed

NAME = "masks"
TASKS = ("segmentation",)
LOOKED_FOR = "images/ and masks/ with PNG index masks of the same names, and classes.txt"
IGNORE = 255
"""The mask value that is neither learned nor scored: Cityscapes' and mmseg's convention."""


def looks_like(root: Path) -> bool:
    """Whether the two folders and the class list are there."""
    return (root / "images").is_dir() and (root / "masks").is_dir() and (root / "classes.txt").is_file()


def read(root: Path, task: str | None = None) -> Dataset:
    """All images with the mask of the same relative name; every mask's values are checked against the classes."""
    classes = read_class_list(root / "classes.txt")
    images, masks = list_images(root / "images"), list_images(root / "masks")
    if not images.images:
        raise AnnotationError.because(f"{root / 'images'} holds no image.", f"Looked for {LOOKED_FOR}.")
    image_of, mask_of = _by_name(root / "images", images.images), _by_name(root / "masks", masks.images)
    refuse_unpaired(root, image_of, mask_of)
    check_values(root, mask_of.values(), classes)
    samples = [Sample(image_of[name], None, None, _split_of(name), mask=mask_of[name]) for name in sorted(image_of)]
    outside = len(list_images(root).images) - len(images.images) - len(masks.images)
    notes = notes_about(
        images.others + masks.others,
        f"{outside} image(s) lie outside of images/ and masks/ and were ignored" if outside else "",
    )
    return Dataset(NAME, TASKS, root, classes, published(samples), ignore_index=IGNORE, notes=notes)


def mask_values(path: Path) -> Any:
    """The mask as an array of class indices, shape (height, width).

    Pillow, not OpenCV, because OpenCV turns palette indices into colours. AnnotationError for a mask in colour.
    """
    import numpy as np
    from PIL import Image

    with Image.open(path) as image:
        if image.mode not in ("1", "I", "I;16", "L", "P"):
            raise AnnotationError.because(
                f"{path} is a colour image ({image.mode}), not an index mask.",
                "Write one class index per pixel, as 8-bit grey or palette PNG.",
            )
        return np.asarray(image).astype(np.int64)


def _by_name(top: Path, paths: Iterable[Path]) -> dict[str, Path]:
    named: dict[str, Path] = {}
    twice: list[str] = []
    for path in paths:
        name = path.relative_to(top).with_suffix("").as_posix()
        if name in named:
            twice.append(name)
        named[name] = path
    if twice:
        raise AnnotationError.because(
            f"{len(twice)} name(s) below {top} occur with two endings: {listed(twice)}.", "Keep one file of each."
        )
    return named


def refuse_unpaired(root: Path, image_of: Mapping[str, Path], mask_of: Mapping[str, Path]) -> None:
    """AnnotationError with the images that have no mask and the masks that have no image."""
    bare, stray = sorted(set(image_of) - set(mask_of)), sorted(set(mask_of) - set(image_of))
    faults = []
    if bare:
        faults.append(f"{len(bare)} image(s) have no mask: {listed(bare)}")
    if stray:
        faults.append(f"{len(stray)} mask(s) have no image: {listed(stray)}")
    if faults:
        raise AnnotationError.because(f"In {root} {'; '.join(faults)}.", "A mask has the name of its image, as PNG.")


def check_values(root: Path, paths: Iterable[Path], meant: Sequence[str | None]) -> None:
    """AnnotationError for masks with values beyond those that are `meant`; None is for pixels to ignore."""
    import numpy as np
    from PIL import Image

    faults: list[str] = []
    seen: set[int] = set()
    for path in paths:
        try:
            values = {int(value) for value in np.unique(mask_values(path))}
        except (AnnotationError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            faults.append(f"{path.relative_to(root).as_posix()}: {error}")
            continue
        seen |= values
        foreign = sorted(value for value in values if not 0 <= value < len(meant) and value != IGNORE)
        if foreign:
            faults.append(f"{path.relative_to(root).as_posix()} holds {listed(foreign)}")
    if faults:
        raise AnnotationError.because(
            f"{len(faults)} mask(s) below {root} cannot be used: {listed(faults)}.",
            f"Values are 0 to {len(meant) - 1} ({listed(name or 'ignored' for name in meant)}),"
            f" or {IGNORE} for pixels to ignore.",
        )
    if len(meant) > 1 and seen <= {0, IGNORE}:
        raise AnnotationError.because(
            f"The masks below {root} hold {listed(sorted(seen))} only, and {IGNORE} means a pixel to ignore.",
            "A mask of black and white has to be written with class indices: 0 and 1.",
        )


def _split_of(name: str) -> str | None:
    first, _, rest = name.partition("/")
    return SPLIT_NAMES.get(first.lower()) if rest else None
