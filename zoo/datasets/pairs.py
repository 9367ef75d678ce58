"""Segmentation as public sets lay it out: what the cards say under `masks`. Knows no set by name.

`image` is where an image lies, with {split} and {name}; `parts` are the splits whose masks are published. `lists`, if
there is one, names the images of a part, a line each, and `sign` is a file that tells the set from others. `masks` are
the kinds of masks there may be, of which the first that is there is used. Their `values` give the class of each value,
nothing for what is neither learnt nor scored; where they are left out, the card's classes do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.datasets.card import cards, matching, split_called, start_of
from zoo.datasets.common import is_there, list_images, notes_about, published, read_lines
from zoo.datasets.masks import IGNORE, check_values, refuse_unpaired
from zoo.datasets.record import Dataset, Sample
from zoo.errors import AnnotationError, listed

NAME = "pairs"
TASKS = ("segmentation",)
LOOKED_FOR = "images and masks laid out as a public data set lays them out (docs/PUBLIC_DATASETS.md)"


@dataclass(frozen=True)
class Kind:
    """Masks of one kind: the path of one, and what each value stands for."""

    path: str
    values: tuple[str | None, ...]


@dataclass(frozen=True)
class Layout:
    """How one public set lies on disk."""

    card: str
    image: str
    parts: tuple[str, ...]
    lists: str
    sign: str
    kinds: tuple[Kind, ...]


def looks_like(root: Path) -> bool:
    """Whether images and masks lie as in one of the layouts."""
    return any(True for _ in _here(root))


def read(root: Path, task: str | None = None) -> Dataset:
    """All images of the parts whose masks are published; every mask's values are checked."""
    layout, kind = next(_here(root))
    image_of: dict[str, Path] = {}
    mask_of: dict[str, Path] = {}
    split_of: dict[str, str | None] = {}
    for part in layout.parts:
        images, masks = dict(matching(root, layout.image, part)), dict(matching(root, kind.path, part))
        names = (
            _listed(root, layout, part) if layout.lists else [*images, *(name for name in masks if name not in images)]
        )
        for name in names:
            key = f"{part}/{name}"
            split_of[key] = split_called(part)
            image_of.update({key: images[name]} if name in images else {})
            mask_of.update({key: masks[name]} if name in masks else {})
    lost = [name for name in split_of if name not in image_of and name not in mask_of]
    if lost:
        raise AnnotationError.because(
            f"In {root} {len(lost)} image(s) of the lists are not there: {listed(lost)}.", "Unpack the set again."
        )
    refuse_unpaired(root, image_of, mask_of)
    check_values(root, mask_of.values(), kind.values)
    samples = [Sample(image_of[key], None, None, split_of[key], mask=mask_of[key]) for key in sorted(image_of)]
    top = root / layout.image.partition("{")[0].rpartition("/")[0]
    bare = sum(path.name.endswith(Path(layout.image).suffix) for path in list_images(top).images) - len(samples)
    return Dataset(
        NAME,
        TASKS,
        root,
        _classes(kind),
        published(samples),
        ignore_index=IGNORE,
        remap=_remap(kind),
        notes=notes_about(
            0,
            f"laid out as {layout.card}",
            f"{bare} image(s) are in no part with published masks and were ignored" if bare > 0 else "",
        ),
    )


def _layouts() -> Iterator[Layout]:
    for name, card in cards().items():
        if "masks" in card:
            stated = card["masks"]
            own = tuple(card.get("classes", ()))
            kinds = (Kind(kind["path"], tuple(kind.get("values", own))) for kind in stated["masks"])
            lists, sign = stated.get("lists", ""), stated.get("sign", "")
            yield Layout(name, stated["image"], tuple(stated["parts"]), lists, sign, tuple(kinds))


def _here(root: Path) -> Iterator[tuple[Layout, Kind]]:
    """The layouts that have images and masks here, with the first kind of masks of which there are any."""
    for layout in _layouts():
        parts = [part for part in layout.parts if any(True for _ in matching(root, layout.image, part))]
        if layout.sign and not any(root.glob(layout.sign)):
            continue
        if layout.lists and not any(is_there(root / layout.lists.format(split=part)) for part in layout.parts):
            continue
        kind = next((kind for kind in layout.kinds if _any(root, kind, parts)), None)
        if kind is not None:
            yield layout, kind


def _any(root: Path, kind: Kind, parts: Sequence[str]) -> bool:
    return any(True for part in parts for _ in matching(root, kind.path, part))


def _listed(root: Path, layout: Layout, part: str) -> list[str]:
    path = root / layout.lists.format(split=part)
    start = start_of(layout.image)
    return [line.removeprefix(start) for line in read_lines(path) if line] if is_there(path) else []


def _classes(kind: Kind) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in kind.values if name is not None))


def _remap(kind: Kind) -> tuple[int, ...]:
    """Value of a mask file -> class; empty where they are the same."""
    classes = _classes(kind)
    table = tuple(IGNORE if name is None else classes.index(name) for name in kind.values)
    return () if table == tuple(range(len(classes))) else table
