"""The report of a job as one HTML page that needs nothing else: no network, no font, no script.

Fills page.html.j2 with the rows of tables.py, the plots, and the pictures as base64. Knows no step; decides nothing.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from edge.records import Measured, Request, Story
from edge.report import forms, tables, words
from edge.report.names import same
from edge.report.plots import curve_words, forms_hidden, learning_curve_svg, speed_svg
from zoo.tasks import TASKS

LIST_MOST = 12
"""Skipped and leaked images named in the page; the rest is counted, because a bad data set can have thousands."""


def render(story: Story) -> str:
    """The page; ends in a newline and always encodes to UTF-8."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    room = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(room), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        name: getattr(words, name)
        for name in ("count", "amount", "size", "milliseconds", "rate", "share", "duration", "short", "sentence",
                     "sentence_start", "plural", "printable", "named_engines")
    }  # fmt: skip
    title = tables.metric_title(story.request, story.verified.metric_name)
    chosen, packed = _chosen_as_measured(story), forms.packed(story)
    page: str = environment.get_template("page.html.j2").render(
        story=story,
        forms=forms,
        tables=tables,
        words=words,
        css=Markup((room / "page.css").read_text(encoding="utf-8")),
        overall=words.OVERALL.get(story.verified.overall, story.verified.overall.upper()),
        subject=subject(story.request),
        metric_title=title,
        metric_bars=_metric_bars(story, title),
        request_pieces=request_pieces(story.request),
        speed_plot=Markup(speed_svg(story.measurements, story.request.limits.min_fps, chosen, packed)),
        hidden=forms_hidden(story.measurements, chosen, packed),
        curve_plot=Markup(learning_curve_svg(story.trained.curve, title)),
        curve_words=curve_words(story.trained.curve, title),
        pictures=[(base64.b64encode(picture.jpeg).decode(), picture) for picture in story.pictures],
        best_trial=_best_trial(story),
        list_most=LIST_MOST,
    )
    # a file name that is no UTF-8 arrives as lone surrogates, which no file can hold
    return page.encode("utf-8", "backslashreplace").decode() + "\n"


def subject(request: Request) -> str:
    """What was made, as a title: "Image classification: circle, square and triangle"."""
    task = words.TASK_WORDS.get(request.task, request.task)
    return f"{task}: {words.listing(request.objects, 5)}" if request.objects else task


def request_pieces(request: Request) -> list[tuple[str, str]]:
    """The request cut into (words, field) where a span stands in it, (words, "") elsewhere; joined it is the text."""
    text, found = request.text, []
    for field, span in request.spans.items():
        start = text.find(span)
        if span and start >= 0:
            found.append((start, start + len(span), field))
    pieces, end = [], 0
    for start, stop, field in sorted(found, key=lambda item: (item[0], -item[1])):
        if start < end:  # inside a longer span
            continue
        pieces += [(text[end:start], ""), (text[start:stop], field)]
        end = stop
    return [piece for piece in [*pieces, (text[end:], "")] if piece[0]]


def _chosen_as_measured(story: Story) -> Measured:
    chosen = story.choice.chosen
    return next((m for m in story.measurements.candidates if same(m, chosen)), chosen)


def _best_trial(story: Story) -> int | None:
    """Number of the trial whose settings were used for training."""
    scored = [t for t in story.tuned.trials if t.score is not None and t.hyperparameters == story.tuned.best]
    return max(scored, key=lambda trial: trial.score or 0.0).number if scored else None


def _metric_bars(story: Story, title: str) -> list[dict[str, Any]]:
    """The test metric, the trivial baseline and the asked values on one scale of 0..1."""
    verified = story.verified
    bars = [
        {"name": "This model", "value": verified.metric, "kind": "own"},
        {"name": f"Trivial guess: {verified.baseline_title}", "value": verified.baseline, "kind": "base"},
    ]
    task = TASKS.get(story.request.task)
    same = {verified.metric_name.casefold(), title.casefold()}
    same |= {task.metric_name.casefold()} if task is not None and task.metric_title == title else set()
    for target in story.request.targets:
        # another metric has another scale: only the checks may speak about it
        if target.name.casefold() in same:
            bars.append(
                {
                    "name": f"Asked for: at least {words.asked_share(target.value)}",
                    "value": target.value,
                    "kind": "asked",
                }
            )
    return bars
