"""The socket side: few connections, little of each, and not for long. What is asked is answered by someone else.

One question per connection. Whoever sends slowly, much, or nothing is cut off; what it does not cover: somebody who
opens connections faster than they are cut off keeps others out for as long.
"""

from __future__ import annotations

import contextlib
import io
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import BaseServer, TCPServer, ThreadingMixIn
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from edge.appliance.web.message import HEADERS, TEXT, Answer, Asked

MOST_CONNECTIONS = 16
MOST_HEAD = 16 * 1024  # bytes; a browser sends some 1,000
MOST_BODY = 96 * 1024  # a request of 20 KiB, with every character escaped
MOST_LINE = 4096
HEAR_S = 10.0  # the whole question must be there by then
SAY_S = 120.0  # and the whole answer gone by then
PIECE = 64 * 1024
STACK_BYTES = 512 * 1024


class TooMuch(Exception):
    """More than may be sent."""


class Patience(io.RawIOBase):
    """The reading side of a socket, up to a moment and a number of bytes."""

    def __init__(self, sock: socket.socket, until_s: float, most: int) -> None:
        self._socket, self._until_s, self.left = sock, until_s, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left_s = self._until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        if self.left <= 0:
            raise TooMuch
        self._socket.settimeout(left_s)
        got = self._socket.recv_into(memoryview(buffer)[: self.left])
        self.left -= got
        return got


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = sys_version = ""

    def setup(self) -> None:
        self.connection = self.request
        self.close_connection = True
        self.command = ""  # until one was read
        self._patience = Patience(self.connection, time.monotonic() + self.server.hear_s, MOST_HEAD)
        self.rfile = io.BufferedReader(self._patience, 4096)
        self.wfile = io.BytesIO()  # what the standard library says by itself goes nowhere

    def finish(self) -> None:
        self.rfile.close()

    def handle(self) -> None:
        try:
            answer = self._answer()
        except TooMuch:
            answer = plain(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        except TimeoutError:
            answer = plain(HTTPStatus.REQUEST_TIMEOUT)
        except OSError:
            return  # gone
        if answer is not None:
            with contextlib.suppress(OSError):
                self._send(answer)

    def _answer(self) -> Answer | None:
        """Read the question and have it answered; None if nothing came."""
        line = self.rfile.readline(MOST_LINE + 1)
        if not line:
            return None
        if len(line) > MOST_LINE:
            return plain(HTTPStatus.REQUEST_URI_TOO_LONG)
        self.raw_requestline = line
        self._fault: Answer | None = None
        if not self.parse_request():
            return self._fault or plain(HTTPStatus.BAD_REQUEST)
        if self.request_version not in ("HTTP/1.0", "HTTP/1.1"):
            return plain(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
        asked = self._asked()
        return self.server.answer(asked) if isinstance(asked, Asked) else asked

    def _asked(self) -> Asked | Answer:
        """The question, or why it is none. What could be read in two ways is refused."""
        names = [name.lower() for name in self.headers]
        twice = any(names.count(name) > 1 for name in ("host", "content-length", "origin", "authorization", "cookie"))
        if twice or names.count("host") != 1 or not self.path.startswith("/"):
            return plain(HTTPStatus.BAD_REQUEST)
        if "transfer-encoding" in names:
            return plain(HTTPStatus.LENGTH_REQUIRED)
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdigit() and len(length) < 12):
            return plain(HTTPStatus.BAD_REQUEST)
        if int(length) > MOST_BODY:
            return plain(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        self._patience.left += int(length)
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            return plain(HTTPStatus.BAD_REQUEST)
        try:
            parts = urlsplit(self.path)
            path = unquote(parts.path, errors="strict")
            query = dict(parse_qsl(parts.query, errors="strict", max_num_fields=20))
        except ValueError:
            return plain(HTTPStatus.BAD_REQUEST)
        headers = {name.lower(): value for name, value in self.headers.items()}
        peer = self.client_address[0] if self.client_address else "a local program"
        return Asked(self.command, path, query, headers, body, peer)

    def _send(self, answer: Answer) -> None:
        try:
            until_s = time.monotonic() + SAY_S
            head = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
            given = {**HEADERS, "Content-Type": answer.kind, "Content-Length": str(answer.length), **answer.headers}
            head += [f"{name}: {value}" for name, value in {**given, "Connection": "close"}.items()]
            self._say("\r\n".join([*head, "", ""]).encode("latin-1"), until_s)
            if self.command == "HEAD":
                return
            if answer.file is None:
                self._say(answer.body, until_s)
                return
            left = answer.size
            while left and (piece := answer.file.read(min(PIECE, left))):
                self._say(piece, until_s)
                left -= len(piece)
        finally:
            if answer.file is not None:
                answer.file.close()

    def _say(self, data: bytes, until_s: float) -> None:
        self.connection.settimeout(max(0.001, min(HEAR_S, until_s - time.monotonic())))
        self.connection.sendall(data)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the standard library's parser finds wrong; it must not answer by itself."""
        self._fault = plain(HTTPStatus(code))

    def handle_expect_100(self) -> bool:
        with contextlib.suppress(OSError):
            self.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def log_message(self, *_: Any) -> None:
        """What is asked is not written down: it would be every few seconds."""


class Server(ThreadingMixIn, TCPServer):
    """Listens at a socket that exists already."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, sock: socket.socket, answer: Callable[[Asked], Answer], *, hear_s: float = HEAR_S) -> None:
        BaseServer.__init__(self, sock.getsockname(), Handler)
        self.socket, self.hear_s, self._answer = sock, hear_s, answer
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)
        threading.stack_size(STACK_BYTES)

    def answer(self, asked: Asked) -> Answer:
        try:
            return self._answer(asked)
        except Exception:  # one question that finds a fault of ours must not end the page
            traceback.print_exc()
            return plain(HTTPStatus.INTERNAL_SERVER_ERROR)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            with contextlib.suppress(OSError):
                request.settimeout(0)
                request.send(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be started
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):
            traceback.print_exc()


def plain(status: HTTPStatus) -> Answer:
    """For programs and mistakes, where no page helps."""
    return Answer(status, f"{status.value} {status.phrase}\n".encode(), TEXT)
