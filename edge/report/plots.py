"""Two plots as SVG text: the learning curve and the measured speeds. Knows no page.

Text stays text and colours are CSS variables with a fallback, so a page can recolour them and the files stand alone.
The same records give the same bytes.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.records import CurvePoint, Measured, Measurements
from edge.report.names import form_name, network_names, same
from edge.report.words import NOT_MEASURED, asked_rate, plural, rate, share
from zoo.models import ModelCard

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, GRID, ACCENT, BAR = "#1c2230", "#5d6678", "#e3e6ec", "#2f5bb7", "#b9c1cf"
VARIABLES = {INK: "--plot-ink", MUTED: "--plot-muted", GRID: "--plot-grid", ACCENT: "--plot-accent", BAR: "--plot-bar"}
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, sans-serif"
HALO = "paint-order: stroke; stroke: var(--plot-paper, #ffffff); stroke-width: 3px; stroke-linejoin: round"
"""Keeps words readable where a line crosses them."""
WIDTH_IN = 7.6
POINTS = 9.5
NAME_MOST = 34
"""Longer model names are cut in the chart; the table beside it has them whole."""
BARS_MOST = 24
"""More would not be read: then each network shows its fastest forms alone."""
ROW_IN, GAP = 0.25, 0.3


@dataclass(frozen=True)
class _Bar:
    form: str
    fps: float | None
    marked: bool
    words: str


@dataclass(frozen=True)
class _Group:
    """One network: the bars shown, fastest first, and how many forms are left to the table."""

    name: str
    bars: tuple[_Bar, ...]
    hidden: int


def learning_curve_svg(curve: Sequence[CurvePoint], metric_title: str) -> str:
    """Training loss above, validation metric (0..1) below, over the same iterations; the best value is marked."""
    loss = [(p.iteration, p.loss) for p in curve if p.loss is not None and math.isfinite(p.loss)]
    validation = [
        (p.iteration, p.validation) for p in curve if p.validation is not None and math.isfinite(p.validation)
    ]
    panels = [panel for panel in ((loss, "Training loss"), (validation, f"Validation: {metric_title}")) if panel[0]]
    if not panels:
        return _nothing("No learning curve was recorded.")
    figure = _figure(1.75 * len(panels) + 0.35)
    grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False)
    for axes, (points, title) in zip(grid[:, 0], panels, strict=True):
        _frame(axes)
        _say(axes.set_title(title, loc="left", fontsize=POINTS, color=INK, pad=8))
        axes.plot(*zip(*points, strict=True), color=MUTED if points is loss else ACCENT, linewidth=1.4,
                  marker="o" if len(points) < 25 else "", markersize=3.2)  # fmt: skip
        axes.grid(axis="y", color=GRID, linewidth=0.8)
    if validation:
        _validation_panel(grid[-1, 0], validation)
    grid[-1, 0].set_xlabel("Iteration", color=MUTED, fontsize=POINTS)
    _whole_iterations(grid[-1, 0], [iteration for points, _ in panels for iteration, _ in points])
    height = figure.get_size_inches()[1]
    figure.subplots_adjust(left=0.075, right=0.985, top=1 - 0.3 / height, bottom=0.5 / height, hspace=0.42)
    return _svg(figure, "curve", f"Line chart: {curve_words(curve, metric_title)}")


def curve_words(curve: Sequence[CurvePoint], metric_title: str) -> str:
    """The learning curve as a sentence, for those who do not see it."""
    loss = [p.loss for p in curve if p.loss is not None and math.isfinite(p.loss)]
    validation = [p for p in curve if p.validation is not None and math.isfinite(p.validation)]
    parts = []
    if loss:
        parts.append(f"the loss went from {loss[0]:.3g} to {loss[-1]:.3g}")
    if validation:
        best = max(validation, key=lambda p: p.validation or 0.0)
        parts.append(f"{metric_title} on validation images was highest at iteration {best.iteration:,} "
                     f"with {share(best.validation)}")  # fmt: skip
    text = "; ".join(parts) or "no learning curve was recorded"
    return f"{text[0].upper()}{text[1:]}."


def speed_svg(
    measurements: Measurements, min_fps: float | None, chosen: Measured | None, packed: Measured | None = None
) -> str:
    """Frames per second at p90 in the bound scope: a bar per form below its network, fastest first.

    A line stands at the asked speed. With very many forms each network shows its fastest.
    """
    groups = _groups(measurements, chosen, packed)
    if not groups:
        return _nothing("No candidate was measured.")
    rows = sum(len(group.bars) + 1 + GAP for group in groups) - GAP
    figure = _figure(ROW_IN * rows + 0.85)
    axes = figure.subplots()
    _frame(axes)
    top = max([bar.fps or 0.0 for group in groups for bar in group.bars] + [min_fps or 0.0]) or 1.0
    axes.set_xlim(0, top * 1.24)
    axes.set_ylim(rows - 0.45, -0.6)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.4g}" if value < 1e4 else f"{value:,.0f}")
    if min_fps is not None:
        axes.axvline(min_fps, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
        _say(axes.text(min_fps, -0.68, f"asked: {asked_rate(min_fps)}", fontsize=POINTS, color=INK,
                       ha="left" if min_fps < top * 0.8 else "center"))  # fmt: skip
    axes.set_xlabel("Frames per second that nine of ten images keep up with (1000 / p90 ms)", color=MUTED)
    axes.xaxis.label.set_fontsize(POINTS)
    height = figure.get_size_inches()[1]
    left = (0.075 * max(len(bar.form) for group in groups for bar in group.bars) + 0.2) / WIDTH_IN
    figure.subplots_adjust(left=left, right=0.965, top=1 - 0.28 / height, bottom=0.48 / height)
    _draw(axes, groups, top, -left / (0.965 - left))
    return _svg(figure, "speed", speed_words(measurements, min_fps, chosen, packed))


def speed_words(
    measurements: Measurements, min_fps: float | None, chosen: Measured | None, packed: Measured | None = None
) -> str:
    """The bars in words."""
    groups = _groups(measurements, chosen, packed)
    told = ". ".join(f"{g.name}: {'; '.join(f'{bar.form} {bar.words}' for bar in g.bars)}" for g in groups)
    hidden = sum(group.hidden for group in groups)
    rest = f" {plural(hidden, 'other form')} in the table alone." if hidden else ""
    return f"Bar chart. {told}.{rest}" + (f" Asked: {asked_rate(min_fps)}." if min_fps is not None else "")


def forms_hidden(measurements: Measurements, chosen: Measured | None, packed: Measured | None = None) -> int:
    """How many forms the chart leaves to the table."""
    return sum(group.hidden for group in _groups(measurements, chosen, packed))


def _draw(axes: Axes, groups: Sequence[_Group], top: float, left: float) -> None:
    """Each network's name from `left` on (a share of the axes' width), its bars below."""
    row, ticks = 0.0, []
    for group in groups:
        _say(axes.text(left, row + 0.08, group.name, transform=axes.get_yaxis_transform(), va="center",
                       fontsize=POINTS, color=INK, weight="bold"))  # fmt: skip
        for bar in group.bars:
            row += 1
            ticks.append((row, bar.form))
            axes.barh(row, bar.fps or 0.0, height=0.62, color=ACCENT if bar.marked else BAR, linewidth=0)
            _say(axes.text((bar.fps or 0.0) + top * 0.012, row, bar.words, va="center", fontsize=POINTS, color=INK,
                           weight="bold" if bar.marked else "normal"))  # fmt: skip
        row += 1 + GAP
    axes.set_yticks([at for at, _ in ticks])
    for label in axes.set_yticklabels([form for _, form in ticks]):
        _say(label)
        label.set_color(INK)


def _groups(measurements: Measurements, chosen: Measured | None, packed: Measured | None) -> list[_Group]:
    """Networks by their fastest form; those ruled out by counting have no bar, on purpose: the table says why."""
    names = network_names(measurements.candidates)
    bars: dict[ModelCard, list[_Bar]] = {}
    for candidate in measurements.candidates:
        if candidate.engine:
            bar = _bar(candidate, measurements.scope, chosen, packed)
            bars.setdefault(candidate.card, []).append(bar)
    most = BARS_MOST if len(bars) == 1 else max(1, BARS_MOST // max(len(bars), 1))
    groups = []
    for card, found in bars.items():
        found.sort(key=lambda bar: (-(bar.fps or 0.0), bar.form))
        shown = tuple(bar for place, bar in enumerate(found) if place < most or bar.marked)
        name = names[card]
        short = name if len(name) <= NAME_MOST else f"{name[: NAME_MOST - 1]}…"
        groups.append(_Group(short, shown, len(found) - len(shown)))
    return sorted(groups, key=lambda group: (-(group.bars[0].fps or 0.0), group.name))


def _bar(candidate: Measured, scope: str, chosen: Measured | None, packed: Measured | None) -> _Bar:
    timing = candidate.timing(scope)
    fps = timing.fps if timing and math.isfinite(timing.fps) else None
    marks = [word for word, item in (("chosen", chosen), ("packed", packed)) if same(candidate, item)]
    if same(candidate, chosen) and same(candidate, packed):
        marks = ["chosen"]  # the same form all the way needs one word
    words = NOT_MEASURED if fps is None else rate(fps)
    return _Bar(form_name(candidate), fps, bool(marks), ", ".join([words, *marks]))


def _validation_panel(axes: Axes, points: list[tuple[int, float]]) -> None:
    """Percent, and the best point labelled; the label goes below when the value is near the top."""
    axes.yaxis.set_major_formatter(lambda value, _: f"{value * 100:.3g} %" if value < 1.0001 else "")
    low, high = min(value for _, value in points), max(value for _, value in points)
    margin = max((high - low) * 0.18, 0.02)
    axes.set_ylim(low - margin, high + margin * 1.6)
    iteration, value = max(points, key=lambda point: point[1])
    axes.plot([iteration], [value], marker="o", markersize=6, color=ACCENT)
    late = iteration > 0.6 * max(i for i, _ in points)
    axes.annotate(f"best {share(value)}", (iteration, value), (-7 if late else 7, 5), textcoords="offset points",
                  ha="right" if late else "left", fontsize=POINTS, color=INK)  # fmt: skip


def _whole_iterations(axes: Axes, iterations: list[int]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    last = max(iterations)
    axes.set_xlim(min(0, *iterations) if len(iterations) > 1 else 0, last + max(1, last * 0.015))


def _figure(height_in: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH_IN, height_in), facecolor="none")


def _frame(axes: Axes) -> None:
    """A quiet frame: baseline only, no box."""
    axes.set_facecolor("none")
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    axes.tick_params(colors=MUTED, labelsize=POINTS, length=3)
    axes.tick_params(axis="y", length=0)


def _say(text: Any) -> None:
    # names may hold "$", which matplotlib would read as a formula
    text.set_parse_math(False)


def _nothing(words: str) -> str:
    figure = _figure(0.7)
    figure.text(0.01, 0.5, words, va="center", fontsize=POINTS + 1, color=MUTED)
    return _svg(figure, "nothing", words)


def _svg(figure: Figure, salt: str, words: str) -> str:
    """The figure as an <svg> element: no prolog, no metadata, no ids of its own that two plots could share."""
    import io

    import matplotlib

    file = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}), warnings.catch_warnings():
        # the reader's browser draws the text, so a glyph missing from matplotlib's own font does not matter
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r' width="[\d.]+pt" height="[\d.]+pt"', "", text, count=1)
    text = text.replace("xlink:href", "href").replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "")
    # every "*" rule of an inline <svg> would hold for the whole page
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"font-family: [^;\"]*", f"font-family: {FONT}; {HALO}", text)
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var({variable}, {colour})")
    return text.replace("<svg ", f'<svg role="img" aria-label="{_attribute(words)}" ', 1).strip()


def _attribute(words: str) -> str:
    from xml.sax.saxutils import escape

    return escape(words, {'"': "&quot;"})
