"""A real HTTP server on this machine with a file on it, and every bad habit that a download has to live with."""

from __future__ import annotations

import re
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PIECE = 16384


class Told:
    """Notes what it is told; stops the transfer where it is told to."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.notices: list[str] = []
        self.steps: list[tuple[int, int | None]] = []
        self._stop_at = stop_at

    def moved(self, done_bytes: int, total_bytes: int | None) -> None:
        self.steps.append((done_bytes, total_bytes))
        if self._stop_at is not None and done_bytes >= self._stop_at:
            raise KeyboardInterrupt

    def told(self, notice: str) -> None:
        self.notices.append(notice)


@dataclass
class Site:
    """What the server has, how it behaves, and what it was asked."""

    content: bytes
    """What lies under every path that `files` does not name."""
    files: dict[str, bytes] = field(default_factory=dict)
    """Content by the end of its path; with any, other paths are not there."""
    heads: bool = True
    """Whether it says how large a file is without sending it."""
    heads_asked: int = 0
    moved_to: list[str] = field(default_factory=list)
    """Where each of the next such questions is sent."""
    etag: str | None = '"one"'
    ranges: bool = True
    heeds_if_range: bool = True
    states_length: bool = True
    break_after: list[int] = field(default_factory=list)
    """Bytes after which each of the next answers breaks off."""
    stall_s: list[float] = field(default_factory=list)
    """Silence in the middle of each of the next answers."""
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Status and headers of the next answers, without a file."""
    piece_s: float = 0.0
    """Pause behind every piece."""
    asked: list[dict[str, str]] = field(default_factory=list)
    address: str = ""

    @property
    def starts(self) -> list[int]:
        """Where each request wanted to begin."""
        return [int(headers.get("Range", "bytes=0-")[6:-1]) for headers in self.asked]


class _Handler(BaseHTTPRequestHandler):
    @property
    def site(self) -> Site:
        return self.server.site  # type: ignore[attr-defined, no-any-return]

    def do_HEAD(self) -> None:
        content = self._content()
        self.site.heads_asked += 1
        if self.site.moved_to:
            self._head(302, {"Location": self.site.moved_to.pop(0), "Content-Length": "0"})
        elif self.site.heads and content is not None:
            self._head(200, {"Content-Length": str(len(content))} if self.site.states_length else {})
        else:
            self._head(501 if content is not None else 404, {"Content-Length": "0"})

    def do_GET(self) -> None:
        site = self.site
        site.asked.append(dict(self.headers))
        if site.answers:
            status, headers = site.answers.pop(0)
            self._head(status, {"Content-Length": "0", **headers})
            return
        content, etag = self._content(), site.etag
        if content is None:
            self._head(404, {"Content-Length": "0"})
            return
        start = self._start(etag) if site.ranges else 0
        if start >= len(content) > 0:
            self._head(416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": "0"})
            return
        headers = {"ETag": etag} if etag else {}
        if site.states_length:
            headers["Content-Length"] = str(len(content) - start)
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._head(206 if start else 200, headers)
        self._send(content[start:])

    def _content(self) -> bytes | None:
        site = self.site
        return site.files.get(self.path.rpartition("/")[2]) if site.files else site.content

    def _start(self, etag: str | None) -> int:
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        if wanted is None or (self.site.heeds_if_range and condition is not None and condition != etag):
            return 0
        return int(wanted[1])

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, body: bytes) -> None:
        site = self.site
        end = site.break_after.pop(0) if site.break_after else len(body)
        stall_s = site.stall_s.pop(0) if site.stall_s else 0.0
        for place in range(0, end, PIECE):
            self.wfile.write(body[place : min(place + PIECE, end)])
            time.sleep(site.piece_s)
            if place >= end // 2 and stall_s:
                time.sleep(stall_s)
                stall_s = 0.0

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, site: Site) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.site = site

    def handle_error(self, *_: Any) -> None:
        """Clients that hang up are what these tests are about."""


@contextmanager
def serving(site: Site, secure: ssl.SSLContext | None = None) -> Iterator[Site]:
    """Serves the site under every path for as long as the block lasts."""
    server = _Server(site)
    if secure is not None:
        server.socket = secure.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    site.address = f"http://127.0.0.1:{server.server_address[1]}/some/model.gguf"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
