"""Pictures of different parts that show the same scene, though their files differ. Knows no format and opens no file.

It finds what was encoded anew, resized or made brighter. It misses what was mirrored, turned or cut, and says nothing
of pictures without contrast, which all look alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

SIDE = 32
"""Pixels that a picture is shrunk to before its frequencies are taken: four times the frequencies kept."""

KEPT = 8
THUMB = 16

LEAST_CONTRAST = 4.0
"""Standard deviation in grey levels below which a picture is not compared: it is noise and JPEG blocks that differ."""

MOST_BITS = 6
"""Of 63: how far two hashes may be apart for their pictures to be compared. Nine of ten copies that are encoded anew,
resized or brighter are within it; so are 28 % of Fashion-MNIST's test pictures and a picture of train, by outline."""

LEAST_CORRELATION = 0.99
"""Between two thumbnails of the same scene; below, Fashion-MNIST's trousers are all the same pair (docs/LOG.md)."""

CHUNK = 1 << 20
"""Pairs compared at once: 8 MB of hashes."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a picture looks: the signs of its lowest frequencies, and itself as a thumbnail of 16 x 16 grey levels."""

    bits: int
    thumb: bytes


@dataclass(frozen=True)
class Pair:
    """The numbers of a picture and the one of an earlier part that is most like it, and how much: 1 is the same."""

    one: int
    other: int
    correlation: float


def look_of(pixels: Any) -> Look | None:
    """How a picture looks, None without contrast; `pixels` are BGR of 8 bits, shape (height, width, 3).

    The hash is the usual one of the cosine transform (phash.org; Zauner, "Implementation and Benchmarking of Perceptual
    Image Hash Functions", 2010): which of the lowest frequencies are above their median. The constant one is left out,
    so brightness and contrast change nothing.
    """
    import cv2
    import numpy as np

    # shrunk first: a whole picture in grey costs more than all the rest
    small = cv2.cvtColor(cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    if float(cv2.meanStdDev(small)[1][0, 0]) < LEAST_CONTRAST:
        return None
    lowest = cv2.dct(small.astype(np.float32))[:KEPT, :KEPT].ravel()[1:]
    middle = np.sort(lowest)[len(lowest) // 2]  # np.median takes as long as decoding a small picture
    signs = np.packbits(lowest > middle)
    thumb = cv2.resize(small, (THUMB, THUMB), interpolation=cv2.INTER_AREA)
    return Look(int.from_bytes(signs.tobytes(), "big"), thumb.tobytes())


def lookalikes(looks: Sequence[Look], parts: Sequence[int]) -> list[Pair]:
    """For each picture the one of an earlier part that is most like it, if it is so like that both show one scene.

    `parts` numbers the part of each: 0 for training, then the held-out ones.
    """
    import numpy as np

    if not looks:
        return []
    bits = np.array([look.bits for look in looks], dtype=np.uint64)
    part = np.array(parts)
    thumbs = _normed(looks)
    best: dict[int, tuple[float, int]] = {}
    for late, early in _close(bits, part):
        likeness = np.einsum("ij,ij->i", thumbs[late], thumbs[early])
        for place in np.flatnonzero(likeness >= LEAST_CORRELATION):
            one, other, value = int(late[place]), int(early[place]), float(likeness[place])
            best[one] = max(best.get(one, (0.0, 0)), (value, other))
    return [Pair(one, other, min(value, 1.0)) for one, (value, other) in sorted(best.items())]


def _normed(looks: Sequence[Look]) -> Any:
    """The thumbnails with a mean of 0 and a length of 1, so that their product is their correlation."""
    import numpy as np

    flat = np.frombuffer(b"".join(look.thumb for look in looks), dtype=np.uint8).reshape(len(looks), -1)
    centred = flat.astype(np.float32)
    centred -= centred.mean(axis=1, keepdims=True)
    centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6)
    return centred


def _close(bits: Any, part: Any) -> Iterator[tuple[Any, Any]]:
    """Pairs of pictures, the later part's first, whose hashes are close; each pair once.

    Of MOST_BITS + 1 stretches of bits, two hashes that differ in MOST_BITS have at least one in common: only pictures
    that share a stretch are compared.
    """
    import numpy as np

    width = -(-64 // (MOST_BITS + 1))
    stretches = [np.uint64(((1 << width) - 1 << shift) & ((1 << 64) - 1)) for shift in range(0, 64, width)]
    for turn, stretch in enumerate(stretches):
        order = np.argsort(bits & stretch, kind="stable")
        edges = np.flatnonzero(np.diff(bits[order] & stretch)) + 1
        for members in np.split(order, edges):
            for number in np.unique(part[members])[1:]:
                late, early = members[part[members] == number], members[part[members] < number]
                yield from _within(bits, late, early, stretches[:turn])
        if not len(edges):
            return  # all were compared with all


def _within(bits: Any, late: Any, early: Any, seen: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """The close ones of all pairs, without those that share one of the stretches `seen` before."""
    import numpy as np

    step = max(1, CHUNK // len(early))
    for start in range(0, len(late), step):
        some = late[start : start + step]
        rows, columns = np.nonzero(np.bitwise_count(bits[some, None] ^ bits[None, early]) <= MOST_BITS)
        one, other = some[rows], early[columns]
        new = np.ones(len(one), dtype=bool)
        for stretch in seen:
            new &= (bits[one] ^ bits[other]) & stretch != 0
        if new.any():
            yield one[new], other[new]
