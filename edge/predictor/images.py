"""Decoding and preprocessing, as the training pipelines do it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError
from edge.predictor.spec import Preprocess
from edge.workdir import write_atomic

# What cannot be decoded becomes a DataError with the file's name; OpenCV's own lines name only its source files.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

Image = NDArray[np.uint8]
Tensor = NDArray[np.float32]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Frame:
    """How input pixels map back to image pixels: image = (input - offset) / scale, per axis."""

    width: int
    height: int
    scale: tuple[float, float]
    offset: tuple[float, float] = (0.0, 0.0)

    def to_image(self, points: NDArray[Any]) -> NDArray[Any]:
        """(n, 2) x, y in input pixels -> image pixels."""
        mapped: NDArray[Any] = (points - np.asarray(self.offset)) / np.asarray(self.scale)
        return mapped


def use_threads(count: int) -> None:
    """Let OpenCV resize and convert with as many threads as the network gets; its default is all cores there are."""
    cv2.setNumThreads(count)


def read(path: Path) -> Image:
    """Decode a file to (H, W, 3) BGR, 8 bit; grey, alpha and 16 bit are brought there, EXIF rotation is applied.

    Raises:
        DataError: the file is missing, empty, or not an image.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}", "Check the path and its permissions.") from error
    return decode(data, str(path))


def decode(data: bytes, name: str) -> Image:
    """Like `read`, from bytes."""
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error as error:
        raise DataError(
            f"{name} cannot be decoded: {error.err}", "Give a whole JPEG, PNG, BMP, TIFF or WebP."
        ) from error
    if image is None:
        raise DataError(f"{name} is not an image that can be decoded", "Give a whole JPEG, PNG, BMP, TIFF or WebP.")
    decoded: Image = image
    return decoded


def write(path: Path, image: Image) -> None:
    """Encode by the name's suffix and write, whatever letters the path has.

    Raises:
        StorageError: the file cannot be written.
    """
    write_atomic(path, cv2.imencode(path.suffix, image)[1].tobytes())


def preprocess(
    image: Image, how: Preprocess, box: Box | None = None, into: Tensor | None = None
) -> tuple[Tensor, Frame]:
    """Image -> (1, 3, height, width) tensor and the way back. `box` is x, y, w, h; None takes the whole image.

    A tensor of that shape given as `into` is filled and returned, else a new one is made.
    """
    resized, frame = _RESIZERS[how.resize](image, how, box)
    swapped = cv2.cvtColor(resized, cv2.COLOR_BGR2RGB) if how.channels == "rgb" else resized
    tensor = (swapped.astype(np.float32) - np.array(how.mean, np.float32)) / np.array(how.std, np.float32)
    planes = tensor.transpose(2, 0, 1)[None]
    if into is None or into.shape != planes.shape:
        return np.ascontiguousarray(planes, dtype=np.float32), frame
    np.copyto(into, planes)
    return into, frame


def _stretch(image: Image, how: Preprocess, _box: Box | None) -> tuple[Any, Frame]:
    height, width = image.shape[:2]
    resized = cv2.resize(image, (how.width, how.height), interpolation=cv2.INTER_LINEAR)
    return resized, Frame(width, height, (how.width / width, how.height / height))


def _letterbox(image: Image, how: Preprocess, _box: Box | None) -> tuple[Any, Frame]:
    height, width = image.shape[:2]
    scale = min(how.width / width, how.height / height)
    # rounding as mmcv's rescale_size does it
    new = (max(1, int(width * scale + 0.5)), max(1, int(height * scale + 0.5)))
    canvas = np.full((how.height, how.width, 3), how.pad_value, np.uint8)
    canvas[: new[1], : new[0]] = cv2.resize(image, new, interpolation=cv2.INTER_LINEAR)
    return canvas, Frame(width, height, (new[0] / width, new[1] / height))


def _box_crop(image: Image, how: Preprocess, box: Box | None) -> tuple[Any, Frame]:
    height, width = image.shape[:2]
    x, y, w, h = box if box is not None else (0.0, 0.0, float(width), float(height))
    grown_w, grown_h = w * how.box_padding, h * how.box_padding
    ratio = how.width / how.height
    side = max(grown_w, grown_h * ratio)
    scale = how.width / side
    offset = (how.width / 2 - (x + w / 2) * scale, how.height / 2 - (y + h / 2) * scale)
    matrix = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]], np.float32)
    crop = cv2.warpAffine(image, matrix, (how.width, how.height), flags=cv2.INTER_LINEAR)
    return crop, Frame(width, height, (scale, scale), offset)


_Resizer = Callable[[Image, Preprocess, Box | None], tuple[Any, Frame]]
_RESIZERS: dict[str, _Resizer] = {"stretch": _stretch, "letterbox": _letterbox, "box-crop": _box_crop}
