"""The page's process, as the watcher sees it: started, started again when it ends, ended with the watcher.

The socket is the watcher's, so that an address that is taken is told at the start, and nobody is turned away while the
process is started anew.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from edge.appliance.address import Address, listening
from edge.appliance.beside import dies_with
from edge.appliance.limits import Limits
from edge.appliance.log import WARNING, Log
from edge.appliance.spool import Spool
from edge.appliance.web.door import make_token, read_token
from edge.errors import BadRequest

AGAIN_AFTER_S = 10.0  # from one start to the next
LOOK_EVERY_S = 5.0


@dataclass(frozen=True)
class Setup:
    """What the process is told on its command line; nothing secret, because everyone can read that."""

    spool: str
    descriptor: int
    near: bool
    token: str = ""  # the file's path
    names: tuple[str, ...] = ()
    below: str = ""

    def words(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Setup:
        found = json.loads(text)
        return cls(**{**found, "names": tuple(found["names"])})


class Page:
    """One of what the watcher looks after."""

    def __init__(self, spool: Spool, limits: Limits, address: Address, log: Log) -> None:
        self._spool, self._limits, self._address, self._log = spool, limits, address, log
        self._process: subprocess.Popen[bytes] | None = None
        self._began_s = float("-inf")

    def open(self) -> None:
        """Listens, but starts nothing yet.

        Raises:
            BadRequest: the address is taken, or it can be reached from elsewhere and there is no token.
        """
        made = _provided(self._address, self._limits.http_token)
        self._socket = listening(self._address)
        self._setup = self._for(self._limits)
        self._log(f"the status page is at {self.url}")
        if made:
            self._log(f"its token, shown this once and kept in {self._limits.http_token}: {made}")

    @property
    def url(self) -> str:
        if self._address.port is None:
            return str(self._address)
        host, port = self._socket.getsockname()[:2]
        return f"http://{Address(host, port)}/"

    def use(self, limits: Limits) -> None:
        """Another process where something changed; the address and the token's file stay."""
        setup = self._for(limits)
        if setup != self._setup:
            self._setup = setup
            self._end()
            self._began_s = float("-inf")

    def turn(self, now_s: float) -> float:
        if self._process is not None and self._process.poll() is not None:
            self._log(f"the status page ended with {self._process.returncode}, it is started again", WARNING)
            self._process = None
        if self._process is None and now_s >= self._began_s + AGAIN_AFTER_S:
            self._began_s = now_s
            self._process = self._started()
        return now_s + LOOK_EVERY_S if self._process else self._began_s + AGAIN_AFTER_S

    def descriptors(self) -> tuple[int, ...]:
        return ()

    def busy(self) -> bool:
        return False

    def close(self) -> None:
        self._end()
        self._socket.close()
        if self._address.port is None:
            Path(self._address.host).unlink(missing_ok=True)

    def _for(self, limits: Limits) -> Setup:
        return Setup(
            str(self._spool.root),
            self._socket.fileno(),
            self._address.near,
            str(limits.http_token or ""),
            limits.http_names or (),
            str(limits.data_below or ""),
        )

    def _started(self) -> subprocess.Popen[bytes] | None:
        try:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "edge.appliance.web", self._setup.words()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(self._socket.fileno(),),
                start_new_session=True,  # Ctrl-C is for the watcher
                preexec_fn=dies_with(os.getpid()),
            )
        except (OSError, subprocess.SubprocessError) as error:
            self._log(f"the status page cannot be started: {error}", WARNING)
            return None

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()  # it holds nothing that could be half done
            self._process.wait()
            self._process = None


def _provided(address: Address, token: Path | None) -> str:
    """The token if it had to be made; empty if it was there or none is needed."""
    if token is None:
        if address.near:
            return ""
        raise BadRequest(
            f"everyone who reaches {address} could give orders to the status page",
            "Give --http-token FILE: the page then asks for the word in it. The file is made if it is not there.",
            "Or serve it to this machine alone, --http 127.0.0.1:8080, and come by ssh -L 8080:127.0.0.1:8080.",
        )
    if not token.exists():
        return make_token(token)
    read_token(token)
    return ""


def socket_of(setup: Setup) -> socket.socket:
    return socket.socket(fileno=setup.descriptor)
