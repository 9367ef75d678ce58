"""Brings the bytes behind an address into an unfinished file, and goes on where it stopped.

Connections break, servers change a file or cannot continue one: each has its answer here. Whether the whole file is
the right one is for `fetch` to say, by its hash: where a server states no length, an early end looks like the end. A
server that sends a byte now and then is never given up.
"""

import contextlib
import ipaddress
import re
import shutil
import socket
import ssl
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException, HTTPResponse
from typing import IO, Any, Final, Protocol
from urllib.error import HTTPError
from urllib.parse import urlsplit

from llm_gguf.errors import FetchDiskError, ServerError, UnknownModelError, WrongFileError
from llm_gguf.library.part import CHUNK_BYTES, GO_ON, Part, megabytes

MAGIC: Final = b"GGUF"
PASSING: Final = (408, 425, 429, 500, 502, 503, 504)
"""HTTP statuses that another try may cure."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a bad connection is put up with."""

    tries: int = 6
    """In a row without a new byte."""
    first_wait_s: float = 1.0
    """Doubled with every try: 1 + 2 + 4 + 8 + 16 seconds in all."""
    longest_wait_s: float = 60.0
    """Also the most that a server's Retry-After is obeyed."""
    timeout_s: float = 30.0
    """Silence after which a connection counts as broken."""


class Progress(Protocol):
    """Who is told how it goes."""

    def moved(self, done_bytes: int, total_bytes: int | None) -> None: ...

    def told(self, notice: str) -> None:
        """Something that is worth a line of its own."""


def check_address(address: str) -> None:
    """Only https, except on this machine. Raises UnknownModelError."""
    try:
        parts = urlsplit(address)
        host, scheme = parts.hostname or "", parts.scheme
        _ = parts.port  # ValueError if it is no number
    except ValueError as error:
        raise UnknownModelError(f"{address!r} is no address: {error}", "give https://HOST/PATH/FILE.gguf") from error
    if (
        not host
        or scheme not in ("https", "http")
        or not address.isascii()
        or not address.isprintable()
        or " " in address
    ):
        raise UnknownModelError(f"{shown(address)} is no address of the web", "give https://HOST/PATH/FILE.gguf")
    if scheme == "http" and not _is_loopback(host):
        raise UnknownModelError(f"{shown(address)} is not encrypted", "give its https address")


def shown(address: str) -> str:
    """An address without user and query, which may hold secrets."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.netloc else repr(address)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


class _BrokenError(Exception):
    """This try failed; another may not."""

    def __init__(self, fact: str, wait_s: float | None = None) -> None:
        super().__init__(fact)
        self.wait_s = wait_s


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects as far as the rule for addresses reaches, and never from https to http."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        check_address(newurl)
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise UnknownModelError(f"{shown(req.full_url)} leads to {shown(newurl)}, not encrypted", "do not use it")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class Transfer:
    """One address into one part."""

    def __init__(
        self, address: str, part: Part, progress: Progress, patience: Patience, size_bytes: int | None = None
    ) -> None:
        check_address(address)
        self._address = address
        self._part = part
        self._progress = progress
        self._patience = patience
        self._size = size_bytes
        """What the file must have, where it is known beforehand."""
        local = _is_loopback(urlsplit(address).hostname or "")
        proxies = [urllib.request.ProxyHandler({})] if local else []
        self._opener = urllib.request.build_opener(_Redirects, *proxies)

    def run(self) -> None:
        """Returns when the part holds all that the server has.

        Raises ServerError, WrongFileError, FetchDiskError, UnknownModelError; whatever it is, what came is kept
        unless it is of no use.
        """
        farthest, tries = self._part.size, 0
        while not self._complete():
            try:
                self._try()
                return
            except _BrokenError as broken:
                if self._part.size > farthest:
                    farthest, tries = self._part.size, 0
                tries += 1
                if tries >= self._patience.tries:
                    raise ServerError(f"{shown(self._address)}: {broken}, {tries} times in a row", GO_ON) from broken
                wait_s = self._patience.first_wait_s * 2 ** (tries - 1) if broken.wait_s is None else broken.wait_s
                wait_s = min(wait_s, self._patience.longest_wait_s)
                self._progress.told(f"{broken}; trying again" + (f" in {wait_s:.0f} s" if wait_s >= 1 else ""))
                time.sleep(wait_s)

    def _complete(self) -> bool:
        return bool(self._part.size) and self._part.size == self._part.total

    def _try(self) -> None:
        headers = {"User-Agent": "edge-appliance", "Accept-Encoding": "identity"}
        if self._part.size:
            headers["Range"] = f"bytes={self._part.size}-"
            if self._part.validator:
                headers["If-Range"] = self._part.validator
        request = urllib.request.Request(self._address, headers=headers)
        try:
            response = self._opener.open(request, timeout=self._patience.timeout_s)
        except HTTPError as error:
            with error:
                self._refused(error)
            return
        except (OSError, HTTPException) as error:
            raise self._unreachable(error) from error
        with response:
            self._begin(response)
            self._copy(response)

    def _refused(self, error: HTTPError) -> None:
        """Raises, unless the server only says that there is nothing more to send."""
        if error.code == 416 and self._part.size:
            if _range(error.headers) == (None, self._part.size):
                return
            self._start_again("the file on the server is shorter than what came of it before")
        answer = f"the server answers {error.code} {error.reason}"
        if error.code in PASSING:
            raise _BrokenError(answer, _retry_after(error.headers))
        step = "check the address"
        if error.code in (401, 403):
            step = "the file may need an account: download it with a browser, then give its path to --llm"
        raise ServerError(f"{shown(self._address)}: {answer}", step)

    def _unreachable(self, error: OSError | HTTPException) -> Exception:
        cause = getattr(error, "reason", error)
        host = urlsplit(self._address).hostname
        if isinstance(cause, ssl.SSLCertVerificationError):
            fact = f"the certificate of {host} is not valid: {cause.verify_message}"
            return ServerError(fact, "check the clock of this machine and its certificates")
        if isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME:
            return ServerError(f"there is no server {host}", "check the address and the network")
        if isinstance(cause, TimeoutError):
            return _BrokenError(f"the server has sent nothing for {self._patience.timeout_s:g} s")
        return _BrokenError(f"the connection broke ({getattr(cause, 'strerror', None) or cause})")

    def _begin(self, response: HTTPResponse) -> None:
        """Reconciles what the server is about to send with what is there, before the first byte."""
        part, validator = self._part, _validator(response.headers)
        if response.status == 206:
            start, total = _range(response.headers)
            if start != part.size or _differ(part.total, total) or _differ(part.validator, validator):
                self._start_again("the file changed on the server")
            self._check_size(total)
            part.total = part.total or total
            self._progress.told(f"going on at {megabytes(part.size)}")
        elif response.status == 200:
            length = response.headers.get("Content-Length", "")
            total = int(length) if length.isdecimal() else None
            self._check_size(total)
            if part.size:
                changed = part.validator is not None and part.validator != validator
                reason = "the file changed on the server" if changed else "the server cannot continue a file"
                self._progress.told(f"{reason}; starting again")
            part.restart(validator, total)
        else:
            fact = f"{shown(self._address)}: the server answers {response.status} {response.reason}"
            raise ServerError(fact, "check the address")
        self._check_room()

    def _start_again(self, reason: str) -> None:
        self._part.restart()
        raise _BrokenError(reason, wait_s=0)

    def _check_size(self, total: int | None) -> None:
        if self._size is not None and total is not None and total != self._size:
            fact = f"{shown(self._address)} has {total:,} bytes, not the {self._size:,} it should have"
            raise WrongFileError(fact, "the file was replaced there: pull another model")

    def _check_room(self) -> None:
        whole = self._whole()
        free = shutil.disk_usage(self._part.path.parent).free
        if whole is not None and whole - self._part.size > free:
            fact = f"{megabytes(whole - self._part.size)} are still to come, and {self._part.path.parent} has"
            raise FetchDiskError(f"{fact} {megabytes(free)} free", "free some space, or give another --folder")

    def _whole(self) -> int | None:
        return self._part.total or self._size

    def _copy(self, response: HTTPResponse) -> None:
        part, whole = self._part, self._whole()
        while True:
            try:
                data = response.read1(CHUNK_BYTES)
            except (OSError, HTTPException) as error:
                raise self._unreachable(error) from error
            if not data:
                break
            part.append(data)
            if not MAGIC.startswith(part.head):
                self._no_gguf()
            if whole is not None and part.size > whole:
                part.remove()
                raise WrongFileError(f"{shown(self._address)} sends more than {whole:,} bytes", "pull another model")
            self._progress.moved(part.size, whole)
        if whole is not None and part.size < whole:
            raise _BrokenError(f"the connection ended at {megabytes(part.size)} of {megabytes(whole)}")
        if part.head != MAGIC:
            self._no_gguf()

    def _no_gguf(self) -> None:
        fact = f"{shown(self._address)} is not a GGUF file: it begins with {self._part.head!r}"
        self._part.remove()
        step = "give the address of the file itself (on Hugging Face with /resolve/, not /blob/)"
        raise WrongFileError(fact, step)


def _differ(before: object, now: object) -> bool:
    """Whether both are known and not the same."""
    return before is not None and now is not None and before != now


def _validator(headers: Message) -> str | None:
    """What If-Range may carry: a strong ETag, else the date of the last change (RFC 9110, 13.1.5)."""
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified")


def _range(headers: Message | Mapping[str, str]) -> tuple[int | None, int | None]:
    """Start and whole size from Content-Range; None for what it does not say."""
    found = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", headers.get("Content-Range") or "")
    start, total = found.groups() if found else (None, None)
    return int(start) if start else None, int(total) if total and total != "*" else None


def _retry_after(headers: Message) -> float | None:
    """Seconds; the form with a date is passed over."""
    wait = headers.get("Retry-After", "")
    return float(wait) if wait.isdecimal() else None
