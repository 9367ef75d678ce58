"""What lies in incoming/ and is whole: nobody has written to it for a while, or it came by a rename.

Files that editors, browsers and sync tools make on their way to the real one are left alone for ever. Durations are of
the monotonic clock: a jump of the wall clock neither hurries nor holds up anything.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

EMPTY_WAITS = 10  # times as long: a name often appears well before its content

PASSING = re.compile(
    r"""
    \..*                                # hidden; rsync .NAME.XXXXXX, Syncthing .syncthing.NAME.tmp,
                                        # LibreOffice .~lock.NAME#, Emacs .#NAME, NFS .nfsXXXX, vim .NAME.swp
    | ~.*                               # Office ~$NAME and ~WRLnnnn.tmp, Syncthing ~syncthing~NAME.tmp
    | .*~                               # backups of vim, Emacs, nano, GNOME
    | \#.*\#                            # Emacs saving itself
    | 4913                              # vim trying whether it may write here
    | .*\.(?:sw[a-z]|tmp|temp|part|partial|crdownload|download|opdownload|filepart|aria2)
    | .*\.(?:bak|orig|lock|lck|bts|!sync|!ut)
    | .*\.kate-swp | .*\.part-[a-z0-9]+ | .*\.tmp-[a-z0-9]+
    | .*\.sync-conflict-.* | .*\.owncloudsync.* | .*\ \(.*conflicted\ copy.*\).*   # the same request a second time
    | thumbs\.db | desktop\.ini | \$recycle\.bin | icon\r
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


def passing(name: str) -> bool:
    """Whether a name belongs to a file on its way, or to some program's own."""
    return PASSING.fullmatch(name) is not None


@dataclass(frozen=True)
class Mark:
    """By what a change shows."""

    inode: int
    size: int
    changed_ns: int
    kind: int

    @classmethod
    def of(cls, seen: os.stat_result) -> Mark:
        return cls(seen.st_ino, seen.st_size, seen.st_mtime_ns, stat.S_IFMT(seen.st_mode))


@dataclass(frozen=True)
class Arrived:
    """A name in incoming/ that is whole, as it was when that was found."""

    name: str
    mark: Mark


@dataclass
class Arrivals:
    """Remembers since when each file has not changed."""

    folder: Path
    settle_s: float
    _since: dict[str, tuple[Mark, float]] = field(default_factory=dict)

    def whole(self, now_s: float, renamed: Collection[str] = ()) -> list[Arrived]:
        """All that is whole now, oldest first; `renamed` came by a rename and need not settle."""
        seen: dict[str, tuple[Mark, float]] = {}
        found = []
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if passing(entry.name):
                    continue
                try:
                    mark = Mark.of(entry.stat(follow_symlinks=False))
                except FileNotFoundError:
                    continue
                known = self._since.get(entry.name)
                since_s = known[1] if known is not None and known[0] == mark else now_s
                seen[entry.name] = (mark, since_s)
                if entry.name in renamed or now_s - since_s >= self.patience_s(mark):
                    found.append(Arrived(entry.name, mark))
        self._since = seen
        return sorted(found, key=lambda one: (one.mark.changed_ns, one.name))

    def patience_s(self, mark: Mark) -> float:
        """How long a file must not have changed."""
        empty = mark.kind == stat.S_IFREG and mark.size == 0
        return self.settle_s * (EMPTY_WAITS if empty else 1)

    def forget(self, name: str) -> None:
        """It was taken."""
        self._since.pop(name, None)

    @property
    def waiting(self) -> int:
        """How many names were there at the last look, whole or not."""
        return len(self._since)
