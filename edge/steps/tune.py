"""A short search for hyperparameters: an Optuna study whose trials are short trainings inside a time budget.

Every finished trial is kept in the study's database, so a search that was cut off goes on where it was. Trials see
training and validation data only.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

from edge.records import Choice, Hyperparameters, Origin, Trial, Tuned
from edge.trainers import trainer
from edge.trainers.launch import Progress, Schedule, train
from edge.trainers.origin import settle
from edge.trainers.pace import validation_s
from zoo.datasets.record import Dataset
from zoo.supply.store import Store

MOST_TRIALS = 4
LEAST_ITERATIONS = 12  # a shorter trial says nothing
START_S = 2.0  # building model and data, per trial
LEARNING_RATE_SPAN = 4.0  # searched from default / span to default * span
TRAIL = "study.db"


def run(
    choice: Choice,
    dataset: Dataset,
    folder: Path,
    *,
    budget_s: float,
    seed: int,
    balance: bool,
    weights: Path | Literal["scratch"] | None,
    store: Store,
    say: Callable[[str], None],
    begins: Callable[[Origin], None],
) -> Tuned:
    """Search within `budget_s`; with too little time for one honest trial, the defaults are taken and that is said.

    Args:
        weights: what to start from; None takes what `store` has for the chosen model, else random weights.
        begins: told what the trainings of this job start from.
    """
    import torch

    card = choice.chosen.card
    toolbox = trainer(card.task)
    start = replace(toolbox.default(len(dataset.part("train"))), balance=balance)
    origin = settle(weights, store, card, toolbox.network(card, dataset).model, folder)
    begins(origin)
    pace = choice.chosen.update_s or 0.0
    torch.set_num_threads(choice.chosen.train_threads)
    overhead_s = START_S + validation_s(pace, start.batch_size, len(dataset.part("val")))
    trials = min(MOST_TRIALS, int(budget_s / max(pace * LEAST_ITERATIONS + overhead_s, 1e-6)))
    if trials < 2:
        note = f"no search: {budget_s:.0f} s hold fewer than two trials at {pace:.2f} s an iteration"
        return Tuned(start, (Trial(0, start, 0, 0.0, None, note),), pace, origin)
    iterations = int((budget_s / trials - overhead_s) / pace)
    study = _study(folder, seed)
    plain = folder.parent.parent / origin.file if origin.file else None
    search = _Search(choice, dataset, folder, start, min(iterations, 400), seed, plain, say)
    _close_broken(study)
    if not _ended(study):
        study.enqueue_trial(_parameters(start))
    while len(_ended(study)) < trials:
        study.optimize(search, n_trials=1, catch=(RuntimeError,))
    return _tuned(study, start, pace, origin)


class _Search:
    """Optuna's objective: one short training, scored on validation data."""

    def __init__(
        self,
        choice: Choice,
        dataset: Dataset,
        folder: Path,
        start: Hyperparameters,
        iterations: int,
        seed: int,
        weights: Path | None,
        say: Callable[[str], None],
    ) -> None:
        self._card = choice.chosen.card
        self._dataset = dataset
        self._folder = folder
        self._start = start
        self._iterations = iterations
        self._seed = seed
        self._weights = weights
        self._say = say

    def __call__(self, trial: Any) -> float:
        hyper = self._suggest(trial)
        here = self._folder / f"trial-{trial.number:03d}"
        shutil.rmtree(here, ignore_errors=True)
        here.mkdir(parents=True)
        began = time.monotonic()
        trial.set_user_attr("hyperparameters", asdict(hyper))

        def tell(progress: Progress) -> None:
            self._say(f"trial {trial.number + 1}: iteration {progress.iteration} of {progress.iterations}")

        schedule = Schedule(self._iterations, self._iterations, 3600.0, self._seed, keep_checkpoints=False)
        try:
            recipe = trainer(self._card.task).recipe(self._card, self._dataset, here, hyper)
            outcome = train(recipe, hyper, schedule, here, weights=self._weights, on_progress=tell)
        except RuntimeError as error:  # diverged, or out of memory: one trial is lost, not the search
            trial.set_user_attr("ended", f"failed: {str(error).splitlines()[0]}")
            raise
        trial.set_user_attr("seconds", time.monotonic() - began)
        trial.set_user_attr("iterations", outcome.iterations)
        trial.set_user_attr("ended", "")
        return outcome.validation or 0.0

    def _suggest(self, trial: Any) -> Hyperparameters:
        rate = self._start.learning_rate
        return replace(
            self._start,
            learning_rate=trial.suggest_float(
                "learning_rate", rate / LEARNING_RATE_SPAN, rate * LEARNING_RATE_SPAN, log=True
            ),
            weight_decay=trial.suggest_float("weight_decay", 1e-3, 1e-1, log=True),
            scale_jitter=trial.suggest_float("scale_jitter", 0.05, 0.45),
            # keypoints swap sides when mirrored, and the data does not say which
            flip=False if self._card.task == "keypoint" else trial.suggest_categorical("flip", (False, True)),
        )


def _parameters(hyper: Hyperparameters) -> dict[str, float | bool]:
    return {
        "flip": hyper.flip,
        "learning_rate": hyper.learning_rate,
        "weight_decay": hyper.weight_decay,
        "scale_jitter": hyper.scale_jitter,
    }


def _study(folder: Path, seed: int) -> Any:
    import optuna
    from sqlalchemy import URL

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = optuna.storages.RDBStorage(URL.create("sqlite", database=str(folder / TRAIL)).render_as_string())
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=3)
    return optuna.create_study(
        storage=storage, study_name="edge", sampler=sampler, direction="maximize", load_if_exists=True
    )


def _close_broken(study: Any) -> None:
    """Trials that were running when the process died can never finish."""
    import optuna

    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)


def _ended(study: Any) -> list[Any]:
    """Trials that came to an end of their own, good or bad; those cut off by a kill or Ctrl-C do not count."""
    return [t for t in study.get_trials(deepcopy=False) if "ended" in t.user_attrs]


def _tuned(study: Any, start: Hyperparameters, pace: float, origin: Origin) -> Tuned:
    trials = []
    for trial in _ended(study):
        trials.append(
            Trial(
                number=trial.number,
                hyperparameters=Hyperparameters(**trial.user_attrs["hyperparameters"]),
                iterations=trial.user_attrs.get("iterations", 0),
                seconds=round(trial.user_attrs.get("seconds", 0.0), 2),
                score=trial.value,
                note=trial.user_attrs["ended"],
            )
        )
    scored = [trial for trial in trials if trial.score]
    # trials that all score nothing tell nothing apart: the defaults stand
    best = max(scored, key=lambda trial: trial.score or 0.0).hyperparameters if scored else start
    return Tuned(best, tuple(trials), pace, origin)
