"""Images with named boxes -> a data set: what the readers of labelling tools' files share. Knows no file format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from zoo.datasets.common import (
    box_fault,
    is_image,
    list_images,
    notes_about,
    published,
    read_class_list,
    shown_size,
)
from zoo.datasets.mending import Mending
from zoo.datasets.record import Box, Dataset, Sample
from zoo.errors import AnnotationError, listed

TASKS = ("detection",)


@dataclass(frozen=True)
class Named:
    """One box in pixels, before its class has a number."""

    name: str
    x: float
    y: float
    w: float
    h: float
    difficult: bool = False

    @classmethod
    def around(cls, name: str, points: Iterable[Sequence[float | str]]) -> Named:
        """The box around a polygon's points. Raises ValueError without any."""
        xs, ys = zip(*((float(x), float(y)) for x, y in points), strict=True)
        return cls(name, min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))


@dataclass(frozen=True)
class Described:
    """One image and all that its annotation says; the size is None where that does not state it."""

    image: Path
    size: tuple[int, int] | None
    split: str | None
    objects: tuple[Named, ...]


class Images:
    """The images below a folder, found by what an annotation calls them."""

    def __init__(self, root: Path) -> None:
        self.paths = list_images(root).images
        self._by_path = {path.relative_to(root).as_posix(): [path] for path in self.paths}
        self._by_name: dict[str, list[Path]] = {}
        self._by_stem: dict[str, list[Path]] = {}
        for path in self.paths:
            self._by_name.setdefault(path.name, []).append(path)
            self._by_stem.setdefault(path.stem, []).append(path)

    def meant(self, name: str, beside: str = "") -> list[Path]:
        """Every image that a table may mean by `name`: with that path beside the table, below the root, with that file
        name, or, where the name has no ending of an image or one in other capitals, with that stem."""
        given = PurePosixPath(name.replace("\\", "/"))
        if not given.name:
            return []
        ending = given.suffix.lower() if is_image(Path(given.name)) else None
        found = [
            self._by_path.get((PurePosixPath(beside) / given).as_posix(), []),
            self._by_path.get(given.as_posix(), []),
            self._by_name.get(given.name, []),
            [
                path
                for path in self._by_stem.get(given.name if ending is None else given.stem, [])
                if ending in (None, path.suffix.lower())
            ],
        ]
        return next((some for some in found if some), [])

    def called(self, *names: str, stem: str = "") -> Path:
        """The only image with such a path below the root, else with such a file name, else with that stem.

        Of several names the first that finds one counts.

        Raises:
            ValueError: there is none, there are several, or the names mean one image and the stem another.
        """
        plain = [PurePosixPath(name.replace("\\", "/")) for name in names]
        found = [
            *(self._by_path.get(name.as_posix(), []) for name in plain),
            *(self._by_name.get(name.name, []) for name in plain),
            self._by_stem.get(stem, []),
        ]
        fits = next((some for some in found if some), [])
        if len(fits) != 1:
            wanted = fits[0].name if fits else next(iter((*names, stem)))
            raise ValueError(f"there are {len(fits)} images {wanted}" if fits else f"there is no image {wanted}")
        others = self._by_stem.get(stem, [])
        if others and fits[0].stem != stem:
            raise ValueError(f"it names {fits[0].name}, but is itself called as {others[0].name} is")
        return fits[0]


def within(described: Described, mending: Mending) -> Described:
    """With its boxes cut to the image, whose size is looked up; one that cannot be opened is for `check_images`."""
    from PIL.Image import DecompressionBombError

    try:
        width, height = shown_size(described.image)
    except (OSError, ValueError, SyntaxError, DecompressionBombError):
        return replace(described, objects=())
    cut = ((one, mending.box((one.x, one.y, one.w, one.h), width, height)) for one in described.objects)
    objects = tuple(replace(one, x=box[0], y=box[1], w=box[2], h=box[3]) for one, box in cut if box is not None)
    return replace(described, size=(width, height), objects=objects)


def assemble(
    name: str,
    root: Path,
    described: Sequence[Described],
    faults: list[str],
    images: Images,
    looked_for: str,
    order: Sequence[str] = (),
) -> Dataset:
    """The data set, with classes in `order` if that is given, else in that of classes.txt, else of the alphabet.

    Images that nothing describes are left out: nobody said that they are empty. AnnotationError with all `faults`,
    those given and those found here.
    """
    classes = _classes(root, described, faults, order)
    samples = [_sample(root, classes, faults, one) for one in described]
    twice = sorted(str(image) for image, count in Counter(sample.image for sample in samples).items() if count > 1)
    if twice:
        faults.append(f"{len(twice)} image(s) are described twice: {listed(twice)}")
    if faults:
        raise AnnotationError.because(
            f"The annotations of {root} cannot be used: {listed(faults)}.", "Correct the files; nothing was skipped."
        )
    if not any(sample.boxes for sample in samples):
        raise AnnotationError.because(f"The annotations of {root} describe no object.", f"Looked for {looked_for}.")
    samples.sort(key=lambda sample: sample.image.relative_to(root).as_posix())
    bare = len(images.paths) - len(samples)
    negatives = sum(not sample.boxes for sample in samples)
    notes = notes_about(
        0,
        f"{bare} image(s) are described by nothing, or in no list, and were ignored" if bare else "",
        f"{negatives} image(s) have no object and are kept as negatives" if negatives else "",
    )
    return Dataset(name, TASKS, root, classes, published(samples), notes=notes)


def _classes(root: Path, described: Sequence[Described], faults: list[str], order: Sequence[str]) -> tuple[str, ...]:
    """Without a list of its own, those that are used."""
    used = {one.name for each in described for one in each.objects}
    if order:
        return tuple(name for name in order if name in used)
    if not (root / "classes.txt").is_file():
        return tuple(sorted(used))
    stated = read_class_list(root / "classes.txt")
    foreign = sorted(used - set(stated))
    if foreign:
        faults.append(f"{listed(foreign)}: used, but not in classes.txt")
    return (*stated, *foreign)


def _sample(root: Path, classes: tuple[str, ...], faults: list[str], one: Described) -> Sample:
    width, height = one.size or (None, None)
    boxes = []
    for named in one.objects:
        box = Box(named.x, named.y, named.w, named.h, classes.index(named.name), crowd=named.difficult)
        fault = box_fault(box, width, height)
        if fault:
            faults.append(f"{one.image.relative_to(root).as_posix()}: a box of {named.name} {fault}")
        else:
            boxes.append(box)
    return Sample(one.image, width, height, one.split, boxes=tuple(boxes))
