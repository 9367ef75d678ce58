"""What is answered to what: the page, its live parts, reports and logs, metrics, and forms that act."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import cast

from edge.appliance.log import WARNING, Log
from edge.appliance.metrics import KIND as METRICS_KIND
from edge.appliance.metrics import metrics
from edge.appliance.spool import ID, Act, Spool
from edge.appliance.web.acts import ACTS, PLACES, Desk
from edge.appliance.web.door import Door
from edge.appliance.web.inside import open_inside
from edge.appliance.web.message import HTML, JSON, REPORT_POLICY, TEXT, Answer, Asked, moved
from edge.appliance.web.render import Look
from edge.appliance.web.view import Reader, View
from edge.errors import BadRequest

FRESH_S = 1.0  # for so long a look into the spool is good, however many browsers ask
MOST_LOG = 256 * 1024  # bytes of a log, the last
WRONG_TOKEN_S = 10.0  # between two lines of the log about wrong tokens
SHOWN = {  # /requests/ID/NAME -> where that lies, below the request's folder
    "report": ("package", "report.html"),
    "log": ("worker.log",),
}
STATIC = {
    "/page.css": "text/css; charset=utf-8",
    "/page.js": "text/javascript; charset=utf-8",
}
TOLD = {"queued": "The request is queued.", "cancel": "It is being cancelled.", "again": "It will be queued again."}
ABOUT_REQUEST = re.compile(rf"/requests/({ID.pattern})/([a-z]+)", re.ASCII)


@dataclass
class Site:
    """Answers; called from several threads."""

    spool: Spool
    door: Door
    desk: Desk
    look: Look
    log: Log
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _view: tuple[float, View] | None = None
    _warned_at_s: float = float("-inf")

    def __post_init__(self) -> None:
        self._reader = Reader(self.spool)

    def answer(self, asked: Asked) -> Answer:
        """To anything that anybody may send."""
        if not self.door.knows(asked):
            return self._error(
                HTTPStatus.MISDIRECTED_REQUEST,
                "The page is not known by that name",
                "Call it by its number, or start `edge watch` with --http-names NAME.",
            )
        if asked.path in STATIC:  # also for the login page; there is nothing in them
            return self._only(asked, "GET", lambda: Answer(200, self.look.static(asked.path[1:]), STATIC[asked.path]))
        if asked.path == "/login":
            return self._only(asked, "POST", lambda: self._login(asked))
        if not self.door.lets_in(asked):
            return self._refuse(asked)
        return self._inside(asked)

    def _inside(self, asked: Asked) -> Answer:
        about = ABOUT_REQUEST.fullmatch(asked.path)
        if about is not None and about[3] in SHOWN:
            return self._only(asked, "GET", lambda: self._file(about[1], about[3]))
        if about is not None and about[3] in ACTS:
            return self._only(asked, "POST", lambda: self._act(asked, cast(Act, about[3]), about[1]))
        routes: dict[str, tuple[str, Callable[[], Answer]]] = {
            "/": ("GET", lambda: self._page(TOLD.get(asked.query.get("told", ""), ""))),
            "/live": ("GET", self._live),
            "/status.json": ("GET", self._status),
            "/metrics": ("GET", lambda: Answer(200, metrics(self.spool).encode(), METRICS_KIND)),
            "/requests": ("POST", lambda: self._submit(asked)),
            "/logout": ("POST", lambda: self._logout(asked)),
        }
        if asked.path not in routes:
            return self._error(HTTPStatus.NOT_FOUND, "There is nothing here", "The queue is where you came from.")
        method, do = routes[asked.path]
        return self._only(asked, method, do)

    def _only(self, asked: Asked, method: str, do: Callable[[], Answer]) -> Answer:
        allowed = ("GET", "HEAD") if method == "GET" else (method,)
        if asked.method in allowed:
            return do()
        answer = self._error(HTTPStatus.METHOD_NOT_ALLOWED, "That cannot be done here", "Go back to the queue.")
        return Answer(answer.status, answer.body, answer.kind, {"Allow": ", ".join(allowed)})

    # looking

    def view(self) -> View:
        """As it was a second ago at most."""
        with self._lock:
            now_s = time.monotonic()
            if self._view is None or now_s - self._view[0] > FRESH_S:
                self._view = (now_s, self._reader.view())
            return self._view[1]

    def _forget(self) -> None:
        with self._lock:
            self._view = None

    def _page(
        self, told: str = "", error: BadRequest | None = None, fields: Mapping[str, list[str]] | None = None
    ) -> Answer:
        html = self.look.page(self.view(), self.desk, self.door, told=told, error=error, fields=fields or {})
        return Answer(HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK, html.encode(), HTML)

    def _live(self) -> Answer:
        """The parts of the page that change, made by the same template; a script puts them where they belong."""
        view = self.view()
        document = {
            "parts": self.look.parts(view, self.door),
            "title": self.look.title(view),
            "news": self.look.news(view),
            "form": self.door.form_token(),
            "again_s": 3 if view.running else 5,
        }
        return Answer(200, json.dumps(document).encode(), JSON)

    def _status(self) -> Answer:
        view = self.view()
        running = [view.running] if view.running else []
        requests = [*running, *view.waiting, *(one.status for one in view.ended)]
        document = {"watcher": asdict(view.overview), "requests": [asdict(one) for one in requests]}
        return Answer(200, json.dumps(document).encode(), JSON)

    def _file(self, known: str, name: str) -> Answer:
        """A file of a request; wherever its folder is, but never outside of it."""
        folder = self.spool.find(known)
        found = None
        if folder is not None and folder.name == known:
            found = open_inside(self.spool.root, folder.parent.name, known, *SHOWN[name])
        if found is None:
            return self._error(HTTPStatus.NOT_FOUND, f"There is no {name} of {known}", "It may have been deleted.")
        file, size = found
        if name == "report":
            return Answer(200, kind=HTML, headers={"Content-Security-Policy": REPORT_POLICY}, file=file, size=size)
        with file:
            file.seek(max(0, size - MOST_LOG))
            return Answer(200, file.read(MOST_LOG), TEXT)

    # acting

    def _fields(self, asked: Asked) -> dict[str, list[str]] | Answer:
        """The fields of a form that may act, or the refusal."""
        try:
            fields = asked.form()
        except ValueError:
            return self._error(HTTPStatus.BAD_REQUEST, "That is no form", "Go back to the queue.")
        if not self.door.trusts(asked, fields):
            return self._error(
                HTTPStatus.FORBIDDEN,
                "Nothing was done: the form was not made by this page, or before the watcher was started again",
                "Reload the page, then try again.",
            )
        return fields

    def _submit(self, asked: Asked) -> Answer:
        fields = self._fields(asked)
        if isinstance(fields, Answer):
            return fields
        try:
            self.desk.submit(fields)
        except BadRequest as error:
            return self._page(error=error, fields=fields)
        self._forget()
        return moved("/?told=queued")

    def _act(self, asked: Asked, act: Act, known: str) -> Answer:
        fields = self._fields(asked)
        if isinstance(fields, Answer):
            return fields
        try:
            self.desk.wish(act, known)
        except BadRequest as error:
            hint = " ".join(getattr(error, "__notes__", ()))
            return self._error(HTTPStatus.CONFLICT, str(error), hint)
        self._forget()
        return moved("/?told=cancel" if PLACES[act] == ("work",) else "/?told=again")

    # the door

    def _login(self, asked: Asked) -> Answer:
        try:
            given = "".join(asked.form().get("token", []))
        except ValueError:
            given = ""
        if self.door.from_here(asked) and self.door.opens(given):
            return moved("/", **{"Set-Cookie": self.door.cookie()})
        now_s = time.monotonic()
        if now_s - self._warned_at_s > WRONG_TOKEN_S:
            self._warned_at_s = now_s
            self.log(f"status page: wrong token from {asked.peer}", WARNING)
        return Answer(HTTPStatus.UNAUTHORIZED, self.look.login(wrong=True).encode(), HTML)

    def _logout(self, asked: Asked) -> Answer:
        fields = self._fields(asked)
        return fields if isinstance(fields, Answer) else moved("/", **{"Set-Cookie": self.door.cookie(leave=True)})

    def _refuse(self, asked: Asked) -> Answer:
        headers = {"WWW-Authenticate": "Bearer"}
        if asked.path == "/" and asked.method in ("GET", "HEAD"):
            return Answer(HTTPStatus.UNAUTHORIZED, self.look.login().encode(), HTML, headers)
        return Answer(HTTPStatus.UNAUTHORIZED, b"The token is needed: Authorization: Bearer TOKEN\n", TEXT, headers)

    def _error(self, status: HTTPStatus, fact: str, hint: str) -> Answer:
        return Answer(status, self.look.error(fact, hint).encode(), HTML)
