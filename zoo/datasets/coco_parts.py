"""The parts of a COCO document: categories, boxes, where an image lies. Knows nothing about splits or tasks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from pathlib import Path, PurePosixPath
from typing import Any

from zoo.datasets.common import box_fault, is_there, refuse_duplicates
from zoo.datasets.mending import Mending
from zoo.datasets.record import Box, Keypoint
from zoo.errors import AnnotationError, listed

Size = tuple[int | None, int | None]


@dataclass(frozen=True)
class Vocabulary:
    """The classes of all documents in one order, and the label each document's category ids stand for."""

    classes: tuple[str, ...]
    keypoint_names: tuple[str, ...]
    skeleton: tuple[tuple[int, int], ...]
    by_file: Mapping[Path, Mapping[Any, int]]
    note: str = ""

    def labels(self, path: Path) -> Mapping[Any, int]:
        """Category id in this document -> index into `classes`."""
        return self.by_file[path]


def read_vocabulary(documents: Sequence[tuple[Path, list[dict[str, Any]]]]) -> Vocabulary:
    """Classes by id in the first document that names them; documents may number the same names differently."""
    names: list[str] = []
    by_file: dict[Path, dict[Any, int]] = {}
    poses: list[tuple[tuple[str, ...], tuple[tuple[int, int], ...]]] = []
    for path, categories in documents:
        nameless = [category for category in categories if not _is_named(category)]
        if nameless:
            raise AnnotationError.because(f"{path}: {len(nameless)} category(s) lack id or name.", "Name them.")
        refuse_duplicates([category["id"] for category in categories], f"{path} uses a category id twice")
        refuse_duplicates([category["name"].strip() for category in categories], f"{path} uses a category name twice")
        by_file[path] = {}
        for category in sorted(categories, key=lambda category: (str(type(category["id"])), category["id"])):
            name = str(category["name"]).strip()
            if name not in names:
                names.append(name)
            by_file[path][category["id"]] = names.index(name)
            pose = _pose(path, category)
            if pose[0] and pose not in poses:
                poses.append(pose)
    if not names:
        raise AnnotationError.because(f"{listed(path for path, _ in documents)} define no category.", "Add them.")
    if len(poses) > 1:
        note = f"{len(poses)} different sets of keypoints are defined, so the data set serves no keypoint task"
        return Vocabulary(tuple(names), (), (), by_file, note)
    points, edges = poses[0] if poses else ((), ())
    return Vocabulary(tuple(names), points, edges, by_file)


def read_boxes(
    where: str,
    document: dict[str, Any],
    labels: Mapping[Any, int],
    sizes: Mapping[Any, Size],
    keypoints: int,
    faults: list[str],
    mending: Mending | None = None,
) -> dict[Any, list[Box]]:
    """The boxes of each image id; what cannot be used is described in `faults`, one entry per kind.

    `keypoints` is how many a box has if it has any; with 0 none are read. With `mending` boxes are cut to their images.
    """
    boxes: dict[Any, list[Box]] = {}
    bad: dict[str, list[str]] = {"annotation(s) cannot be used": []}
    ids = [annotation["id"] for annotation in document["annotations"] if isinstance(annotation.get("id"), int | str)]
    refuse_duplicates(ids, f"{where} uses an annotation id twice")
    for number, annotation in enumerate(document["annotations"]):
        if not _is_known(annotation.get("image_id"), sizes):
            bad.setdefault("annotation(s) refer to images that are not listed", []).append(_name(number, annotation))
        elif not _is_known(annotation.get("category_id"), labels):
            kind = "annotation(s) refer to categories that are not listed"
            bad.setdefault(kind, []).append(_name(number, annotation))
        elif annotation.get("bbox") is None:
            bad.setdefault("annotation(s) have no bbox", []).append(_name(number, annotation))
        else:
            fault, box = _box(annotation, labels, sizes[annotation["image_id"]], keypoints, mending)
            if fault:
                bad["annotation(s) cannot be used"].append(f"{_name(number, annotation)} {fault}")
            elif box is not None:
                boxes.setdefault(annotation["image_id"], []).append(box)
    faults += [f"{where}: {len(names)} {kind}: {listed(names)}" for kind, names in bad.items() if names]
    return boxes


def _name(number: int, annotation: dict[str, Any]) -> str:
    return f"id {annotation.get('id', f'(none, entry {number})')}"


def is_complete(image: dict[str, Any]) -> bool:
    """Whether an image entry has an id and a name, and a size that is either absent or positive whole pixels."""
    sizes = [image[key] for key in ("width", "height") if image.get(key) is not None]
    return (
        isinstance(image.get("id"), int | str)
        and isinstance(image.get("file_name"), str)
        and bool(PurePosixPath(image["file_name"].replace("\\", "/")).name)
        and all(isinstance(size, int) and size > 0 for size in sizes)
    )


def locate(root: Path, beside: Path, split: str | None, file_name: str) -> Path | None:
    """The image `file_name` means: below images/<split>/, images/, <split>/, beside the JSON, or the root.

    Endings are compared without case. A name that leads out of the data set is refused with AnnotationError.
    """
    name = PurePosixPath(file_name.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts:
        raise AnnotationError.because(
            f"The file name {file_name!r} leads out of the data set {root}.", "Write it relative to images/."
        )
    for top in _tops(root, beside, split):
        for spelling in (str, str.lower, str.upper):
            path = top / (name if spelling is str else name.with_suffix(spelling(name.suffix)))
            if is_there(path):
                return path
    return None


def _is_named(category: dict[str, Any]) -> bool:
    name = category.get("name")
    return isinstance(category.get("id"), int | str) and isinstance(name, str) and bool(name.strip())


def _is_known(key: Any, known: Mapping[Any, Any]) -> bool:
    """Membership that a list in the place of an id cannot break."""
    return isinstance(key, int | str) and key in known


@lru_cache(maxsize=64)
def _tops(root: Path, beside: Path, split: str | None) -> tuple[Path, ...]:
    spellings = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
    parts = spellings.get(split or "", ())
    below_images = (root / "images" / part for part in parts)
    return (*below_images, root / "images", *(root / part for part in parts), beside, root)


def _pose(path: Path, category: dict[str, Any]) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]]:
    try:
        points = tuple(str(point) for point in category.get("keypoints") or ())
        # COCO counts the ends of a limb from 1 (cocodataset.org/#format-data)
        edges = tuple((int(a) - 1, int(b) - 1) for a, b in category.get("skeleton") or ())
    except (TypeError, ValueError, OverflowError) as error:
        raise AnnotationError.because(
            f"{path}: keypoints or skeleton of {category['name']!r} cannot be read ({error}).",
            "They are a list of names and a list of pairs.",
        ) from error
    beyond = [edge for edge in edges if not all(0 <= end < len(points) for end in edge)]
    if beyond:
        raise AnnotationError.because(
            f"{path}: the skeleton of {category['name']!r} has ends beyond its {len(points)} keypoints:"
            f" {listed((a + 1, b + 1) for a, b in beyond)}.",
            "Ends count from 1.",
        )
    return points, edges


def _box(
    annotation: dict[str, Any], labels: Mapping[Any, int], size: Size, keypoints: int, mending: Mending | None
) -> tuple[str | None, Box | None]:
    """(why not, None) or (None, the box), which is None too where mending leaves nothing of it."""
    try:
        x, y, w, h = map(float, annotation["bbox"])
        points = _points(annotation.get("keypoints") or ()) if keypoints else ()
        if points and len(points) != keypoints:
            raise ValueError(f"{len(points)} keypoints where {keypoints} are defined")
    except (TypeError, ValueError, OverflowError) as error:
        return f"has numbers that cannot be read ({error})", None
    if mending is not None:
        mended = mending.box((x, y, w, h), *size)
        if mended is None:
            return None, None
        x, y, w, h = mended
    crowd = bool(annotation.get("iscrowd"))
    box = Box(x, y, w, h, labels[annotation["category_id"]], crowd=crowd, keypoints=points)
    fault = box_fault(box, *size)
    return (fault, None) if fault else (None, box)


def _points(flat: Sequence[Any]) -> tuple[Keypoint, ...]:
    if len(flat) % 3:
        raise ValueError(f"{len(flat)} keypoint numbers are not triples")
    numbers = [flat[start : start + 3] for start in range(0, len(flat), 3)]
    points = tuple((float(x), float(y), int(v)) for x, y, v in numbers)
    if not all(isfinite(x) and isfinite(y) for x, y, _ in points):
        raise ValueError("a keypoint is not finite")
    return points
