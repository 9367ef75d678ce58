"""Brings the bytes behind an address into an unfinished file, and goes on where it stopped.

Connections break, servers change a file or cannot continue one: each has its answer here. Whether the whole file is
the right one is for `fetch` to say, by its hash: where a server states no length, an early end looks like the end. A
server that sends a byte now and then is never given up.
"""

import contextlib
import ipaddress
import re
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

from zoo.supply.errors import AddressError, ServerError, UnreachableError, WrongFileError
from zoo.supply.files import CHUNK_BYTES
from zoo.supply.part import GO_ON, Part, megabytes

PASSING: Final = (408, 425, 429, 500, 502, 503, 504)
"""HTTP statuses that another try may cure."""
HEADERS: Final = {"User-Agent": "edge-appliance", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Kind:
    """What files of a kind begin with, and the words about them where an error needs other ones than for the next."""

    name: str
    """With its article: "a GGUF file"."""
    begins: tuple[bytes, ...]
    """First bytes, any of these; four at most, as a part remembers."""
    example: str
    """An address as it should look."""
    doing: str
    """What a second process is told the first one does: "pulling"."""
    wait: str
    """What to do then."""
    unchecked: str
    """Why a file that is there was taken as it is."""
    account: str
    """What to do where a server wants to know who asks."""
    instead: str
    """What to do where the server has another file than it should."""
    itself: str
    """What to do where the address leads to a page about the file."""

    def possible(self, head: bytes) -> bool:
        """Whether a file that begins so can still be one."""
        return any(magic.startswith(head) or head.startswith(magic) for magic in self.begins)

    def certain(self, head: bytes) -> bool:
        return any(head.startswith(magic) for magic in self.begins)


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


def check_address(address: str, kind: Kind) -> None:
    """Only https, except on this machine. Raises AddressError."""
    try:
        parts = urlsplit(address)
        host, scheme = parts.hostname or "", parts.scheme
        _ = parts.port  # ValueError if it is no number
    except ValueError as error:
        raise AddressError(f"{address!r} is no address: {error}", f"give {kind.example}") from error
    if (
        not host
        or scheme not in ("https", "http")
        or not address.isascii()
        or not address.isprintable()
        or " " in address
    ):
        raise AddressError(f"{shown(address)} is no address of the web", f"give {kind.example}")
    if scheme == "http" and not _is_loopback(host):
        raise AddressError(f"{shown(address)} is not encrypted", "give its https address")


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

    def __init__(self, fact: str, wait_s: float | None = None, *, answered: bool = True) -> None:
        super().__init__(fact)
        self.wait_s = wait_s
        self.answered = answered
        """Whether the server said anything at all."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects as far as the rule for addresses reaches, and never from https to http."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        check_address(newurl, self._kind)
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise AddressError(f"{shown(req.full_url)} leads to {shown(newurl)}, not encrypted", "do not use it")
        onward = super().redirect_request(req, fp, code, msg, headers, newurl)
        if onward is not None:
            onward.method = req.get_method()  # urllib makes a GET of it before Python 3.13
        return onward


class Transfer:
    """One address into one part."""

    def __init__(
        self,
        address: str,
        kind: Kind,
        part: Part,
        progress: Progress,
        patience: Patience,
        size_bytes: int | None = None,
    ) -> None:
        self._opener = _opener(address, kind)
        self._address = address
        self._kind = kind
        self._part = part
        self._progress = progress
        self._patience = patience
        self._size = size_bytes
        """What the file must have, where it is known beforehand."""

    def run(self) -> None:
        """Returns when the part holds all that the server has.

        Raises ServerError, WrongFileError, FetchDiskError, AddressError; whatever it is, what came is kept
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
                    error = ServerError if broken.answered else UnreachableError
                    raise error(f"{shown(self._address)}: {broken}, {tries} times in a row", GO_ON) from broken
                wait_s = self._patience.first_wait_s * 2 ** (tries - 1) if broken.wait_s is None else broken.wait_s
                wait_s = min(wait_s, self._patience.longest_wait_s)
                self._progress.told(f"{broken}; trying again" + (f" in {wait_s:.0f} s" if wait_s >= 1 else ""))
                time.sleep(wait_s)

    def _complete(self) -> bool:
        return bool(self._part.size) and self._part.size == self._part.total

    def _try(self) -> None:
        headers = dict(HEADERS)
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
            raise self._unreachable(error, answered=False) from error
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
            step = f"the file may need an account: {self._kind.account}"
        raise ServerError(f"{shown(self._address)}: {answer}", step)

    def _unreachable(self, error: OSError | HTTPException, *, answered: bool) -> Exception:
        return _lasting(self._address, error) or _BrokenError(_broken(error, self._patience), answered=answered)

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
        self._part.check_room(self._whole())

    def _start_again(self, reason: str) -> None:
        self._part.restart()
        raise _BrokenError(reason, wait_s=0)

    def _check_size(self, total: int | None) -> None:
        if self._size is not None and total is not None and total != self._size:
            fact = f"{shown(self._address)} has {total:,} bytes, not the {self._size:,} it should have"
            raise WrongFileError(fact, f"the file was replaced there: {self._kind.instead}")

    def _whole(self) -> int | None:
        return self._part.total or self._size

    def _copy(self, response: HTTPResponse) -> None:
        part, whole = self._part, self._whole()
        while True:
            try:
                data = response.read1(CHUNK_BYTES)
            except (OSError, HTTPException) as error:
                raise self._unreachable(error, answered=True) from error
            if not data:
                break
            part.append(data)
            if not self._kind.possible(part.head):
                self._another_kind()
            if whole is not None and part.size > whole:
                part.remove()
                raise WrongFileError(f"{shown(self._address)} sends more than {whole:,} bytes", self._kind.instead)
            self._progress.moved(part.size, whole)
        if whole is not None and part.size < whole:
            raise _BrokenError(f"the connection ended at {megabytes(part.size)} of {megabytes(whole)}")
        if not self._kind.certain(part.head):
            self._another_kind()

    def _another_kind(self) -> None:
        fact = f"{shown(self._address)} is not {self._kind.name}: it begins with {self._part.head!r}"
        self._part.remove()
        raise WrongFileError(fact, self._kind.itself)


def stated_size(address: str, kind: Kind, timeout_s: float) -> int | None:
    """Bytes that the server says the file has, None where it does not say; asked once.

    Raises:
        UnreachableError: nobody answers.
        AddressError: the address may not be used.
    """
    request = urllib.request.Request(address, headers=dict(HEADERS), method="HEAD")
    try:
        with _opener(address, kind).open(request, timeout=timeout_s) as response:
            length = response.headers.get("Content-Length", "")
            return int(length) if response.status == 200 and length.isdecimal() else None
    except HTTPError as error:
        error.close()
        return None
    except (OSError, HTTPException) as error:
        fact = f"{shown(address)}: {_broken(error, Patience(timeout_s=timeout_s))}"
        raise _lasting(address, error) or UnreachableError(fact, "check the network") from error


def _opener(address: str, kind: Kind) -> urllib.request.OpenerDirector:
    check_address(address, kind)
    local = _is_loopback(urlsplit(address).hostname or "")
    proxies = [urllib.request.ProxyHandler({})] if local else []
    return urllib.request.build_opener(_Redirects(kind), *proxies)


def _lasting(address: str, error: OSError | HTTPException) -> UnreachableError | None:
    """The error for what another try will not cure, None for anything else."""
    cause, host = getattr(error, "reason", error), urlsplit(address).hostname
    if isinstance(cause, ssl.SSLCertVerificationError):
        fact = f"the certificate of {host} is not valid: {cause.verify_message}"
        return UnreachableError(fact, "check the clock of this machine and its certificates")
    if isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME:
        return UnreachableError(f"there is no server {host}", "check the address and the network")
    return None


def _broken(error: OSError | HTTPException, patience: Patience) -> str:
    cause = getattr(error, "reason", error)
    if isinstance(cause, TimeoutError):
        return f"the server has sent nothing for {patience.timeout_s:g} s"
    return f"the connection broke ({getattr(cause, 'strerror', None) or cause})"


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
