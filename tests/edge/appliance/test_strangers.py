"""What anybody may drop: 500 broken files and things that are no files. All are rejected with a reason; nothing outside
the spool is touched, and nothing makes the watcher wait.
"""

from __future__ import annotations

import json
import os
import random
import socket
import stat
import time
from pathlib import Path

import pytest
from spool_tools import QUICK, Place

from edge.appliance.entry import Entry
from edge.appliance.loop import Log
from edge.appliance.queue import Queue

STRANGE_NAMES = (
    b"new\nline.txt", b"\xff\xfe.txt", b"bell\x07.json", b" .txt", b"-rf.txt", b"$(id).txt", b"a'b\"c.yaml",
    b"\xe2\x80\xae.txt", b"a..txt..", b"%s%n.txt", b"x" * 250 + b".txt",
)  # fmt: skip


def fuzz(rng: random.Random) -> tuple[str, bytes]:
    """A broken request: an ending and a content."""
    kind = rng.randrange(10)
    garbage = bytes(rng.randrange(256) for _ in range(rng.randint(1, 300)))
    return (
        (".txt", b"\0" + garbage),
        (".json", garbage),
        (".yaml", b"\x80" + garbage),
        (".json", json.dumps({"text": "x", "data": rng.choice(["../..", "/a/../b", "a/b", "/x\n", "--out"])}).encode()),
        (".json", json.dumps({"text": "x", rng.choice(["id", "out", "name", "__class__"]): "../../etc"}).encode()),
        (".yaml", rng.choice([b"a: &a [1]\nb: *a", b"text: !!python/name:os.system x", b"[" * 9000, b"? [" * 3000])),
        (".txt", rng.choice([b" ", b"\n\t\n", b"y" * 70_000])),
        (".json", rng.choice([b'{"text": "a"', b"{" * 9000, b'{"text": 1e999}', b"null", b'"x"', b'{"text":"a"}x'])),
        (rng.choice([".exe", ".pdf", "", ".txt.gz", ".yaml5"]), b"detect cars"),
        (".json", json.dumps({"text": "a", "priority": rng.choice([1e9, "1", {}, [], -11, True])}).encode()),
    )[kind]


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
    }


def special(incoming: Path, outside: Path) -> int:
    """Drop one of every thing that is no file; gives how many."""
    (incoming / "link.txt").symlink_to(outside / "precious.txt")
    (incoming / "dangling.txt").symlink_to("/nowhere/at/all")
    (incoming / "loop.txt").symlink_to("loop.txt")
    (incoming / "folderlink.txt").symlink_to(outside)
    os.mkfifo(incoming / "pipe.txt")
    (incoming / "folder.txt").mkdir()
    (incoming / "folder.txt" / "inside.txt").write_text("detect cars")
    with socket.socket(socket.AF_UNIX) as sock:
        here = Path.cwd()
        os.chdir(incoming)  # addresses are short
        sock.bind("socket.txt")
        os.chdir(here)
    made = 7
    if os.geteuid() == 0:
        try:
            os.mknod(incoming / "device.txt", stat.S_IFCHR | 0o666, os.makedev(1, 5))  # /dev/zero never ends
            made += 1
        except PermissionError:
            pass
    return made


@pytest.mark.timeout(120)
def test_five_hundred_broken_requests_are_rejected_each_with_a_reason(place: Place) -> None:
    outside = place.spool.root.parent / "outside"
    outside.mkdir()
    (outside / "precious.txt").write_text("detect cars")
    before = snapshot(outside)
    rng = random.Random(11)
    count = special(place.spool.incoming, outside)
    for number in range(500):
        ending, content = fuzz(rng)
        place.drop(f"{number:03d}{ending}", content)
    for name in STRANGE_NAMES:
        Path(os.fsdecode(os.fsencode(place.spool.incoming) + b"/" + name)).write_bytes(b"\0")
    began = time.monotonic()
    place.run()
    assert time.monotonic() - began < 60, "nothing waits for a pipe"
    rejected = [place.spool.rejected / known for known in place.spool.ids(place.spool.rejected)]
    assert len(rejected) == count + 500 + len(STRANGE_NAMES)
    assert place.spool.ids(place.spool.done) == place.spool.ids(place.spool.failed) == []
    for folder in rejected:
        fact, *hints = (folder / "reason.txt").read_text().splitlines()
        assert fact, folder
        assert hints, folder
        assert place.status(folder)["state"] == "rejected"
        assert Entry(folder).dropped() is not None
    assert snapshot(outside) == before
    assert (place.spool.rejected / rejected[0].name).is_dir()
    kinds = {Entry(folder).dropped().name: folder for folder in rejected}  # type: ignore[union-attr]
    assert os.readlink(kinds["link.txt"] / "request" / "link.txt") == str(outside / "precious.txt")  # noqa: PTH115
    assert "this is a symbolic link" in (kinds["link.txt"] / "reason.txt").read_text()
    assert "this is a named pipe" in (kinds["pipe.txt"] / "reason.txt").read_text()
    assert (kinds["folder.txt"] / "request" / "folder.txt" / "inside.txt").is_file()
    assert place.steps() == {}


def test_what_cannot_be_moved_stays_is_told_once_and_holds_nothing_up(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.name == "mount.txt":
            raise OSError(16, "Device or resource busy")
        return rename(self, target)

    place.drop("mount.txt")
    place.drop("a.txt", "quick")
    monkeypatch.setattr(Path, "rename", refuse)
    with place.spool.owned():
        queue = Queue(place.spool, QUICK, Log(quiet=True))
        queue.recover()
        for second in range(5):
            queue.take_in(float(second))
    assert len(queue.waiting) == 1
    assert not queue.settling
    assert capsys.readouterr().err == "'mount.txt' stays in incoming: Device or resource busy\n"
    assert len(list(place.spool.work.iterdir())) == 1
