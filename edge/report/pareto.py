"""Quoted quality against measured speed as a picture, with the front of what is worth having. Knows no database.

One chart holds what can be compared: one task, one machine, one power mode, one scope, one benchmark of quality.
"""

from __future__ import annotations

import io
import itertools
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.profiling.row import Row
from edge.report import plots, words
from edge.report.leaderboard import grouped, machine_name, model_names, newest, place, setting
from edge.workdir import write_atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT_IN = 4.9
DPI = 160
LABEL_POINTS = 8.5
TITLE_SIGNS = 84
"""So many fit into the width."""
LOOKS = {
    # engine: marker and colour; both differ, so that neither is needed alone (colours: Okabe and Ito, darkened)
    "onnxruntime": ("o", "#2f5bb7"),
    "openvino": ("s", "#b4530f"),
    "ncnn": ("^", "#0b7a5c"),
    "torchscript": ("D", "#9a4f86"),
    "tensorrt": ("P", "#6b6414"),
}
OTHER_LOOK = ("X", "#5d6678")
FRONT = "#1c2230"
DISTANCES = (6.0, 14.0, 26.0, 40.0, 56.0, 74.0)
"""How far a name may stand from its point, in points."""
LED = 10.0
"""From here on a line leads from the name to the point."""
OUTWARD = ((1.0, 0.8), (1.0, 0.3), (0.6, 1.0), (0.0, 1.0))
INWARD = ((1.0, -0.4), (-1.0, -0.6), (-1.0, 0.2), (0.0, -1.0), (-0.5, -1.0))
"""Directions. Up and to the right, beyond the front, there is nothing a name could cover: that side comes first."""


@dataclass(frozen=True)
class Point:
    """One model in one form."""

    name: str
    engine: str
    precision: str
    fps: float
    quality: float


@dataclass(frozen=True)
class Chart:
    """What one picture shows; `machine` is in words."""

    task: str | None
    machine: str
    power_mode: str
    threads: int
    quality_source: str
    scope: str
    points: tuple[Point, ...]


def charts(rows: Iterable[Row], machines: Mapping[str, Mapping[str, Any]]) -> list[Chart]:
    """All charts that the newest rows give; rows without speed or quality, or with other answers, are in none."""
    shown = [
        row
        for row in newest(rows)
        if row.scope and row.subject.quoted_quality is not None and row.parity_holds is not False
    ]
    made = []
    for where, some in grouped(shown, lambda row: (*place(row), row.subject.quality_source, row.scope)).items():
        task, hardware, power_mode, threads, source, scope = where
        name = model_names(some)
        points = tuple(
            Point(name(row), row.key.engine, row.key.precision, row.fps() or 0.0, row.subject.quoted_quality or 0.0)
            for row in some
        )
        machine = machine_name(hardware, machines.get(hardware, {}))
        made.append(Chart(task, machine, power_mode, threads, source, scope, points))
    return sorted(made, key=lambda chart: (chart.task or "~", chart.machine, chart.quality_source, chart.scope))


def front(points: Iterable[Point]) -> list[Point]:
    """Those that no other beats in one of speed and quality and equals in the other, slowest first."""
    kept: list[Point] = []
    for point in sorted(points, key=lambda point: (-point.fps, -point.quality)):
        if not kept or point.quality > kept[-1].quality:
            kept.append(point)
    return kept[::-1]


def write_charts(made: Sequence[Chart], folder: Path) -> list[Path]:
    """Each chart as SVG and PNG; returns the files. Raises StorageError."""
    written, used = list[Path](), Counter[str]()
    for chart in made:
        name = _file_stem(chart)
        used[name] += 1
        # two machines may have one name
        stem = folder / (name if used[name] == 1 else f"{name}-{used[name]}")
        for path, data in (
            (stem.with_name(f"{stem.name}.svg"), pareto_svg(chart).encode()),
            (stem.with_name(f"{stem.name}.png"), pareto_png(chart)),
        ):
            write_atomic(path, data)
            written.append(path)
    return written


def pareto_svg(chart: Chart) -> str:
    """The picture as an <svg> element whose text stays text."""
    return plots._svg(_figure(chart, halo=False), "pareto", chart_words(chart))


def pareto_png(chart: Chart) -> bytes:
    """The picture on white."""
    file = io.BytesIO()
    figure = _figure(chart, halo=True)
    with warnings.catch_warnings():
        # a name in a script that matplotlib's own font lacks shows as boxes; the tables have it in full
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(file, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})
    return file.getvalue()


def chart_words(chart: Chart) -> str:
    """The front as a sentence, for those who do not see it."""
    if not chart.points:
        return "No speed has been measured yet."
    told = "; ".join(
        f"{p.name}, {_engine(p.engine)} {p.precision}: {words.rate(p.fps)}, {p.quality:.1f}"
        for p in front(chart.points)
    )
    return (
        f"Scatter chart of {words.plural(len(chart.points), 'measured form')}, {_title(chart)}. On the front: {told}."
    )


def _figure(chart: Chart, *, halo: bool) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(plots.WIDTH_IN, HEIGHT_IN if chart.points else 0.7), facecolor="none")
    if not chart.points:
        figure.text(0.01, 0.5, chart_words(chart), va="center", fontsize=plots.POINTS + 1, color=plots.MUTED)
        return figure
    axes = figure.add_axes((0.085, 0.19, 0.895, 0.7))
    plots._frame(axes)
    axes.grid(color=plots.GRID, linewidth=0.8)
    best = front(chart.points)
    _limits(axes, chart.points)
    axes.step([p.fps for p in best], [p.quality for p in best], where="pre", color=FRONT, linewidth=1.1, zorder=2)
    _scatter(axes, chart.points, best)
    _titles(figure, axes, chart)
    _legend(figure, chart.points)
    unnamed = _name_front(figure, axes, best, halo=halo)
    if unnamed:
        text = f"{words.plural(unnamed, 'model')} of the front not named here for lack of room"
        figure.text(0.98, 0.9, text, ha="right", va="bottom", fontsize=LABEL_POINTS, color=plots.MUTED)
    return figure


def _scatter(axes: Axes, points: Sequence[Point], best: Sequence[Point]) -> None:
    """Filled for full precision, open for lower ones; what is not on the front stands back."""
    for point in points:
        marker, colour = LOOKS.get(point.engine, OTHER_LOOK)
        on_front = point in best
        full = point.precision == "fp32"
        axes.plot([point.fps], [point.quality], marker=marker, linestyle="", markersize=7 if on_front else 4.6,
                  color=colour, markerfacecolor=colour if full else "white", markeredgewidth=1.2,
                  alpha=1.0 if on_front else 0.45, zorder=4 if on_front else 3)  # fmt: skip


def _limits(axes: Axes, points: Sequence[Point]) -> None:
    """A margin around the points, which also gives a single one an axis; ticks at 1, 2, 5 of each decade."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    fps, quality = [p.fps for p in points], [p.quality for p in points]
    spread = max(max(fps) / min(fps), 4.0)
    axes.set_xscale("log")
    # names stand to the right of their points, so that side gets more
    axes.set_xlim(min(fps) / spread**0.07, max(fps) * spread**0.25)
    margin = max((max(quality) - min(quality)) * 0.09, 0.5)
    axes.set_ylim(min(quality) - margin, max(quality) + margin * 1.3)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}" if value < 1e4 else f"{value:,.0f}"))


def _titles(figure: Figure, axes: Axes, chart: Chart) -> None:
    title = _title(chart)
    # long names of processors and cards stay whole, in smaller letters
    size = min(plots.POINTS + 2, (plots.POINTS + 2) * TITLE_SIGNS / len(title))
    plots._say(figure.text(0.012, 0.972, title, va="top", fontsize=size, color=plots.INK))
    source = f"Quoted: {chart.quality_source}" if chart.quality_source else "Quoted quality"
    plots._say(figure.text(0.012, 0.9, source, va="bottom", fontsize=plots.POINTS, color=plots.MUTED))
    label = f"Frames per second that nine of ten images keep up with, {_SCOPES.get(chart.scope, chart.scope)}"
    axes.set_xlabel(label, color=plots.MUTED, fontsize=plots.POINTS)


def _title(chart: Chart) -> str:
    task = words.TASK_WORDS.get(chart.task or "", chart.task or "Files")
    return words.printable(f"{task} on {chart.machine}{setting(chart.power_mode, chart.threads)}")


_SCOPES = {"pipeline": "from image to answer", "runtime": "network and transfers alone"}


def _legend(figure: Figure, points: Sequence[Point]) -> None:
    """The engines, then what filled and open marks mean if both are there."""
    from matplotlib.lines import Line2D

    def mark(marker: str, colour: str, face: str, text: str) -> Line2D:
        return Line2D([], [], marker=marker, linestyle="", color=colour, markerfacecolor=face, markersize=6,
                      markeredgewidth=1.2, label=text)  # fmt: skip

    engines = sorted({point.engine for point in points})
    marks = [
        mark(*LOOKS.get(engine, OTHER_LOOK), LOOKS.get(engine, OTHER_LOOK)[1], _engine(engine)) for engine in engines
    ]
    lower = sorted({point.precision for point in points if point.precision != "fp32"})
    if lower:
        marks.append(mark("o", plots.MUTED, plots.MUTED, "filled: fp32"))
        marks.append(mark("o", plots.MUTED, "white", f"open: {', '.join(lower)}"))
    if len(front(points)) > 1:
        marks.append(Line2D([], [], color=FRONT, linewidth=1.1, label="front"))
    drawn = figure.legend(handles=marks, loc="lower left", bbox_to_anchor=(0.0, 0.005), ncols=len(marks), frameon=False,
                          fontsize=LABEL_POINTS, handletextpad=0.3, columnspacing=1.1, handlelength=1.4)  # fmt: skip
    for text in drawn.get_texts():
        plots._say(text)
        text.set_color(plots.INK)


def _name_front(figure: Figure, axes: Axes, best: Sequence[Point], *, halo: bool) -> int:
    """Write names where they cover neither each other nor the front; returns how many found no place."""
    from matplotlib.patheffects import withStroke
    from matplotlib.transforms import Bbox

    pixels = figure.dpi / 72
    spots = [axes.transData.transform((point.fps, point.quality)) for point in best]
    taken = [Bbox.from_bounds(x - 5 * pixels, y - 5 * pixels, 10 * pixels, 10 * pixels) for x, y in spots]
    taken += _front_boxes(spots)
    inside = Bbox.from_extents(axes.bbox.x0 + 2, axes.bbox.y0 + 2, figure.bbox.x1 - 4, axes.bbox.y1 + 4 * pixels)
    unnamed = 0
    # a model is named at its fastest form; from the fastest on, the way up and out of each next point is still free
    last = {point.name: (point, spot) for point, spot in zip(best, spots, strict=True)}
    for point, spot in sorted(last.values(), key=lambda one: -one[0].fps):
        found = _free_place(spot, _size_of_words(figure, _short(point.name)), pixels, inside, taken)
        if found is None:
            unnamed += 1
            continue
        taken += [found.box, *found.line]
        # points, not pixels: the same place whatever the resolution it is saved in
        corner = (found.box.x0 / pixels, found.box.y0 / pixels)
        line = {
            "arrowstyle": "-",
            "color": plots.MUTED,
            "linewidth": 0.6,
            "relpos": found.end,
            "shrinkA": 1,
            "shrinkB": 4,
        }
        note = axes.annotate(_short(point.name), (point.fps, point.quality), corner, textcoords="figure points",
                             ha="left", va="bottom", fontsize=LABEL_POINTS, color=plots.INK, zorder=5,
                             arrowprops=line if found.line else None)  # fmt: skip
        plots._say(note)
        if halo:
            note.set_path_effects([withStroke(linewidth=2.2, foreground="white")])
    return unnamed


def _size_of_words(figure: Figure, text: str) -> tuple[float, float]:
    """In pixels of the figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    trial = figure.text(0, 0, text, fontsize=LABEL_POINTS)
    plots._say(trial)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        box = trial.get_window_extent(FigureCanvasAgg(figure).get_renderer())
    trial.remove()
    return float(box.width), float(box.height)


def _front_boxes(spots: Sequence[Any]) -> list[Any]:
    """The steps of the front as thin boxes."""
    from matplotlib.transforms import Bbox

    boxes = []
    for (x0, y0), (x1, y1) in itertools.pairwise(spots):
        boxes += [Bbox.from_extents(x0 - 1, y1, x0 + 1, y0), Bbox.from_extents(x0, y1 - 1, x1, y1 + 1)]
    return boxes


@dataclass(frozen=True)
class _Place:
    """Where words stand: their box, the boxes along the line that leads to them, and where on the box it ends."""

    box: Any
    line: tuple[Any, ...]
    end: tuple[float, float]


def _free_place(
    spot: Any, size: tuple[float, float], pixels: float, inside: Any, taken: Sequence[Any]
) -> _Place | None:
    """The nearest free one around a spot; all in pixels."""
    from matplotlib.transforms import Bbox

    def free(box: Any) -> bool:
        return not any(box.overlaps(other) for other in taken)

    for side in (OUTWARD, INWARD):
        for distance, (across, up) in itertools.product(DISTANCES, side):
            end = ((1 - across) / 2, (1 - up) / 2)
            way = (across * distance * pixels, up * distance * pixels)
            box = Bbox.from_bounds(spot[0] + way[0] - size[0] * end[0], spot[1] + way[1] - size[1] * end[1], *size)
            line = [
                Bbox.from_bounds(spot[0] + way[0] * step / 16, spot[1] + way[1] * step / 16, 1, 1)
                # the first steps lie on the spot itself
                for step in range(16)
                if distance > LED and step * distance / 16 > 6
            ]
            within = inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1
            if within and free(box) and all(map(free, line)):
                return _Place(box, tuple(line), end)
    return None


def _short(name: str) -> str:
    return name if len(name) <= plots.NAME_MOST else f"{name[: plots.NAME_MOST - 1]}…"


def _engine(name: str) -> str:
    return words.ENGINES.get(name, name)


def _file_stem(chart: Chart) -> str:
    parts = ["pareto", chart.task or "files", chart.quality_source, chart.scope, chart.machine]
    parts.append(setting(chart.power_mode, chart.threads))
    return "-".join(re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in parts if part)[:120]
