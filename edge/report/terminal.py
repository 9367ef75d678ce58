"""What a person reads on the terminal while a job runs: tables and one calm line per step, all on stderr.

Words from outside are printed as they are: never as markup, control characters as escapes. Colour only on a terminal,
and never as the only sign. Knows no step; the pipeline says what to print.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from edge.records import Choice, Exported, Measurements, Origin, Request, Verified
from edge.report import forms, tables, words

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from edge.report.forms import FormRow
    from edge.report.tables import ModelRow
    from llm_gguf.batch import Benchmark

ROOMY, NARROW = 100, 60
"""Columns: from ROOMY on sizes are shown too; below NARROW only what decides."""
STEP_WIDTH = 11
NUMBERS = {"parameters", "MACs", "median", "p90", "speed", "size", "memory", "metric", "in fp32", "speed-up"}
RESULT_STYLES = {"met": "green", "missed": "bold red", "unchecked": "yellow"}
VERDICT_STYLES = {"PASS": "green", "FAIL": "red", "UNDECIDED": "yellow", "ERROR": "red", "OVER LIMIT": "red"}


def understood(request: Request, console: Console | None = None) -> None:
    """The request field by field, then, if there are any, the disagreements and the wishes nobody can check."""
    console = console or _stderr()
    table = _table(console, "Understood", "field", "value", "from the words", "readings")
    for row in tables.understood_rows(request):
        readings = ("agree" if row.agreed else "differ") if row.words or not row.agreed else ""
        _row(table, row.field.lower(), row.value, "; ".join(row.words), readings, styles={"differ": "yellow"})
    console.print(table)
    if request.disagreements:
        lines(
            "Read in two ways:",
            [f"{d.field}: {d.model_reading} (language model), {d.reader_reading} (fixed rules)"
             for d in request.disagreements],
            console,
        )  # fmt: skip
    overruled = f"; the grammar overruled it {request.forced} times" if request.forced else ""
    _say(console, f"The language model is {request.confidence:.0%} sure of the whole reading{overruled}.")
    if request.unchecked:
        lines("Asked for, but nothing that can be checked:", request.unchecked, console)


def benchmark(done: Benchmark, console: Console | None = None) -> None:
    """Shares per key and per task of a scored file of requests, what was read wrong, and what it cost."""
    console = console or _stderr()
    score = done.score
    keys = _table(console, f"{score.requests} requests", "key", "right")
    for key, share in score.keys.items():
        _row(keys, key, f"{share:.1%}")
    tasks = _table(console, "By task", "task", "requests right")
    for task, (right, count) in score.tasks.items():
        _row(tasks, task, f"{right} of {count}")
    total = _table(console, "In all", "rule", "share")
    for rule, share in (
        ("requests right, strict: all nine keys", score.request_level),
        ("requests right, literal: as written in the gold", score.literal),
        ("keys right", score.key_level),
        ("requests with an invented wish", score.invented),
        ("data sets right (not one of the nine)", score.dataset),
    ):
        _row(total, rule, f"{share:.1%}")
    for table in (keys, tasks, total):
        console.print(table)
        console.print()
    wrong = [f"{o.id}: {o.refusal or ', '.join(o.wrong)}" for o in done.outcomes if o.wrong]
    if wrong:
        lines("Read wrong:", wrong, console)
    cost = f"{done.median_seconds:.2f} s a request (median), {done.slowest_seconds:.2f} s at most"
    _say(console, f"{cost}, {done.peak_mib:.0f} MiB")


def models(rows: Iterable[ModelRow], console: Console | None = None) -> None:
    """The language models that can be pulled; on a narrow terminal only which, how large, and whether it is there."""
    console = console or _stderr()
    roomy, narrow = console.width >= ROOMY, console.width < NARROW
    heads = ["model", *([] if narrow else ["parameters"]), "size", *([] if narrow else ["memory", "licence"]), "state"]
    table = _table(console, "Language models", *heads, *(["good for"] if roomy else []))
    for row in rows:
        cells = [row.name, *([] if narrow else [row.parameters]), row.size]
        cells += [*([] if narrow else [row.memory, row.licence]), row.state, *([row.good_for] if roomy else [])]
        _row(table, *cells, styles={"pulled": "green"})
    console.print(table)


def candidates(
    measurements: Measurements,
    choice: Choice | None = None,
    console: Console | None = None,
    exported: Exported | None = None,
) -> None:
    """Each network with its forms below, the chosen form marked "*", and what was left out with its reasons."""
    console = console or _stderr()
    roomy, narrow = console.width >= ROOMY, console.width < NARROW
    heads = ["model", *(["parameters", "MACs", "median"] if roomy else []), *([] if narrow else ["p90"]), "speed"]
    heads += ["verdict", *([] if narrow else ["why not chosen"])]
    table = _table(console, f"Measured ({measurements.scope})", *heads)
    for network in forms.network_rows(measurements, choice, exported):
        cells = [network.name, *([network.parameters, network.macs, ""] if roomy else [])]
        cells += [*([] if narrow else [""]), "", network.verdict_words, *([] if narrow else [network.note])]
        _row(table, *cells, style="bold" if network.chosen else "",
             styles={network.verdict_words: VERDICT_STYLES.get(network.verdict)})  # fmt: skip
        for row in network.forms:
            _row(table, *_form_cells(row, roomy, narrow), style="bold" if row.chosen else "",
                 styles={row.verdict_words: VERDICT_STYLES.get(row.verdict)})  # fmt: skip
    console.print(table)
    _say(console, words.sentence(forms.coverage(measurements)))
    for title, told in (
        ("Noted while measuring:", forms.doubts(measurements)),
        ("Not measured:", forms.left_out(measurements)),
        ("Cannot run here:", forms.refused_lines(measurements)),
    ):
        if told:
            lines(title, told, console)


def precisions(exported: Exported, console: Console | None = None) -> None:
    """What each lower precision gave and cost on the trained network; nothing where none was tried."""
    console = console or _stderr()
    if not exported.trials:
        return
    narrow = console.width < NARROW
    heads = ["form", *([] if narrow else ["metric", "in fp32"]), "speed-up", "result", *([] if narrow else ["reason"])]
    table = _table(console, "Lower precision, on the trained network", *heads)
    for row in forms.trial_rows(exported):
        cells = [row.form, *([] if narrow else [row.metric, row.full_metric]), row.speedup, row.kept]
        _row(table, *cells, *([] if narrow else [row.reason]), style="bold" if row.kept == "kept" else "")
    console.print(table)


def origin(found: Origin, console: Console | None = None) -> None:
    """What training starts from, and why."""
    start = f"from {found.words}, {found.source}" if found.name else f"{found.words}: {found.source}"
    _say(console or _stderr(), words.sentence(f"training starts {start}"))


def checks(verified: Verified, console: Console | None = None) -> None:
    """The verdict line by line, how the model held out, then the overall word."""
    console = console or _stderr()
    table = _table(console, "Checked", "check", "wanted", "measured", "result")
    for check in verified.checks:
        _row(table, check.name, check.wanted, check.seen, check.result,
             styles={check.result: RESULT_STYLES.get(check.result)})  # fmt: skip
    console.print(table)
    if verified.endured is not None:
        _say(console, tables.endurance(verified.endured))
    _say(console, f"Result: {words.OVERALL.get(verified.overall, verified.overall.upper())}", style="bold")


def plain(heads: Mapping[str, bool], rows: Iterable[Sequence[str]], console: Console | None = None) -> None:
    """A table without a title; `heads` says of each column whether it holds numbers."""
    from rich import box
    from rich.table import Table

    console = console or _stderr()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for head, number in heads.items():
        table.add_column(head, justify="right" if number else "left", overflow="fold")
    for row in rows:
        _row(table, *row)
    console.print(table)


def lines(title: str, items: Iterable[str], console: Console | None = None) -> None:
    """A title and one dash per item, wrapped with a hanging indent: why nothing fits, what would, what was left out."""
    from rich.padding import Padding
    from rich.table import Table

    console = console or _stderr()
    _say(console, title)
    grid = Table.grid(padding=(0, 1))
    for item in items:
        _row(grid, "-", item)
    console.print(Padding(grid, (0, 0, 0, 2)))


def say_step(step: str, state: str, seconds_so_far: float, console: Console | None = None) -> None:
    """One line, never wrapped: the step, where it stands, and the time so far."""
    from rich.text import Text

    console = console or _stderr()
    time = words.duration(seconds_so_far)
    told = Text(words.printable(state))
    told.truncate(max(console.width - len(time) - STEP_WIDTH - 2, 8), overflow="ellipsis", pad=True)
    name = words.printable(step).ljust(STEP_WIDTH)
    console.print(Text.assemble((name, "bold"), told, " ", (time, "dim")), soft_wrap=True)


def _form_cells(row: FormRow, roomy: bool, narrow: bool) -> list[str]:
    cells = [f"{'*' if row.chosen else ' '} {row.name}"]
    # that there is no time is said once, in the column of the speed
    cells += ["", "", row.median if row.timed else ""] if roomy else []
    cells += [] if narrow else [row.p90 if row.timed else ""]
    cells += [row.fps, row.verdict_words]
    return cells + ([] if narrow else [row.remark])


def _stderr() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def _table(console: Console, title: str, *heads: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False,
                  padding=(0, 1, 0, 0), show_edge=False, header_style="dim" if console.is_terminal else "")  # fmt: skip
    for head in heads:
        number = head in NUMBERS
        whole = (
            number or head in ("form", "verdict", "result", "state") or (head == "model" and console.width >= NARROW)
        )
        table.add_column(head, justify="right" if number else "left", no_wrap=whole, overflow="fold")
    return table


def _row(table: Table, *cells: str, style: str = "", styles: dict[str, str | None] | None = None) -> None:
    from rich.text import Text

    told = [Text(words.printable(cell), style=(styles or {}).get(cell) or "", overflow="fold") for cell in cells]
    table.add_row(*told, style=style)


def _say(console: Console, text: str, style: str = "") -> None:
    from rich.text import Text

    console.print(Text(words.printable(text), style=style))
