"""Who may come in: by which name the page was called, with which token, and from which page a form was sent.

Beyond this machine, or where a token file is set, everything needs the token: as a cookie that the login form gives, or
as `Authorization: Bearer`. Without encryption both can be read on the way; a proxy that speaks TLS is for that.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edge.appliance.disk import NotAFile, read_small
from edge.appliance.web.message import Asked
from edge.errors import BadRequest
from zoo.supply.files import sync_folder

COOKIE = "edge_page"
LEAST_TOKEN, MOST_TOKEN = 20, 200  # characters; the one that is made has 43


@dataclass(frozen=True)
class Door:
    """`near` says that only this machine reaches the page; `token` is empty where none is needed."""

    near: bool
    token: str = ""
    names: tuple[str, ...] = ()
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32))  # of this process; forms are made out with it

    def knows(self, asked: Asked) -> bool:
        """Whether the page was called by a name of this machine.

        A name of somebody else's that leads here (DNS rebinding) would let his page read this one; a number cannot.
        """
        name = host_of(asked.headers.get("host", ""))
        if name is None or name in self.names:
            return name is not None
        try:
            return ipaddress.ip_address(name).is_loopback or not self.near
        except ValueError:
            own = socket.gethostname().lower()
            return name == "localhost" or (not self.near and name in (own, f"{own}.local"))

    def lets_in(self, asked: Asked) -> bool:
        """Whether the token was given, or none is needed."""
        return not self.token or self.bears(asked) or _same(_cookie(asked), self.card())

    def bears(self, asked: Asked) -> bool:
        """A program with the token in its header: no browser sends that on its own."""
        kind, _, given = asked.headers.get("authorization", "").partition(" ")
        return bool(self.token) and kind.lower() == "bearer" and _same(given.strip(), self.token)

    def opens(self, given: str) -> bool:
        return bool(self.token) and _same(given.strip(), self.token)

    def card(self) -> str:
        """What the cookie holds: proof of the token, not the token, and worthless with another one."""
        return _proof(self.token.encode(), "card")

    def cookie(self, *, leave: bool = False) -> str:
        gone = "; Max-Age=0" if leave else "; Max-Age=2592000"
        return f"{COOKIE}={'' if leave else self.card()}; Path=/; HttpOnly; SameSite=Strict{gone}"

    def form_token(self) -> str:
        """What every form carries; another site cannot read it, so it cannot send it."""
        return _proof(self.key, "form")

    def from_here(self, asked: Asked) -> bool:
        """Whether this page sent a form, as far as the browser says; a program that says nothing is no browser."""
        if asked.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return False
        origin = asked.headers.get("origin")
        if origin is None:
            return True
        return re.sub(r"^https?://", "", origin) == asked.headers.get("host")

    def trusts(self, asked: Asked, fields: Mapping[str, list[str]]) -> bool:
        """Whether a form may act."""
        if self.bears(asked):
            return True
        return self.from_here(asked) and _same("".join(fields.get("form", [])), self.form_token())


def host_of(given: str) -> str | None:
    """The name in a Host header, in small letters and without its port; None if it is none."""
    found = re.fullmatch(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9.-]+))(?::\d{1,5})?", given.lower(), re.ASCII)
    return (found[1] or found[2]).rstrip(".") if found else None


def read_token(path: Path) -> str:
    """The token in a file that nobody else may read.

    Raises:
        BadRequest: there is none, or others may read it.
    """
    try:
        seen = path.stat()
        raw = read_small(path, MOST_TOKEN + 2)
    except (OSError, NotAFile) as error:
        why = error if isinstance(error, NotAFile) else error.strerror
        raise BadRequest(
            f"the token in {path} cannot be read: {why}", "Name another file: --http-token FILE."
        ) from error
    if seen.st_mode & 0o077:
        raise BadRequest(f"{path} may be read by others", f"Keep it to its owner: chmod 600 {path}")
    text = raw.decode("ascii", errors="replace").strip()
    if not LEAST_TOKEN <= len(text) <= MOST_TOKEN or not re.fullmatch(r"[!-~]+", text):
        raise BadRequest(
            f"{path} holds no token of {LEAST_TOKEN} to {MOST_TOKEN} letters, digits and signs without spaces",
            "Delete the file, and one is made.",
        )
    return text


def make_token(path: Path) -> str:
    """A new token in a new file of its owner alone.

    Raises:
        BadRequest: it cannot be written.
    """
    token = secrets.token_urlsafe(32)
    try:
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(f"{token}\n", encoding="ascii")
        sync_folder(path.parent)
    except OSError as error:
        raise BadRequest(
            f"no token can be written to {path}: {error.strerror}", "Name another file: --http-token FILE."
        ) from error
    return token


def _cookie(asked: Asked) -> str:
    for part in asked.headers.get("cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return ""


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", errors="replace"), wanted.encode())


def _proof(key: bytes, words: str) -> str:
    return hmac.new(key, f"edge page {words}".encode(), hashlib.sha256).hexdigest()
