"""The forms one network can take here: an engine and a precision. Knows no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deploy_targets.base import FP32, PRECISIONS
from deploy_targets.registry import BACKENDS, backend


@dataclass(frozen=True)
class Variant:
    engine: str
    precision: str

    @property
    def title(self) -> str:
        return f"{self.engine} {self.precision}"

    @property
    def slug(self) -> str:
        return f"{self.engine}-{self.precision}"

    @property
    def lossless(self) -> bool:
        """Whether it computes as the network was trained, so that its answers must be the same."""
        return self.precision == FP32


@dataclass(frozen=True)
class Offer:
    """What can run here, and for everything else the reason why not."""

    variants: tuple[Variant, ...]
    refused: tuple[tuple[Variant, str], ...]

    def lossless(self) -> tuple[Variant, ...]:
        return tuple(variant for variant in self.variants if variant.lossless)

    def lower(self) -> tuple[Variant, ...]:
        return tuple(variant for variant in self.variants if not variant.lossless)


def offered(engines: Sequence[str] = (), precisions: Sequence[str] = ()) -> Offer:
    """Every engine of the registry, or those named, in every precision, or those named, held against this machine.

    Raises:
        EngineUnknown: a name that is no engine.
    """
    variants: list[Variant] = []
    refused: list[tuple[Variant, str]] = []
    for name in dict.fromkeys(engines or BACKENDS):
        status = backend(name).status()
        for precision in dict.fromkeys(precisions or PRECISIONS):
            variant = Variant(name, precision)
            if not status.available:
                refused.append((variant, status.hint))
            elif precision not in status.precisions:
                refused.append((variant, status.refused.get(precision, "not offered by this engine")))
            else:
                variants.append(variant)
    return Offer(tuple(variants), tuple(refused))
