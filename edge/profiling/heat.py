"""One network in several variants: made from the same weights, held against PyTorch, timed against each other.

The only place besides `verify` where what an engine opens meets what the profiler times.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy_targets.base import Array
from deploy_targets.errors import ConversionFailed, DeployError, EngineMissing
from edge.artefacts.blueprint import Blueprint
from edge.artefacts.convert import CALIBRATION, Exports, convert
from edge.artefacts.expected import write_expected
from edge.artefacts.pictures import Picture, tensors
from edge.artefacts.untrained import untrained
from edge.artefacts.variant import Variant
from edge.errors import EdgeError
from edge.predictor.files import artefact_sha256, size_bytes
from edge.predictor.spec import EXPECTED
from edge.predictor.timing import TIMING_FACTORY
from edge.workdir import DISK_REFUSES, storage_error
from profiler.session import Candidate, Profile, measure

SCOPE = "pipeline"
TOGETHER = 12
"""Forms of a network that are loaded at once: all there are on a machine without a card."""

NORMED = 8
"""Pictures that norm statistics are taken from, in one forward pass."""

COMPARED = 4
"""Pictures whose answers are held against PyTorch's before anything is trained; a package has its own samples."""


@contextmanager
def pytorch_explained(title: str) -> Iterator[None]:
    """A network of the toolboxes fails in whatever way it likes: a fact about that network, not about edge."""
    try:
        yield
    except (EdgeError, DeployError):
        raise
    except Exception as error:
        _refuse_disk(error)
        raise ConversionFailed(f"PyTorch could not run {title}: {type(error).__name__}: {error}") from error


def _refuse_disk(error: BaseException | None) -> None:
    """A disk that takes no more is no fact about a network: StorageError instead of a failed row."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in DISK_REFUSES:
            raise storage_error(Path(error.filename or tempfile.gettempdir()), error) from error
        error = error.__cause__ or error.__context__


@dataclass(frozen=True)
class Form:
    """One variant of a network: the folder that opens as a predictor, or the reason why there is none."""

    variant: Variant
    folder: Path
    sha256: str = ""
    size_bytes: int = 0
    failure: str = ""


class Workbench:
    """A network without training, in a folder: its weights, its reference answers, its forms. Made once each."""

    def __init__(self, plan: Blueprint, pictures: Sequence[Picture], folder: Path) -> None:
        """`pictures` are shown for norms, calibration and comparison; the first is the one that is timed."""
        self.plan, self.folder = plan, folder
        self._pictures = pictures
        self._checkpoint = folder / "untrained.pth"
        self._exports = Exports(plan, self._checkpoint, folder / "exports")

    def forms(self, variants: Sequence[Variant], say: Callable[[str], None]) -> list[Form]:
        """The network in each variant; what cannot be converted is a form with its failure.

        Raises:
            ConversionFailed: PyTorch itself could not run the network.
        """
        if not (self.folder / EXPECTED).is_file():
            with pytorch_explained(self.plan.card.title):
                untrained(self.plan.network, self._inputs(NORMED), self._checkpoint)
                write_expected(self.plan, self._checkpoint, self._pictures[:COMPARED], self.folder)
        return [self._form(variant, say) for variant in variants]

    def _inputs(self, most: int) -> list[Array]:
        """Made when they are asked for: of large inputs a few dozen fill the memory of a small board."""
        return tensors(self._pictures[:most], self.plan.spec.preprocess)

    def _form(self, variant: Variant, say: Callable[[str], None]) -> Form:
        say(f"converting {self.plan.card.title} for {variant.title}")
        folder = self.folder / variant.slug
        try:
            convert(self.plan, self._exports, variant, folder, lambda: self._inputs(CALIBRATION))
        except (ConversionFailed, EngineMissing) as error:
            _refuse_disk(error)
            return Form(variant, folder, failure=str(error))
        return Form(variant, folder, artefact_sha256(folder), size_bytes(folder))

    def time(
        self,
        forms: Sequence[Form],
        *,
        threads: int,
        limit_ms: float | None,
        max_seconds: float,
        warmup_cap_s: float = 5.0,
        min_queries: int = 64,
        window_queries: int = 32,
        race: bool = True,
    ) -> list[Profile | None]:
        """A profile per form, None for one that failed; they race where only the fastest is wanted."""
        ready = [form for form in forms if not form.failure]
        if not ready:
            return [None] * len(forms)
        profiles = measure(
            [self._candidate(form, threads, self.plan.card.title if race else "") for form in ready],
            scope=SCOPE,
            limit_ms=limit_ms,
            threads=threads,
            min_queries=min_queries,
            window_queries=window_queries,
            max_seconds=max_seconds,
            warmup_cap_s=warmup_cap_s,
            together=TOGETHER,
        )
        found = {form.variant: profile for form, profile in zip(ready, profiles, strict=True)}
        return [found.get(form.variant) for form in forms]

    def _candidate(self, form: Form, threads: int, group: str) -> Candidate:
        proof = {"expected": str(self.folder), "exact": form.variant.lossless}
        arguments = {**_arguments(form.folder, self._pictures[0], threads), **proof}
        return Candidate(form.variant.title, TIMING_FACTORY, arguments, group=group)


@dataclass(frozen=True)
class Against:
    """How much faster a model is than another in the same minutes; None with the `fault` that prevented it."""

    speedup: float | None
    fault: str = ""


def against(folder: Path, other: Path, shown: Picture, *, threads: int) -> Against:
    """Median of `other` over median of `folder`, whole pipeline, both opened as predictors and interleaved."""
    candidates = [
        Candidate(name, TIMING_FACTORY, _arguments(place, shown, threads))
        for name, place in (("one", folder), ("other", other))
    ]
    one, two = measure(candidates, scope=SCOPE, threads=threads, min_queries=256, max_seconds=10.0, warmup_cap_s=5.0)
    fault = one.error or two.error
    return Against(None, fault) if fault else Against(two.summary().median / one.summary().median)


def _arguments(folder: Path, shown: Picture, threads: int) -> dict[str, Any]:
    box = list(shown.box) if shown.box else None
    return {"folder": str(folder), "image": str(shown.image), "box": box, "threads": threads}
