"""Writes docs/PROFILES.md and its pictures from recorded measurements.

    python tools/write_profiles.py [RECORDS [RECORDS OF ANOTHER MACHINE]]

The files come from `edge profile export`, so anyone can write the same page about a machine of their own. Without any
those in benchmarks/records are taken.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from deploy_targets.registry import BACKENDS, backend  # noqa: E402 - the project may not be installed
from edge.profiling.database import Database  # noqa: E402
from edge.profiling.exchange import import_  # noqa: E402
from edge.profiling.row import Row  # noqa: E402
from edge.report import leaderboard, pareto, published, words  # noqa: E402

RECORDS = [ROOT / "benchmarks" / "records" / name for name in ("profiles.jsonl.gz", "profiles-elsewhere.jsonl.gz")]
PAGE = ROOT / "docs" / "PROFILES.md"
FOLDER = ROOT / "docs" / "profiles"
SHOWN = 12


def main() -> None:
    given = [Path(name) for name in sys.argv[1:]] or RECORDS
    (rows, machines), *elsewhere = [records(path) for path in given]
    compared = [line for other in elsewhere for line in on_another(rows, *other)]
    FOLDER.mkdir(parents=True, exist_ok=True)
    leaderboard.write_csv(rows, FOLDER / "leaderboard.csv")
    pictures = [path for path in pareto.write_charts(pareto.charts(rows, machines), FOLDER) if path.suffix == ".png"]
    for path in FOLDER.glob("*.svg"):
        path.unlink()
    PAGE.write_text(page(rows, machines, pictures, compared), encoding="utf-8")
    print(f"wrote {PAGE} and {len(pictures)} pictures")


def records(path: Path) -> tuple[list[Row], dict[str, dict[str, Any]]]:
    """The rows of an exported file, and the machines they are of."""
    with tempfile.TemporaryDirectory() as scratch, Database.open(Path(scratch) / "profiles.db") as database:
        import_(database, path)
        return database.rows(), database.machines()


def on_another(
    rows: Sequence[Row], others: Sequence[Row], machines: dict[str, dict[str, Any]]
) -> list[published.Comparison]:
    """What a choice by another machine's measured speeds would be worth here: those stand in for published ones."""
    there = {
        (row.subject.task, row.subject.title): row
        for row in leaderboard.best_forms(leaderboard.newest(others))
        if row.scope == "pipeline"
    }
    taken = []
    for row in rows:
        other = there.get((row.subject.task, row.subject.title))
        if other is not None:
            named = leaderboard.machine_name(other.key.hardware, machines[other.key.hardware])
            what = replace(row.subject, published_ms=other.p90_ms(), published_on=named, published_at="")
            taken.append(replace(row, subject=what))
    return [one for one in published.static_comparison(taken) if one.form == published.ANY_FORM]


def page(
    rows: Sequence[Row],
    machines: dict[str, dict[str, Any]],
    pictures: Sequence[Path],
    compared: Sequence[published.Comparison],
) -> str:
    latest = leaderboard.newest(rows)
    models = {(row.subject.task, row.subject.model) for row in latest}
    everywhere = [
        model
        for model in models
        if len({r.key.engine for r in latest if (r.subject.task, r.subject.model) == model and r.scope}) >= 3
    ]
    named = ", ".join(leaderboard.machine_name(key, machine) for key, machine in machines.items())
    measured = sum(row.state == "measured" for row in latest)
    parts = [
        "# What was measured",
        "<!-- Written by tools/write_profiles.py from benchmarks/records; edit that and run the tool again. -->",
        f"{named}, one thread per model, whole pipeline from the encoded image to the answer, networks untrained. "
        f"{words.plural(len(models), 'model')} of four tasks, {words.plural(measured, 'form')} measured; "
        f"{len(everywhere)} models on three engines or more. [How it is measured](MEASURING.md). "
        "[Every row](profiles/leaderboard.csv).",
        "## Engines, tasks and precisions",
        "From what really ran: how many models were measured, and why others were not.",
        leaderboard.support_table(rows).strip(),
        "Engines that could not run on this machine: " + absent() + ".",
        "## Quality over speed",
        "Quality is what the toolboxes quote for the weights they publish, never a promise about your data.",
        *(f"![{path.stem}](profiles/{path.name})" for path in pictures),
        "## The fastest of each task",
        fastest(rows, machines),
        "## What a published speed is worth",
        "The toolboxes publish times on data-centre GPUs for some detectors, each at the input it was trained for. "
        "Here they stand beside the time on this machine, at the input given.",
        published.comparison_text(published.static_comparison(rows)).strip(),
        beside(latest),
    ]
    if compared:
        parts += [
            "## What the speed on another machine is worth",
            "The same with speeds that edge measured on another processor, each model in its fastest form there.",
            published.comparison_text(compared).strip(),
        ]
    return "\n\n".join(parts) + "\n"


def absent() -> str:
    found = []
    for name in BACKENDS:
        status = backend(name).status()
        if not status.available:
            found.append(f"{words.ENGINES.get(name, name)} ({status.hint})")
    return "; ".join(found) or "none"


def fastest(rows: Sequence[Row], machines: dict[str, dict[str, Any]]) -> str:
    """The first of each leaderboard."""
    boards = [replace(b, entries=b.entries[:SHOWN]) for b in leaderboard.boards(rows) if b.scope]
    _, _, below_the_title = leaderboard.markdown_text(boards, machines).partition("\n")
    return below_the_title.replace("\n## ", "\n### ").strip()


def beside(latest: Sequence[Row]) -> str:
    """Published and measured milliseconds of the models that have both, fastest published first."""
    both = [row for row in leaderboard.best_forms(latest) if row.subject.published_ms and row.scope]
    lines = ["| Model | Published | On | Measured here, median | As |", "|---|---:|---|---:|---|"]
    for row in sorted(both, key=lambda row: row.subject.published_ms or 0):
        what = row.subject
        lines.append(
            f"| {what.title} | {what.published_ms:g} ms at {what.published_at} "
            f"| {leaderboard.markdown(what.published_on)} "
            f"| {words.milliseconds(row.median_ms())} | {row.key.engine} {row.key.precision} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
