"""The model card of a package: README.md in Markdown, with what the model is for, how to run it, and where it ends.

Renders the same rows as the HTML report. Knows no step; names and words from outside are escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from edge.records import Story
from edge.report import forms, tables, words

ANSWERS = {
    "classification": "one class for the whole image, with a score between 0 and 1 for each class",
    "multilabel-classification": "a score between 0 and 1 for each class; several can hold at once",
    "detection": "boxes in pixels of the image, each with a class and a score between 0 and 1",
    "segmentation": "one class for each pixel of the image",
    "instance-segmentation": "one mask per object, each with a class and a score between 0 and 1",
    "keypoint": "named points in pixels of the image for each box, each with a score",
}


def model_card(story: Story) -> str:
    """The card as Markdown, ending in a newline; always encodes to UTF-8."""
    parts = [
        *_opening(story),
        *_use(story),
        *_speed(story),
        *_forms(story),
        *_precision(story),
        *_quality(story),
        *_data(story),
        *_training(story),
        *_limits(story),
        *_licence(story),
    ]
    return "\n\n".join(parts).encode("utf-8", "backslashreplace").decode() + "\n"


def _opening(story: Story) -> list[str]:
    request, verified = story.request, story.verified
    task = words.TASK_WORDS.get(request.task, request.task)
    checks = [[c.name, c.wanted, c.seen, c.result] for c in verified.checks]
    overall = words.OVERALL.get(verified.overall, verified.overall.upper())
    return [
        f"# {_text(task)}: {_text(words.listing(story.gathered.classes, 5))}",
        f"**{overall}.** {_text(tables.headline(story))}",
        "Made from this request:",
        "> " + _text(request.text),
        *_table(["Check", "Wanted", "Measured", "Result"], checks),
    ]


def _use(story: Story) -> list[str]:
    card = story.choice.chosen.card
    box = " --box x,y,w,h" if story.request.task == "keypoint" else ""
    return [
        "## How to run it",
        f"```sh\nedge run . IMAGE{box}\n```",
        f"- In: one image file. It is brought to {words.times(card.width, card.height)} pixels on the way in.\n"
        f"- Out: {ANSWERS.get(story.request.task, 'see model.json')}.\n"
        f"- Classes ({len(story.gathered.classes)}): {_text(', '.join(story.gathered.classes)) or 'none'}.\n"
        f"- Engine: {_text(forms.packed_name(story))}, {words.plural(story.measurements.threads, 'thread')}.\n"
        f"- Model: {_text(forms.chosen_name(story))}, {words.amount(story.choice.chosen.parameters)} parameters, "
        f"{words.amount(story.choice.chosen.flops)} multiply-accumulate operations per image, "
        f"{words.size(story.exported.model_bytes)} on disk.",
    ]


def _speed(story: Story) -> list[str]:
    rows = [[r.what, r.scope, r.samples, r.median, r.p90, r.p99, r.fps] for r in tables.timing_rows(story)]
    heads = ["Measured", "Scope", "Images", "Median", "p90", "p99", "Speed at p90"]
    return [
        "## Speed",
        f"Measured on {_text(tables.processor(story.measurements.hardware))}. p90 is the time within which nine of "
        f"ten images are answered. The scope that counts is *{_text(story.measurements.scope)}*.",
        *(_table(heads, rows) or ["Speed: not measured."]),
        *([] if story.verified.timings else ["The packed file was not timed again after training."]),
        _text(tables.endurance(story.verified.endured)),
        _text(tables.same_files(story)[1]),
    ]


def _forms(story: Story) -> list[str]:
    """The chosen network's forms beside each other, and what could not take part."""
    network = forms.chosen_row(story)
    rows = [] if network is None else [
        [r.engine, r.precision, r.median, r.p90, r.speedup, r.verdict_words, r.remark] for r in network.forms
    ]  # fmt: skip
    heads = ["Engine", "Precision", "Median", "p90", "Speed-up over fp32", "Verdict", ""]
    left_out, refused = forms.left_out(story.measurements), forms.refused_lines(story.measurements)
    return [
        "## Engines and precisions",
        f"{_text(forms.chosen_name(story))} in every form that was measured, before training. The speed-up is that of "
        "the median over fp32 on the same engine.",
        *(_table(heads, rows) or ["No form was recorded."]),
        _text(words.sentence(forms.coverage(story.measurements))) + (" Skipped:" if left_out else ""),
        *([_items(left_out)] if left_out else []),
        *(["Could not run on this machine:", _items(refused)] if refused else []),
    ]


def _precision(story: Story) -> list[str]:
    """Lower precisions of the trained network, if any was tried."""
    rows = [[r.form, r.metric, r.full_metric, r.speedup, r.kept, r.reason] for r in forms.trial_rows(story.exported)]
    if not rows:
        return []
    title = words.sentence_start(tables.metric_title(story.request, story.verified.metric_name))
    heads = ["Form", title, "The same in fp32", "Speed-up", "Result", "Reason"]
    return [
        "## Lower precision after training",
        "Made from the trained weights, scored on validation images, timed beside fp32 in the same minutes.",
        *_table(heads, rows),
    ]


def _quality(story: Story) -> list[str]:
    verified = story.verified
    title = tables.metric_title(story.request, verified.metric_name)
    rows = [
        ["This model", words.share(verified.metric)],
        [f"Trivial guess: {verified.baseline_title}", words.share(verified.baseline)],
    ]
    interval = tables.accuracy_interval(story)
    images = words.plural(story.gathered.counts.get("test", 0), "test image")
    doubt = [] if interval is None else [
        f"With {images} the figure is itself uncertain: between {words.share(interval[0])} and "
        f"{words.share(interval[1])} (95 % score interval)."
    ]  # fmt: skip
    return [
        "## Quality",
        f"On {images} that were used neither for training nor for choosing, answered by the packed file.",
        *_table(["", words.sentence_start(title)], rows),
        *doubt,
    ]


def _data(story: Story) -> list[str]:
    data = story.gathered
    counts = ", ".join(f"{words.count(number)} {split}" for split, number in data.counts.items()) or "none recorded"
    return [
        "## Data",
        "".join(f"- {_text(name)}: {_text(facts)}\n" for name, facts in tables.source_rows(data))
        + f"- Format: {_text(data.format)}\n"
        f"- Images: {_text(counts)}\n"
        f"- Typical image: {words.times(data.median_width, data.median_height)} pixels\n"
        f"- Left out because they could not be read: {words.count(len(data.skipped))}\n"
        f"- Removed because the same image stood in two parts: {words.count(len(data.leaks_removed))}\n"
        f"- Fingerprint (sha256): `{data.dataset_sha256}`",
    ]


def _training(story: Story) -> list[str]:
    trained, best = story.trained, story.tuned.best
    why = _text(story.tuned.origin.source)
    if trained.start == "from scratch":
        start = f"from scratch (random weights{'; ' + why if why else ''})"
    else:
        start = f"from {_text(trained.start)}{', ' + why + ',' if why else ''}"
    title = tables.metric_title(story.request, story.verified.metric_name)
    return [
        "## Training",
        f"Trained {start} for {words.count(trained.iterations)} of {words.count(trained.planned_iterations)} planned "
        f"iterations in {words.duration(trained.seconds)}; kept is iteration {words.count(trained.best_iteration)} "
        f"with {words.share(trained.validation)} {_text(title)} on validation images.",
        f"Settings, the best of {words.plural(len(story.tuned.trials), 'trial')}: {_text(best.optimizer)}, "
        f"learning rate {words.short(best.learning_rate)}, weight decay {words.short(best.weight_decay)}, batch size "
        f"{best.batch_size}, mirrored images {'yes' if best.flip else 'no'}, scale jitter "
        f"{words.short(best.scale_jitter)}{', images of rare classes repeated' if best.balance else ''}.",
    ]


def _limits(story: Story) -> list[str]:
    missed = [check for check in story.verified.checks if check.result == "missed"]
    lines = [f"Missed: {check.name}. Wanted {check.wanted}, measured {check.seen}" for check in missed]
    verified = story.verified
    if verified.metric is not None and verified.baseline is not None and verified.metric <= verified.baseline:
        lines.append("The model is no better than the trivial guess")
    if story.request.task == "classification":
        lines.append("It knows the classes above and no other: an image of anything else is still given one of them")
    lines += [
        "The quality holds for images like those of the data set; other cameras, places or light were not tested",
        "The speed holds for the machine named above",
    ]
    open_ = tables.not_checked(story)
    return [
        "## Limits of use",
        _bullets(lines),
        "## What was not checked",
        _bullets(open_) if open_ else "Every stated requirement was checked.",
    ]


def _licence(story: Story) -> list[str]:
    card = story.choice.chosen.card
    versions = ", ".join(f"{name} {version}" for name, version in story.versions.items())
    return [
        "## Licence",
        f"Architecture: {_text(card.name)} of {_text(card.toolbox)}, {_text(card.licence)}. "
        "The terms of your images are not known here.",
        "## Made with",
        f"{_text(versions) or 'Versions: unavailable'}.",
        f"Model files, sha256: `{story.exported.artefact_sha256}`",
    ]


def _bullets(lines: Iterable[str]) -> str:
    return _items(map(words.sentence, lines))


def _items(lines: Iterable[str]) -> str:
    """As they are: names of models begin small."""
    return "\n".join(f"- {_text(line)}" for line in lines)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table, or nothing when it has no rows."""
    if not rows:
        return []
    lines = [[_text(head) for head in heads], ["---"] * len(heads), *([_text(cell) for cell in row] for row in rows)]
    return ["\n".join(f"| {' | '.join(line)} |" for line in lines)]


def _text(text: str) -> str:
    """One line of plain text: what Markdown or HTML would read as a sign is escaped."""
    return re.sub(r"([\\`*_\[\]<>|#&~!])", r"\\\1", words.printable(text))
