"""The long training of the chosen model, and its best weights under a final name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from edge.errors import StorageError
from edge.records import Choice, Trained, Tuned
from edge.trainers import trainer
from edge.trainers.launch import Progress, Schedule, train
from edge.trainers.pace import validation_s
from edge.workdir import sha256_file, write_atomic
from zoo.datasets.record import Dataset

WEIGHTS = "weights.pth"
PLAN = "plan.json"
MOST_VALIDATIONS = 8
MOST_EPOCHS = 300  # beyond that a small dataset only gets learned by heart
VALIDATION_SHARE = 0.2  # of the training time, at most


def run(
    choice: Choice,
    tuned: Tuned,
    dataset: Dataset,
    folder: Path,
    *,
    budget_s: float,
    seed: int,
    say: Callable[[str], None],
) -> Trained:
    """Train for `budget_s`; a call that finds checkpoints goes on with the plan that made them."""
    import torch

    torch.set_num_threads(choice.chosen.train_threads)
    card = choice.chosen.card
    once_s = validation_s(tuned.seconds_per_iteration, tuned.best.batch_size, len(dataset.part("val")))
    validations = max(1, min(MOST_VALIDATIONS, int(budget_s * VALIDATION_SHARE / max(once_s, 1e-3))))
    plan = _plan(folder, tuned, len(dataset.part("train")), budget_s - validations * once_s)
    recipe = trainer(card.task).recipe(card, dataset, folder, tuned.best)
    start = _start(folder.parent.parent, tuned)

    def tell(progress: Progress) -> None:
        seen = "" if progress.validation is None else f", validation {progress.validation:.3f}"
        say(f"iteration {progress.iteration} of {progress.iterations}{seen}, {progress.seconds_left:.0f} s left")

    every = max(5, -(-plan // validations))
    # half as much again before time is called: the pace was measured on a handful of iterations
    schedule = Schedule(plan, every, max(budget_s, 60.0) * 1.5, seed)
    outcome = train(recipe, tuned.best, schedule, folder, weights=start, on_progress=tell)
    assert outcome.best is not None, "a training that keeps checkpoints has one"
    final = folder / WEIGHTS
    _publish_weights(outcome.best, final)
    return Trained(
        checkpoint=str(final.relative_to(folder.parent.parent)),
        checkpoint_sha256=sha256_file(final),
        iterations=outcome.iterations,
        planned_iterations=plan,
        best_iteration=outcome.best_iteration,
        validation=outcome.validation,
        seconds=round(outcome.seconds, 2),
        start=tuned.origin.words,
        curve=outcome.curve,
    )


def _start(root: Path, tuned: Tuned) -> Path | None:
    """The tensors that the search started from as well, None for random ones."""
    if not tuned.origin.file:
        return None
    path = root / tuned.origin.file
    if not path.is_file():
        raise StorageError(f"{path} is gone", "Start again in a new folder: --out DIR.")
    return path


def _plan(folder: Path, tuned: Tuned, images: int, budget_s: float) -> int:
    """How many iterations; fixed at the first call, because the learning rate follows it."""
    path = folder / PLAN
    if path.is_file():
        return int(json.loads(path.read_text(encoding="utf-8"))["iterations"])
    fitting = int(budget_s / max(tuned.seconds_per_iteration, 1e-3))
    most = max(1, MOST_EPOCHS * images // tuned.best.batch_size)
    iterations = max(10, min(fitting, most))
    write_atomic(path, json.dumps({"iterations": iterations, "budget_s": budget_s}).encode())
    return iterations


def _publish_weights(checkpoint: Path, final: Path) -> None:
    """Keep the weights alone: no optimizer, no message hub, loadable with torch's safe reader."""
    import io

    import torch

    held = torch.load(checkpoint, map_location="cpu", weights_only=False)  # written by this process's own training
    buffer = io.BytesIO()
    torch.save({"state_dict": held["state_dict"]}, buffer)
    write_atomic(final, buffer.getvalue())
