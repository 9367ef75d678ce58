"""A request and its answer as plain values, so that everything behind the socket can be tested without one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO
from urllib.parse import parse_qsl

HTML, TEXT, JSON = "text/html; charset=utf-8", "text/plain; charset=utf-8", "application/json"
FORM = "application/x-www-form-urlencoded"
MOST_FIELDS = 60

HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # not no-referrer: with that, browsers send forms with "Origin: null"
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:;"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}
# a report may have been tampered with: it is shown without script, and as if it came from nowhere
REPORT_POLICY = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'"


@dataclass(frozen=True)
class Asked:
    """What came. The path has no escapes left; names of headers are in small letters."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    peer: str = ""

    def form(self) -> dict[str, list[str]]:
        """The fields of a form.

        Raises:
            ValueError: it is none.
        """
        if self.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
            raise ValueError("not a form")
        text = self.body.decode("ascii")
        found: dict[str, list[str]] = {}
        for name, value in parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS):
            found.setdefault(name, []).append(value)
        return found


@dataclass(frozen=True)
class Answer:
    """What goes back: a body, or an open file of a known size."""

    status: int
    body: bytes = b""
    kind: str = HTML
    headers: Mapping[str, str] = field(default_factory=dict)
    file: BinaryIO | None = None
    size: int = 0

    @property
    def length(self) -> int:
        return self.size if self.file is not None else len(self.body)


def moved(place: str, **headers: str) -> Answer:
    """After a form was taken: look there."""
    return Answer(303, kind=TEXT, headers={"Location": place, **headers})
