"""`edge watch` with the quick fake worker of the other tests: in the machine it stands in ExecStart= for the real one.

Everything else is real: settings, spool, journal, and what systemd is told.
"""

from __future__ import annotations

from pathlib import Path

from spool_tools import trade

from edge.appliance.limits import resolve_limits
from edge.appliance.log import Log
from edge.appliance.loop import Watcher
from edge.appliance.notify import notifier
from edge.appliance.spool import Spool, default_spool

RAN = Path("/var/lib/edge/ran")

if __name__ == "__main__":
    RAN.mkdir(exist_ok=True)
    limits = resolve_limits()
    spool = Spool.made(limits.spool or default_spool())
    Watcher(spool, limits, trade(RAN), notifier(), Log(), reload=resolve_limits, retry_after_s=0.1).watch()
