"""The flow, top to bottom: text -> request -> dataset -> candidates -> measurements -> choice -> ... -> package.

The only place that knows the order. It knows nothing about how a step does its work.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from edge.errors import BadRequest, DataError, StorageError, VerificationFailed
from edge.profiling.database import default_path
from edge.records import (
    Choice,
    Exported,
    Gathered,
    Measurements,
    Origin,
    Packed,
    Request,
    Story,
    Trained,
    Tuned,
    Verified,
)
from edge.registry import Registry
from edge.settings import Job
from edge.steps import choose, export, gather, measure, pack, shortlist, train, tune, understand
from edge.versions import versions
from edge.workdir import Workdir, files_fingerprint, from_json
from zoo.datasets.record import Dataset
from zoo.datasets.record import from_json as dataset_from_json
from zoo.models import ModelCard
from zoo.supply.store import Store

PACKAGE = "package"
RESERVE_S = 75.0  # for export, verification and packing, out of the budget
MEASURE_S = 75.0  # what gathering and measuring usually take
SOAK_SHARE, LEAST_SOAK_S, MOST_SOAK_S = 0.05, 5.0, 120.0  # of the budget: the finished model runs at its rate
TUNE_SHARE = 0.25  # of what measuring left over
LEAST_TUNE_S = 10.0
LEAST_TRAIN_S = 30.0  # even if the budget is spent: a model that saw nothing serves nobody
BALANCED = ("classification", "detection")  # tasks whose images can be repeated by their classes


@dataclass(frozen=True)
class Listener:
    """How the pipeline tells what it does: `step` per change of state, `say` for a line of progress, what it found, and
    what training starts from.
    """

    step: Callable[[str, str], None]
    say: Callable[[str], None]
    chosen: Callable[[Measurements, Choice], None]
    exported: Callable[[Exported], None]
    begins: Callable[[Origin], None] = lambda _: None


class _Learning(TypedDict):
    """What search and training share."""

    seed: int
    say: Callable[[str], None]


def produce(job: Job, listener: Listener) -> Packed:
    """Make a package, or go on behind the last finished step of an earlier call.

    Raises:
        EdgeError, ZooError, DeployError, RequestError: what went wrong, with its next step.
    """
    _refuse_bad_job(job)
    with Workdir.locked(job.out, job.identity(), listener.step) as work:
        flow = _Flow(job, work, listener.say, listener.begins)
        request = flow.understand()
        gathered = flow.gather(request)
        dataset = flow.dataset()
        cards = flow.shortlist(request, gathered)
        measured = flow.measure(request, gathered, cards, dataset)
        choice = flow.choose(request, measured)
        listener.chosen(measured, choice)
        tuned = flow.tune(choice, dataset)
        trained = flow.train(choice, tuned, dataset)
        exported = flow.export(request, choice, trained, dataset)
        listener.exported(exported)
        verified = flow.verify(exported)
        story = flow.story(request, gathered, measured, choice, tuned, trained, exported, verified)
        return flow.pack(story, dataset)


@dataclass(frozen=True)
class _Flow:
    """The steps with what they need besides each other's records: settings, time, the job's folder."""

    job: Job
    work: Workdir
    say: Callable[[str], None]
    begins: Callable[[Origin], None]

    def understand(self) -> Request:
        job = self.job
        return self.work.step("understand", Request, lambda _: understand.run(job.text, job.settings.llm, job.accept))

    def gather(self, request: Request) -> Gathered:
        job, count = self.job, self._counter("image")
        if job.balance and request.task not in BALANCED:
            raise BadRequest(
                f"--balance counts the labels of images, which {request.task} has none of", "Leave it out."
            )
        gathered = self.work.step(
            "gather",
            Gathered,
            lambda folder: gather.run(
                request,
                job.data,
                Registry(job.settings.data_home),
                folder,
                skip_bad=job.skip_bad,
                seed=job.settings.seed,
                progress=count,
            ),
        )
        self._same_data(gathered)
        return gathered

    def _same_data(self, gathered: Gathered) -> None:
        for source in gathered.sources:
            if files_fingerprint(Path(source.root)) != source.files_sha256:
                raise DataError(
                    f"the files in {source.root} have changed since this job was begun in {self.job.out}",
                    "Give the changed data a job of its own: --out DIR.",
                )

    def dataset(self) -> Dataset:
        path = self.work.folder("gather") / gather.DATASET
        try:
            return dataset_from_json(json.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise StorageError(f"{path} is gone", "Start again in a new folder: --out DIR.") from error

    def shortlist(self, request: Request, gathered: Gathered) -> tuple[ModelCard, ...]:
        return self.work.step("shortlist", tuple[ModelCard, ...], lambda _: shortlist.run(request, gathered))

    def measure(
        self, request: Request, gathered: Gathered, cards: tuple[ModelCard, ...], dataset: Dataset
    ) -> Measurements:
        settings = self.job.settings
        most_threads = settings.train_threads or len(os.sched_getaffinity(0))
        # about what training will get, before measuring has shown what it takes itself
        outlook_s = max(LEAST_TRAIN_S, (self.job.budget_s - RESERVE_S - MEASURE_S) * (1 - TUNE_SHARE))
        training = measure.Training(outlook_s, most_threads, settings.seed)
        return self.work.step(
            "measure",
            Measurements,
            lambda folder: measure.run(
                request,
                cards,
                dataset,
                folder,
                threads=settings.threads,
                precisions=settings.precisions,
                training=training,
                profiles=settings.profiles or default_path(),
                data=gathered.dataset_sha256[:12],
                say=self.say,
            ),
        )

    def choose(self, request: Request, measured: Measurements) -> Choice:
        return self.work.step("choose", Choice, lambda _: choose.run(request, measured))

    def tune(self, choice: Choice, dataset: Dataset) -> Tuned:
        budget_s = max(LEAST_TUNE_S, self._left() * TUNE_SHARE)
        return self.work.step(
            "tune",
            Tuned,
            lambda folder: tune.run(
                choice,
                dataset,
                folder,
                budget_s=budget_s,
                balance=self.job.balance,
                weights=self.job.weights,
                store=Store(self.job.settings.weights_home),
                begins=self.begins,
                **self._learning(),
            ),
        )

    def train(self, choice: Choice, tuned: Tuned, dataset: Dataset) -> Trained:
        budget_s = max(LEAST_TRAIN_S, self._left())
        return self.work.step(
            "train",
            Trained,
            lambda folder: train.run(choice, tuned, dataset, folder, budget_s=budget_s, **self._learning()),
        )

    def export(self, request: Request, choice: Choice, trained: Trained, dataset: Dataset) -> Exported:
        settings = self.job.settings
        return self.work.step(
            "export",
            Exported,
            lambda folder: export.run(
                request,
                choice,
                trained,
                dataset,
                self.work.root,
                folder,
                threads=settings.threads,
                most_drop=settings.precision_drop,
                say=self.say,
            ),
        )

    def verify(self, exported: Exported) -> Verified:
        staged = self.work.root / exported.folder
        soak_s = min(max(self.job.budget_s * SOAK_SHARE, LEAST_SOAK_S), MOST_SOAK_S)
        # refused inside the step, so that a verdict that failed is no finished step: the same command verifies again
        return self.work.step(
            "verify", Verified, lambda folder: _unbroken(verify_afresh(staged, folder, soak_s), staged)
        )

    def story(
        self,
        request: Request,
        gathered: Gathered,
        measured: Measurements,
        choice: Choice,
        tuned: Tuned,
        trained: Trained,
        exported: Exported,
        verified: Verified,
    ) -> Story:
        return Story(
            request=request,
            gathered=gathered,
            measurements=measured,
            choice=choice,
            tuned=tuned,
            trained=trained,
            exported=exported,
            verified=verified,
            seconds=self.work.seconds_spent(),
            versions=versions(),
            pictures=(),
            budget_s=self.job.budget_s,
        )

    def pack(self, story: Story, dataset: Dataset) -> Packed:
        staged, final = self.work.root / story.exported.folder, self.work.root / PACKAGE
        return self.work.step("pack", Packed, lambda folder: pack.run(story, dataset, staged, final, folder))

    def _learning(self) -> _Learning:
        return {"seed": self.job.settings.seed, "say": self.say}

    def _left(self) -> float:
        """Seconds of the budget that no finished step has used, less what export, verification and packing need."""
        return self.job.budget_s - RESERVE_S - sum(self.work.seconds_spent().values())

    def _counter(self, thing: str) -> Callable[[int, int], None]:
        return lambda done, total: self.say(f"{thing} {done} of {total}")


def verify_afresh(staged: Path, folder: Path, soak_s: float) -> Verified:
    """Run `edge verify` in a process of its own, which never saw the training, and read its verdict."""
    command = [
        sys.executable,
        "-P",
        "-m",
        "edge",
        "verify",
        str(staged),
        "--staged",
        "--soak",
        f"{soak_s:.0f}s",
        "--json",
    ]
    log = folder / "verify.log"
    with log.open("wb") as errors:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL, check=False)
    lines = done.stdout.decode(errors="replace").splitlines()
    if not lines or not lines[-1].startswith("{"):
        words = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
        raise VerificationFailed(
            f"verification ended with code {done.returncode}: {' '.join(words)}", f"Its whole log is {log}."
        )
    return from_json(Verified, lines[-1])


def _refuse_bad_job(job: Job) -> None:
    if not job.text.strip():
        raise BadRequest("the request is empty", 'Say what to make: edge produce "detect apples, at least 20 fps".')
    if isinstance(job.weights, Path) and not job.weights.is_file():
        raise DataError(f"--weights {job.weights} is not a file", "Give a PyTorch checkpoint, or leave it out.")


def _unbroken(verified: Verified, staged: Path) -> Verified:
    if verified.overall != "failed":
        return verified
    missed = [
        f"{check.name}: wanted {check.wanted}, seen {check.seen}"
        for check in verified.checks
        if check.result == "missed"
    ]
    raise VerificationFailed(
        "the trained model does not hold the request, so no package was made: " + "; ".join(missed),
        f"What was made lies in {staged} for a look.",
        "The same command verifies again, if something else kept this machine busy.",
        "Else give more time (--budget) or more data in a new folder (--out), or ask for less.",
    )
