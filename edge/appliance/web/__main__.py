"""The page's process: `python -m edge.appliance.web SETUP`, where SETUP is JSON from the watcher."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from edge.appliance.log import Log
from edge.appliance.spool import Spool
from edge.appliance.web.acts import Desk
from edge.appliance.web.door import Door, read_token
from edge.appliance.web.process import Setup, socket_of
from edge.appliance.web.render import Look
from edge.appliance.web.server import Server
from edge.appliance.web.site import Site
from edge.errors import BadRequest
from edge.settings import resolve
from zoo.supply.places import data_folder

NICE = 10  # below the watcher's worker, which measures


def main() -> None:
    """Serves until it is killed, which the kernel does when the watcher ends."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    setup = Setup.read(sys.argv[1])
    spool = Spool(Path(setup.spool))
    door = Door(setup.near, read_token(Path(setup.token)) if setup.token else "", setup.names)
    desk = Desk(spool, _datasets(), Path(setup.below) if setup.below else None)
    Server(socket_of(setup), Site(spool, door, desk, Look(), Log()).answer).serve_forever(poll_interval=3600)


def _datasets() -> Path:
    with contextlib.suppress(BadRequest):  # the watcher pauses for settings that cannot be used, and says so
        return resolve().data_home or data_folder() / "datasets"
    return data_folder() / "datasets"


if __name__ == "__main__":
    main()
