"""Runs one recipe with MMEngine's Runner: iteration-based, resumable, ended by its deadline, progress told as it goes.

Knows nothing about toolboxes beyond their recipes, nor why it trains.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

from edge.errors import Interrupted
from edge.records import CurvePoint, Hyperparameters
from edge.trainers.recipe import Recipe
from edge.workdir import write_atomic
from zoo.openmmlab import prepare

CURVE = "curve.jsonl"
LAST = "last_checkpoint"  # MMEngine's name for the file that names the newest checkpoint


@dataclass(frozen=True)
class Schedule:
    """How long to train. `deadline_s` is wall time for this call; the learning rate follows `iterations`."""

    iterations: int
    validate_every: int
    deadline_s: float
    seed: int = 0
    keep_checkpoints: bool = True
    validate: bool = True


@dataclass(frozen=True)
class Progress:
    iteration: int
    iterations: int
    loss: float
    seconds_left: float
    validation: float | None


@dataclass(frozen=True)
class Outcome:
    """`best` is the checkpoint with the highest validation metric, None when none was kept."""

    iterations: int
    seconds: float
    seconds_per_iteration: float
    validation: float | None
    best: Path | None
    best_iteration: int
    curve: tuple[CurvePoint, ...]


def train(
    recipe: Recipe,
    hyper: Hyperparameters,
    schedule: Schedule,
    folder: Path,
    *,
    weights: Path | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Train, or continue from the last whole checkpoint in `folder`.

    Raises:
        Interrupted: SIGINT arrived; a checkpoint was written first.
    """
    prepare(recipe.network.toolbox)
    from mmengine.config import Config
    from mmengine.runner import Runner

    folder.mkdir(parents=True, exist_ok=True)
    resume = schedule.keep_checkpoints and _point_at_newest_whole(folder)
    config = runner_config(recipe, hyper, schedule, folder)
    config["resume"] = resume
    config["load_from"] = None if resume or weights is None else str(weights)
    recorder = _recorder(recipe, schedule, folder, on_progress)
    started = time.monotonic()
    with (folder / "chatter.log").open("a", encoding="utf-8") as chatter, redirect_stdout(chatter):
        runner = Runner.from_cfg(Config(config))
        runner.register_hook(recorder, priority="LOW")
        _quicken_norms(runner.model, schedule.iterations)
        if recipe.adapt is not None:
            recipe.adapt(runner.model)
        runner.train()
        if schedule.validate and not recorder.interrupted and recorder.validated_at != runner.iter:
            runner.val()  # time was up between two validations: the last weights count as well
    if recorder.interrupted:
        raise Interrupted("stopped by the user; the training's checkpoint is kept", "Run the same command to go on.")
    best, best_iteration, score = _best(folder, recorder)
    return Outcome(
        iterations=runner.iter,
        seconds=time.monotonic() - started,
        seconds_per_iteration=recorder.seconds_per_iteration(),
        validation=score,
        best=best,
        best_iteration=best_iteration,
        curve=read_curve(folder),
    )


def _quicken_norms(model: Any, iterations: int) -> None:
    """Let BatchNorm's running statistics keep up with a short training.

    They remember 1 / momentum iterations; at torch's 0.1 a training of 14 iterations is scored with statistics that
    are a quarter initial zeros and ones, and every trial of a search looks like chance.
    """
    from torch.nn.modules.batchnorm import _BatchNorm

    momentum = min(0.3, 20.0 / iterations)
    for module in model.modules():
        if isinstance(module, _BatchNorm) and module.momentum is not None:
            module.momentum = max(module.momentum, momentum)


def runner_config(recipe: Recipe, hyper: Hyperparameters, schedule: Schedule, folder: Path) -> dict[str, Any]:
    """The complete MMEngine configuration of a training."""
    warmup = max(1, min(schedule.iterations // 10, 100))
    checkpoint = {
        "type": "CheckpointHook",
        "by_epoch": False,
        "interval": schedule.validate_every if schedule.keep_checkpoints else -1,
        # two, because the hook removes the oldest before it writes the newest: a kill between leaves one whole
        "max_keep_ckpts": 2,
        "save_last": schedule.keep_checkpoints,
        "save_best": recipe.metric_key if schedule.keep_checkpoints and schedule.validate else None,
        "rule": "greater",
    }
    config: dict[str, Any] = {
        "default_scope": recipe.network.toolbox,
        "model": recipe.network.model,
        "work_dir": str(folder),
        "train_dataloader": _loader(recipe, recipe.train_dataset, hyper.batch_size, shuffle=True),
        "train_cfg": {
            "type": "IterBasedTrainLoop",
            "max_iters": schedule.iterations,
            "val_interval": schedule.validate_every,
            "fast_forward_on_resume": True,
        },
        "optim_wrapper": {
            "type": "OptimWrapper",
            "optimizer": {
                "type": hyper.optimizer,
                "lr": hyper.learning_rate,
                "weight_decay": hyper.weight_decay,
            },
            "paramwise_cfg": {"norm_decay_mult": 0.0, "bias_decay_mult": 0.0, "bypass_duplicate": True},
            "clip_grad": {"max_norm": 20.0},
        },
        "param_scheduler": [
            {"type": "LinearLR", "start_factor": 0.01, "by_epoch": False, "begin": 0, "end": warmup},
            {
                "type": "CosineAnnealingLR",
                "by_epoch": False,
                "begin": warmup,
                "end": schedule.iterations,
                "T_max": max(1, schedule.iterations - warmup),
                "eta_min": hyper.learning_rate * 0.02,
            },
        ],
        "default_hooks": {
            "logger": {"type": "LoggerHook", "interval": 10, "log_metric_by_epoch": False},
            "checkpoint": checkpoint,
        },
        "env_cfg": {"cudnn_benchmark": False, "mp_cfg": {"mp_start_method": "fork", "opencv_num_threads": 0}},
        "log_processor": {"by_epoch": False, "window_size": 10},
        "log_level": "ERROR",
        "randomness": {"seed": schedule.seed},
    }
    if schedule.validate:
        config["val_dataloader"] = _loader(recipe, recipe.val_dataset, min(hyper.batch_size, 16), shuffle=False)
        config["val_cfg"] = {"type": "ValLoop"}
        config["val_evaluator"] = recipe.evaluator
    return config


def _loader(recipe: Recipe, dataset: dict[str, Any], batch: int, *, shuffle: bool) -> dict[str, Any]:
    sampler = {"type": "InfiniteSampler", "shuffle": True} if shuffle else {"type": "DefaultSampler", "shuffle": False}
    return {
        "batch_size": batch,
        # in process: on two cores a worker takes from the training what it gives
        "num_workers": 0,
        "persistent_workers": False,
        "sampler": sampler,
        "dataset": dataset,
        "collate_fn": {"type": recipe.collate},
        "drop_last": shuffle,
    }


def read_curve(folder: Path) -> tuple[CurvePoint, ...]:
    """The learning curve as recorded; a line cut short by a crash is left out, later lines win over earlier ones."""
    path = folder / CURVE
    points: dict[tuple[int, bool], CurvePoint] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue
        points[entry["iteration"], "validation" in entry] = CurvePoint(
            entry["iteration"], entry.get("loss"), entry.get("validation")
        )
    return tuple(points[key] for key in sorted(points))


def _point_at_newest_whole(folder: Path) -> bool:
    """Make `last_checkpoint` name the newest checkpoint that is whole; False if there is none.

    MMEngine writes both in place, so a kill can leave either cut short. torch's format is a zip file, whose directory
    comes last: what opens as one was written to its end.
    """
    numbered = [(_iteration(path), path) for path in folder.glob("iter_*.pth") if is_zipfile(path)]
    if not numbered:
        return False
    write_atomic(folder / LAST, str(max(numbered)[1]).encode())
    return True


def _best(folder: Path, recorder: Any) -> tuple[Path | None, int, float | None]:
    """The kept checkpoint with the highest recorded score; a kill can leave two of them. Else the newest one."""
    scores = {point.iteration: point.validation for point in read_curve(folder) if point.validation is not None}
    kept = [(scores.get(_iteration(path), -1.0), path) for path in folder.glob("best_*.pth") if is_zipfile(path)]
    if kept:
        score, best = max(kept)
        return best, _iteration(best), score if score >= 0 else recorder.validation
    last = folder / LAST
    if last.is_file():
        path = Path(last.read_text(encoding="utf-8").strip())
        return path, _iteration(path), scores.get(_iteration(path))
    return None, 0, recorder.validation


def _iteration(checkpoint: Path) -> int:
    return int(checkpoint.stem.rsplit("_", 1)[1])


def _recorder(recipe: Recipe, schedule: Schedule, folder: Path, on_progress: Callable[[Progress], None] | None) -> Any:
    """The hook that writes the curve, tells progress, and stops at the deadline or on SIGINT."""
    from mmengine.hooks import Hook

    class Recorder(Hook):  # type: ignore[misc]
        def __init__(self) -> None:
            self.validation: float | None = None
            self.validated_at = -1
            self.interrupted = False
            self._ticks: list[float] = []
            self._started = time.monotonic()
            self._previous: Any = None

        def before_train(self, runner: Any) -> None:
            self._started = time.monotonic()
            self._previous = signal.signal(signal.SIGINT, self._interrupt)

        def after_train(self, runner: Any) -> None:
            signal.signal(signal.SIGINT, self._previous)

        def _interrupt(self, *_: Any) -> None:
            self.interrupted = True

        def after_train_iter(
            self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
        ) -> None:
            now = time.monotonic()
            self._ticks.append(now)
            done = runner.iter + 1
            loss = outputs["loss"].detach().item() if outputs and "loss" in outputs else float("nan")
            if done % 10 == 0 or done == schedule.iterations:
                _append(folder / CURVE, {"iteration": done, "loss": loss})
            late = now - self._started > schedule.deadline_s
            if self.interrupted or (late and done < schedule.iterations):
                self._stop(runner, done)
            if on_progress is not None:
                left = (schedule.iterations - done) * self.seconds_per_iteration()
                on_progress(Progress(done, schedule.iterations, loss, left, self.validation))

        def _stop(self, runner: Any, done: int) -> None:
            runner.train_loop.stop_training = True
            if not schedule.keep_checkpoints:
                return
            if done % schedule.validate_every:
                runner.save_checkpoint(str(folder), f"iter_{done}.pth", by_epoch=False, meta={"iter": done})
                write_atomic(folder / LAST, str(folder / f"iter_{done}.pth").encode())

        def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
            value = float((metrics or {}).get(recipe.metric_key, 0.0)) * recipe.metric_scale
            # COCO's evaluator says -1 where nothing was detected
            self.validation = max(0.0, value)
            self.validated_at = runner.iter
            _append(folder / CURVE, {"iteration": runner.iter, "validation": self.validation})

        def seconds_per_iteration(self) -> float:
            """Median over the recent iterations, so that validation pauses do not count."""
            gaps = [b - a for a, b in zip(self._ticks, self._ticks[1:], strict=False)][-50:]
            return sorted(gaps)[len(gaps) // 2] if gaps else 0.0

    return Recorder()


def _append(path: Path, entry: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
