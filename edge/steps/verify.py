"""A package folder -> what holds: files, same answers as the trained model, test metric, speed on this machine.

Runs without torch and without OpenMMLab, so that the machine a package is carried to can run it as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import DataError, VerificationFailed
from edge.predictor.files import artefact_sha256
from edge.predictor.parity import Parity, compare
from edge.predictor.predictor import Predictor
from edge.predictor.scoring import Score, score
from edge.predictor.spec import EXPECTED, MANIFEST, RECORDED, REQUEST, TRUTH
from edge.predictor.timing import TIMING_FACTORY
from edge.profiling.endurance import SOAK_S, endure
from edge.profiling.heat import SCOPE
from edge.profiling.results import timings
from edge.records import Check, Endured, Request, Verified
from edge.workdir import from_json, sha256_file
from profiler.session import Candidate, Profile, measure
from zoo.datasets.record import Dataset
from zoo.datasets.record import from_json as dataset_from_json
from zoo.tasks import TASKS

MET, MISSED, UNCHECKED = "met", "missed", "unchecked"
LEAK_MB = 50.0
"""Growth of the process within a run that is worth a word: caches that engines fill late are smaller."""

LATE_SHARE = 0.10
"""The same nine of ten as in the verdict on speed."""


@dataclass(frozen=True)
class _Promise:
    request: Request
    parameters: int
    flops: int
    lowered: dict[str, Any] | None  # what a lower precision than fp32 gave and cost, as the export found


def run(
    folder: Path,
    *,
    staged: bool = False,
    data: Path | None = None,
    soak_s: float = SOAK_S,
    say: Callable[[str], None] = lambda _: None,
) -> Verified:
    """Check a package.

    Args:
        staged: the package is being made and has no manifest yet.
        data: the dataset's folder where it lies now; None looks where it lay when the package was made.
        soak_s: how long the model runs at the rate asked for, or back to back where none was.

    Raises:
        VerificationFailed: the folder is no package, or files are missing or changed.
        DataError: `data` was given, and test images are not in it.
    """
    if not staged:
        check_files(folder)
    promise = _promise(folder)
    predictor = Predictor.open(folder)
    say("comparing with the trained model's answers")
    parity = compare(predictor, folder)
    say("scoring the test images")
    scored, missing = _score(predictor, folder, data)
    say("timing")
    shipped = artefact_sha256(folder)
    candidate = _candidate(predictor, folder)
    profile = _time(predictor, candidate, promise.request)
    say(f"running for {soak_s:g} s")
    endured = endure(candidate, promise.request.limits.min_fps, soak_s, predictor.spec.threads)
    _refuse_changed(folder, shipped)
    checks = [
        *([] if staged else [Check("files", "as in the manifest", "all hashes equal", MET)]),
        *_answers(promise, parity, predictor, folder),
        *_speed(promise, profile),
        *_deadlines(endured),
        *_sizes(promise),
        *_quality(promise.request, scored, missing),
        *(Check(wish, "as stated", "edge cannot check this", UNCHECKED) for wish in promise.request.unchecked),
    ]
    task = TASKS[promise.request.task]
    return Verified(
        overall=_overall(checks),
        checks=tuple(checks),
        metric_name=task.metric_title,
        metric=scored.metric if scored else None,
        baseline=scored.baseline if scored else None,
        baseline_title=task.baseline_title,
        parity=parity.figures,
        timings=timings(profile),
        endured=endured,
        artefact_sha256=shipped,
        details={
            "test images": scored.images if scored else 0,
            **(scored.details if scored else {}),
            "placement": profile.facts,
            "warnings": [*profile.warnings, *_words_of(endured)],
            "energy_j": profile.energy.joules_per_query if profile.energy else None,
            "samples_ms": {scope: list(values) for scope, values in profile.samples_ms.items()},
        },
    )


def _answers(promise: _Promise, parity: Parity, predictor: Predictor, folder: Path) -> list[Check]:
    """Full precision must answer as the trained model does; a lower one as it did itself where it was made, and must
    have kept its metric there."""
    if promise.lowered is None:
        return [_same("same answers as the trained model", parity)]
    lowered = promise.lowered
    drop, most = lowered["full_metric"] - lowered["metric"], lowered["most_drop"]
    kept = Check(
        f"what {lowered['precision']} keeps of the trained model, as recorded when it was made",
        f"at most {most:g} of the metric lost on validation images",
        f"{lowered['metric']:.4f} beside {lowered['full_metric']:.4f} in fp32, {lowered['speedup']:.2f} times as fast",
        _word(drop <= most),
    )
    return [_same("same answers as where it was made", compare(predictor, folder, RECORDED)), kept]


def _same(name: str, parity: Parity) -> Check:
    seen = ", ".join(f"{figure} {value:.4g}" for figure, value in parity.figures.items())
    return Check(name, parity.tolerance, seen, _word(parity.holds))


def check_files(folder: Path) -> None:
    """Hold every file against the manifest.

    Raises:
        VerificationFailed: no manifest, or files that are missing, changed or added; all are named.
    """
    path = folder / MANIFEST
    try:
        listed: dict[str, str] = dict(json.loads(path.read_text(encoding="utf-8"))["files"])
    except OSError as error:
        raise VerificationFailed(
            f"{folder} is no finished package: {MANIFEST} cannot be read", "Give the folder that `edge produce` named."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise VerificationFailed(f"{path} is malformed", "Copy the package again from its source.") from error
    present = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - {MANIFEST}
    faults = [f"{name} is missing" for name in sorted(set(listed) - present)]
    faults += [f"{name} was added" for name in sorted(present - set(listed))]
    faults += [f"{n} was changed" for n in sorted(present & set(listed)) if sha256_file(folder / n) != listed[n]]
    if faults:
        raise VerificationFailed(f"{folder}: {'; '.join(faults)}", "Copy the package again from its source.")


def _promise(folder: Path) -> _Promise:
    path = folder / REQUEST
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        request = from_json(Request, json.dumps(document["request"]))
        return _Promise(request, int(document["parameters"]), int(document["flops"]), document.get("lowered"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VerificationFailed(f"{path} cannot be read: {error}", "Make the package again.") from error


def _score(predictor: Predictor, folder: Path, data: Path | None) -> tuple[Score | None, str]:
    path = folder / TRUTH
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if data is not None:
            document["root"] = str(data)
        dataset: Dataset = dataset_from_json(document)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VerificationFailed(f"{path} cannot be read: {error!r}", "Make the package again.") from error
    # the trivial baseline of masks is drawn from those of the training part
    needed = [s.image for s in dataset.part("test")] + [s.mask for s in dataset.samples if s.mask is not None]
    absent = [path for path in needed if not path.is_file()]
    if absent and data is None:
        return None, "the test data is not on this machine; name its folder with --data"
    if absent:
        raise DataError(
            f"{len(absent)} of {len(needed)} files of the test data are not in {data}, the first is {absent[0]}",
            "Give the folder that the package was made from.",
        )
    return score(predictor, dataset), ""


def _candidate(predictor: Predictor, folder: Path) -> Candidate:
    samples = json.loads((folder / EXPECTED).read_text(encoding="utf-8"))
    if not samples:
        raise VerificationFailed(f"{folder / EXPECTED} names no sample", "Make the package again.")
    first = samples[0]
    arguments = {
        "folder": str(folder),
        "image": str(folder / first["image"]),
        "box": first["box"],
        "threads": predictor.spec.threads,
    }
    return Candidate("package", TIMING_FACTORY, arguments)


def _time(predictor: Predictor, candidate: Candidate, request: Request) -> Profile:
    limit_ms = None if request.limits.min_fps is None else 1000.0 / request.limits.min_fps
    return measure([candidate], scope=SCOPE, limit_ms=limit_ms, threads=predictor.spec.threads)[0]


def _refuse_changed(folder: Path, shipped: str) -> None:
    if artefact_sha256(folder) != shipped:
        raise VerificationFailed(f"the model's files in {folder} changed while they were timed", "Verify it again.")


def _speed(promise: _Promise, profile: Profile) -> list[Check]:
    if profile.error is not None:
        return [Check("speed", "a measurement", profile.error, MISSED)]
    seen = f"{profile.summary().fps_p90:.1f} fps at p90, whole pipeline"
    wanted = promise.request.limits.min_fps
    if wanted is None or profile.verdict is None:
        return []
    result = {"PASS": MET, "FAIL": MISSED}.get(str(profile.verdict.outcome), UNCHECKED)
    return [Check("speed", f"at least {wanted:g} fps", f"{seen}; {profile.verdict.counted}", result)]


def _deadlines(endured: Endured) -> list[Check]:
    """At a rate that was asked for, nine of ten images are answered before the next is due.

    What else used the machine can only have made it worse: beside it a miss proves nothing.
    """
    if endured.fps is None:
        return []
    share = endured.missed / max(endured.queries, 1)
    wanted = f"at most {LATE_SHARE:.0%} late at {endured.fps:g} fps"
    seen = f"{endured.missed} of {endured.queries} late in {endured.seconds:g} s, longest {endured.worst_ms:.1f} ms"
    if share <= LATE_SHARE:
        return [Check("deadlines at that rate", wanted, seen, MET)]
    if endured.disturbed:
        return [Check("deadlines at that rate", wanted, f"{seen}, while {endured.disturbed}", UNCHECKED)]
    return [Check("deadlines at that rate", wanted, seen, MISSED)]


def _words_of(endured: Endured) -> list[str]:
    found, ran = [], f"while it ran for {endured.seconds:g} s"
    if endured.trend == "SLOWER" and endured.drift is not None:
        found.append(f"SLOWER: the median grew by {endured.drift:.1%} a minute {ran}")
    if (endured.memory_growth_mb or 0.0) > LEAK_MB:
        found.append(f"MEMORY: the process grew by {endured.memory_growth_mb:.0f} MB {ran}")
    return found


def _sizes(promise: _Promise) -> list[Check]:
    limits = promise.request.limits
    checks = []
    if limits.max_parameters is not None:
        result = MET if promise.parameters <= limits.max_parameters else MISSED
        wanted = f"at most {limits.max_parameters / 1e6:g} M"
        checks.append(Check("parameters", wanted, f"{promise.parameters / 1e6:.3f} M counted", result))
    if limits.max_flops is not None:
        result = MET if promise.flops <= limits.max_flops else MISSED
        wanted = f"at most {limits.max_flops / 1e9:g} GFLOPs"
        checks.append(Check("operations", wanted, f"{promise.flops / 1e9:.3f} GFLOPs counted", result))
    return checks


def _quality(request: Request, scored: Score | None, missing: str) -> list[Check]:
    task = TASKS[request.task]
    wanted = f"above {task.baseline_title}"
    if scored is None:
        checks = [Check(task.metric_title, wanted, missing, UNCHECKED)]
    else:
        seen = f"{scored.metric:.3f}, baseline {scored.baseline:.3f}, {scored.images} test images"
        checks = [Check(task.metric_title, wanted, seen, _word(scored.metric > scored.baseline))]
    unchecked = {wish.split(" of ")[0] for wish in request.unchecked}
    for target in request.targets:
        if target.name in unchecked:
            continue
        name = f"{target.name} asked for"
        if scored is None:
            checks.append(Check(name, f"at least {target.value:g}", missing, UNCHECKED, soft=True))
        else:
            result = _word(scored.metric >= target.value)
            seen = f"{scored.metric:.3f} on test images"
            checks.append(Check(name, f"at least {target.value:g}", seen, result, soft=True))
    return checks


def _word(holds: bool | None) -> str:
    return UNCHECKED if holds is None else MET if holds else MISSED


def _overall(checks: list[Check]) -> str:
    """failed: a promise of the package itself is broken. works: a wish was missed or could not be checked."""
    if any(check.result == MISSED and not check.soft for check in checks):
        return "failed"
    return "perfect" if all(check.result == MET for check in checks) else "works"
