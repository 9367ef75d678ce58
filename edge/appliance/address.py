"""Where the status page is served: an address of this machine, or a socket in a folder."""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import BadRequest

BACKLOG = 32
MOST_PATH = 100  # bytes; sun_path has 108, unix(7)


@dataclass(frozen=True)
class Address:
    """A host and a port, or the path of a socket and no port."""

    host: str
    port: int | None

    @classmethod
    def read(cls, given: Any) -> Address:
        """From "127.0.0.1:8080", "[::1]:8080", "localhost:8080" or "unix:/run/edge/page".

        Raises:
            ValueError: it is none; names of hosts are none, because what they mean may change.
        """
        if isinstance(given, Address):
            return given
        text = str(given).strip()
        if text.startswith("unix:/"):
            path = Path(text.removeprefix("unix:"))
            if len(os.fsencode(path)) > MOST_PATH or "\0" in text:
                raise ValueError
            return cls(str(path), None)
        found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+|localhost)):(\d{1,5})", text, re.ASCII)
        if found is None or int(found[3]) > 65535:
            raise ValueError
        host = found[1] or found[2].replace("localhost", "127.0.0.1")
        if ipaddress.ip_address(host).version != (6 if found[1] else 4):
            raise ValueError
        return cls(host, int(found[3]))

    @property
    def near(self) -> bool:
        """Whether only this machine reaches it."""
        return self.port is None or ipaddress.ip_address(self.host).is_loopback

    def __str__(self) -> str:
        if self.port is None:
            return f"unix:{self.host}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def listening(address: Address) -> socket.socket:
    """A socket that listens there.

    Raises:
        BadRequest: it cannot.
    """
    kind = socket.AF_UNIX if address.port is None else socket.AF_INET6 if ":" in address.host else socket.AF_INET
    sock = socket.socket(kind, socket.SOCK_STREAM)
    try:
        if address.port is None:
            _remove_dead(Path(address.host))
            before = os.umask(0o177)  # whoever may open the socket may give orders: its owner alone
            try:
                sock.bind(address.host)
            finally:
                os.umask(before)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((address.host, address.port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        other = error.errno == errno.EADDRINUSE
        raise BadRequest(
            f"the status page cannot be served at {address}: {error.strerror or error}",
            "Another program has it; take another port." if other else "Give another address: --http 127.0.0.1:8080.",
        ) from error
    return sock


def _remove_dead(path: Path) -> None:
    """A socket that nobody answers at, which a watcher left that was killed; nothing else is removed."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.connect(str(path))
    except ConnectionRefusedError:
        path.unlink()
    except FileNotFoundError:
        return
