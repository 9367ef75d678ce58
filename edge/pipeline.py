"""The flow, top to bottom: text -> request -> dataset -> candidates -> measurements -> choice -> ... -> package.

The only place that knows the order. It knows nothing about how a step does its work.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge import __version__
from edge.errors import DataError, StorageError, VerificationFailed
from edge.records import (
    Choice,
    Exported,
    Gathered,
    Measurements,
    Packed,
    Request,
    Story,
    Trained,
    Tuned,
    Verified,
)
from edge.settings import Job
from edge.workdir import Workdir, from_json
from zoo.datasets.record import Dataset
from zoo.datasets.record import from_json as dataset_from_json
from zoo.models import ModelCard

PACKAGE = "package"
RESERVE_S = 75.0  # for export, verification and packing, out of the budget
MEASURE_S = 75.0  # what gathering and measuring usually take
TUNE_SHARE = 0.25  # of what measuring left over
LEAST_TUNE_S = 10.0
LEAST_TRAIN_S = 30.0  # even if the budget is spent: a model that saw nothing serves nobody
LIBRARIES = ("torch", "onedl-mmengine", "onedl-mmcv", "mmdeploy", "onnx", "onnxruntime", "optuna", "llama-cpp-python")


@dataclass(frozen=True)
class Listener:
    """How the pipeline tells what it does: `step` per state change, `say` for a line of progress."""

    step: Callable[[str, str], None]
    say: Callable[[str], None]


def produce(job: Job, listener: Listener) -> Packed:
    """Make a package, or go on behind the last finished step of an earlier call.

    Raises:
        EdgeError, ZooError, DeployError, RequestError: what went wrong, with its next step.
    """
    from edge.steps import choose, export, gather, measure, pack, shortlist, train, tune, understand

    settings, say = job.settings, listener.say
    _refuse_bad_job(job)
    with Workdir.locked(job.out, job.identity(), listener.step) as work:
        request = work.step("understand", Request, lambda _: understand.run(job.text, settings.llm, job.accept))
        gathered = work.step(
            "gather",
            Gathered,
            lambda folder: gather.run(
                request, job.data, folder, skip_bad=job.skip_bad, seed=settings.seed, progress=_counter(say, "image")
            ),
        )
        dataset = _dataset(work)
        cards = work.step("shortlist", tuple[ModelCard, ...], lambda _: shortlist.run(request, gathered))
        measured = work.step(
            "measure",
            Measurements,
            lambda folder: measure.run(
                request,
                cards,
                dataset,
                folder,
                threads=settings.threads,
                training=measure.Training(_train_outlook(job), _train_threads(job), settings.seed),
                say=say,
            ),
        )
        choice = work.step("choose", Choice, lambda _: choose.run(request, measured))
        tuned = work.step(
            "tune",
            Tuned,
            lambda folder: tune.run(
                choice,
                dataset,
                folder,
                budget_s=_tune_budget(job, work),
                seed=settings.seed,
                weights=job.weights,
                say=say,
            ),
        )
        trained = work.step(
            "train",
            Trained,
            lambda folder: train.run(
                choice,
                tuned,
                dataset,
                folder,
                budget_s=_train_budget(job, work),
                seed=settings.seed,
                weights=job.weights,
                say=say,
            ),
        )
        spec = measure.spec(request, choice.chosen.card, dataset, settings.threads)
        exported = work.step(
            "export", Exported, lambda folder: export.run(request, choice, trained, dataset, spec, work.root, folder)
        )
        staged = work.root / exported.folder
        verified = work.step("verify", Verified, lambda folder: verify_afresh(staged, folder))
        _refuse_broken(verified, staged)
        return work.step(
            "pack",
            Packed,
            lambda folder: pack.run(
                Story(
                    request,
                    gathered,
                    measured,
                    choice,
                    tuned,
                    trained,
                    exported,
                    verified,
                    work.seconds_spent(),
                    _versions(),
                    pack.pictures(staged, dataset),
                    job.budget_s,
                ),
                staged,
                work.root / PACKAGE,
                folder,
            ),
        )


def verify_afresh(staged: Path, folder: Path) -> Verified:
    """Run `edge verify` in a process of its own, which never saw the training, and read its verdict."""
    command = [sys.executable, "-P", "-m", "edge", "verify", str(staged), "--staged", "--json"]
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


def _dataset(work: Workdir) -> Dataset:
    path = work.folder("gather") / "dataset.json"
    try:
        return dataset_from_json(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise StorageError(f"{path} is gone", "Start again in a new folder: --out DIR.") from error


def _tune_budget(job: Job, work: Workdir) -> float:
    return max(LEAST_TUNE_S, _left(job, work) * TUNE_SHARE)


def _train_budget(job: Job, work: Workdir) -> float:
    return max(LEAST_TRAIN_S, _left(job, work))


def _left(job: Job, work: Workdir) -> float:
    return job.budget_s - RESERVE_S - sum(work.seconds_spent().values())


def _train_outlook(job: Job) -> float:
    """About what training will get, before measuring has shown what it takes itself."""
    return max(LEAST_TRAIN_S, (job.budget_s - RESERVE_S - MEASURE_S) * (1 - TUNE_SHARE))


def _train_threads(job: Job) -> int:
    return job.settings.train_threads or len(os.sched_getaffinity(0))


def _refuse_bad_job(job: Job) -> None:
    if not job.text.strip():
        from edge.errors import BadRequest

        raise BadRequest("the request is empty", 'Say what to make: edge produce "detect apples, at least 20 fps".')
    if job.data is not None and not job.data.is_dir():
        what = "is not a folder" if job.data.exists() else "does not exist"
        raise DataError(f"--data {job.data} {what}", "Give the folder that holds the images.")
    if job.weights is not None and not job.weights.is_file():
        raise DataError(f"--weights {job.weights} is not a file", "Give a PyTorch checkpoint, or leave it out.")


def _refuse_broken(verified: Verified, staged: Path) -> None:
    if verified.overall != "failed":
        return
    missed = [
        f"{check.name}: wanted {check.wanted}, seen {check.seen}"
        for check in verified.checks
        if check.result == "missed"
    ]
    raise VerificationFailed(
        "the trained model does not hold the request, so no package was made: " + "; ".join(missed),
        f"What was made lies in {staged} for a look.",
        "Give more time (--budget) or more data in a new folder (--out), or ask for less.",
    )


def _versions() -> dict[str, str]:
    found = {"edge": __version__, "python": sys.version.split()[0]}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _counter(say: Callable[[str], None], thing: str) -> Callable[[int, int], None]:
    return lambda done, total: say(f"{thing} {done} of {total}")
