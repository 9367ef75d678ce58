"""The page as HTML, in the report's look. Every word from outside is escaped by the template engine.

The parts that change are templates of their own, so that the page and its script's updates cannot differ.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge.appliance.order import BUDGET_S, PRIORITIES
from edge.appliance.web.acts import Desk
from edge.appliance.web.door import Door
from edge.appliance.web.view import View
from edge.errors import BadRequest
from edge.report import words
from edge.workdir import STEPS

ROOM = Path(__file__).parent
LOOK = Path(words.__file__).with_name("page.css")  # of the reports
PARTS = ("head", "now", "waiting", "ended")
HEADLINES = {
    "working": "Making a model",
    "idle": "Ready for a request",
    "paused": "Paused",
    "stopped": "No watcher runs",
}
SIGNS = {"done": "✓", "failed": "✗", "rejected": "!", "cancelled": "–"}  # noqa: RUF001


class Look:
    """Made once; renders from several threads."""

    def __init__(self) -> None:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        environment = Environment(
            loader=FileSystemLoader(ROOM), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True, auto_reload=False,
        )  # fmt: skip
        for name in ("size", "duration", "sentence", "sentence_start", "plural", "printable", "count"):
            environment.filters[name] = getattr(words, name)
        environment.filters["moment"] = moment
        environment.globals |= {
            "words": words,
            "steps": STEPS,
            "signs": SIGNS,
            "headlines": HEADLINES,
            "machine": socket.gethostname(),
            "priorities": PRIORITIES,
            "usual_budget": words.whole_duration(BUDGET_S),
        }
        self._environment = environment
        self._static = {
            "page.css": LOOK.read_bytes() + b"\n" + (ROOM / "page.css").read_bytes(),
            "page.js": (ROOM / "page.js").read_bytes(),
        }

    def static(self, name: str) -> bytes:
        return self._static[name]

    def page(
        self,
        view: View,
        desk: Desk,
        door: Door,
        *,
        told: str,
        error: BadRequest | None,
        fields: Mapping[str, list[str]],
    ) -> str:
        return self._filled(
            "page.html.j2",
            parts=PARTS,
            view=view,
            title=self.title(view),
            news=self.news(view),
            sets=desk.sets(),
            below=desk.below,
            token=door.form_token(),
            leave=bool(door.token),
            told=told,
            error=error,
            hints=getattr(error, "__notes__", ()),
            given=lambda name: (fields.get(name) or [""])[0],
            chosen=set(fields.get("set", ())),
        )

    def parts(self, view: View, door: Door) -> dict[str, str]:
        return {name: self._filled(f"{name}.html.j2", view=view, token=door.form_token()) for name in PARTS}

    def title(self, view: View) -> str:
        """Of the browser's tab."""
        headline = HEADLINES.get(view.overview.state, view.overview.state)
        step = f": {view.running.stage}" if view.running and view.running.stage else ""
        return f"{headline}{step} · edge on {socket.gethostname()}"

    def news(self, view: View) -> str:
        """What a screen reader says when it changes: not every second of progress, but every step and every end."""
        doing = HEADLINES.get(view.overview.state, view.overview.state)
        stage = view.running.stage if view.running else ""
        last = view.ended[0].status if view.ended else None
        return words.sentences(
            (
                f"{doing}, step {words.STEPS.get(stage, stage)}" if stage else doing,
                f"{view.waiting_count} waiting",
                f"the latest result, {last.id}, is {last.state}" if last else "",
            )
        )

    def login(self, *, wrong: bool = False) -> str:
        return self._filled("login.html.j2", wrong=wrong)

    def error(self, fact: str, hint: str) -> str:
        return self._filled("error.html.j2", fact=fact, hint=hint)

    def _filled(self, name: str, **values: Any) -> str:
        text: str = self._environment.get_template(name).render(values)
        return text.encode("utf-8", "backslashreplace").decode()


def moment(stamp: str) -> str:
    """2026-11-30T15:04:05+0100 -> "30 Nov, 15:04" of the machine's own clock; empty where there is none."""
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    try:
        return f"{int(stamp[8:10])} {months[int(stamp[5:7]) - 1]}, {stamp[11:16]}"
    except (ValueError, IndexError):
        return ""
