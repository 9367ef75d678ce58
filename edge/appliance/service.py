"""The files that make the watcher a service of systemd, and the commands that tell systemd of them.

The units themselves lie in systemd/, as they are installed but for a few words between @. This fills them in, says what
would be written and run, and does it. It knows its own files again by their first line, so that an upgrade replaces
what edge wrote and nothing that somebody edited.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import edge
from edge.errors import BadRequest, EnvironmentBroken, StorageError
from zoo.supply.files import write_whole

UNIT = "edge.service"
GPU = f"system/{UNIT}.d/50-gpu.conf"
STATE = Path("/var/lib/edge")
SPOOL = STATE / "spool"
# what ProtectHome= and PrivateTmp= hide, systemd.exec(5)
HIDDEN = tuple(map(Path, ("/home", "/root", "/run/user", "/tmp", "/var/tmp")))
MARKER = re.compile(r"# Written by `(?P<command>edge install-service[^\n]*)`, sha256 (?P<sha256>[0-9a-f]{64})\n")
UNFIT = re.compile(r"""[:\\"'\x00-\x1f\x7f@]""")  # in a path: what units read as more than a letter


@dataclass(frozen=True)
class Wanted:
    """What was asked for. Paths are absolute; without `spool` it is the default one of whoever runs the service."""

    user: bool = False
    gpu: bool = False
    spool: Path | None = None
    data: tuple[Path, ...] = ()

    @property
    def command(self) -> str:
        """The command that asks for it."""
        words = ["edge", "install-service"]
        words += ["--user"] * self.user + ["--gpu"] * self.gpu
        words += ["--spool", str(self.spool)] if self.spool else []
        for folder in self.data:
            words += ["--data", str(folder)]
        return shlex.join(words)


@dataclass(frozen=True)
class Program:
    """The edge that is installed: its interpreter, and the folders it consists of."""

    python: Path
    folders: tuple[Path, ...]

    @classmethod
    def this(cls) -> Program:
        code = Path(edge.__file__).resolve().parent.parent
        # a link to the interpreter is followed too: a virtual environment's leads to the one it was made with
        folders = [Path(sys.prefix), Path(sys.base_prefix), code, Path(os.path.realpath(sys.executable)).parent]
        return cls(Path(sys.executable), tuple(outermost(folders)))


@dataclass(frozen=True)
class File:
    """One file to be written."""

    path: Path
    text: str


@dataclass(frozen=True)
class Plan:
    """Everything that an installation or a removal does, in this order."""

    files: tuple[File, ...] = ()
    first: tuple[tuple[str, ...], ...] = ()  # commands
    gone: tuple[Path, ...] = ()  # files that are taken away: all, or those that nobody asks for any more
    commands: tuple[tuple[str, ...], ...] = ()


def plan(wanted: Wanted, program: Program, root: Path = Path("/")) -> Plan:
    """What `wanted` comes to.

    Args:
        root: in place of /, where files go; what they say stays the same.

    Raises:
        BadRequest: an option has no use, or a path cannot stand in a unit.
        EnvironmentBroken: the service's user could not start edge where it lies, or its units are not there.
    """
    _refuse_unfit(wanted, program)
    places, source = _places(wanted.user, root), _templates()
    names = [name for name in places if name != GPU or wanted.gpu]
    words = _words(wanted, program)
    files = tuple(File(places[name], _marked(_filled(source / name, words), wanted)) for name in names)
    gone = tuple(path for name, path in places.items() if name not in names and os.path.lexists(path))
    return Plan(files, gone=gone, commands=_commands_in(wanted.user, places))


def removal(user: bool, root: Path = Path("/")) -> Plan:
    """What takes the service away again; what it made stays."""
    systemctl = _systemctl(user)
    there = tuple(path for path in _places(user, root).values() if os.path.lexists(path))
    unit = any(path.name == UNIT for path in there)
    stop = ((*systemctl, "disable", "--now", UNIT),) if unit else ()
    return Plan((), stop, there, ((*systemctl, "daemon-reload"),) if there else ())


def told(found: Plan) -> str:
    """The plan, for people: commands after a $, and each file with all it will hold."""
    written = [f"== {file.path}\n{file.text}" for file in found.files]
    removed = [("rm", str(path)) for path in found.gone]
    commands = [f"$ {shlex.join(command)}" for command in (*found.first, *removed, *found.commands)]
    return "".join(f"{part}\n" for part in [*written, *commands])


def carry_out(found: Plan, *, force: bool = False) -> None:
    """Write and take away files, each whole or not at all, and run the commands.

    Raises:
        StorageError: a file was edited by somebody else, or cannot be written. In the first case nothing was written.
        EnvironmentBroken: one of the commands failed.
    """
    _refuse_edited([*(file.path for file in found.files), *found.gone], force)
    for file in found.files:
        try:
            file.path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file.path, file.text.encode())
            file.path.chmod(0o644)
        except OSError as error:
            raise StorageError(
                f"cannot write {file.path}: {error.strerror}", "Correct that and run it again."
            ) from error
    _run(found.first)
    _delete(found.gone)
    _run(found.commands)


def refuse_here(user: bool) -> None:
    """Whether services can be installed on this machine, by this user.

    Raises:
        EnvironmentBroken: there is no systemd, or too few rights.
    """
    running = Path("/run/systemd/system").is_dir() and shutil.which("systemctl") is not None
    if not running:
        raise EnvironmentBroken(
            "systemd does not run here", "`edge watch` needs none; --dry-run shows the unit to copy from."
        )
    if user and os.geteuid() == 0 and "SUDO_USER" in os.environ:
        raise EnvironmentBroken("--user under sudo would install the service for root", "Run it without sudo.")
    if not user and os.geteuid() != 0:
        raise EnvironmentBroken(
            "installing a service for the whole machine needs root",
            f"sudo {shlex.quote(sys.executable)} -P -m edge install-service, with the same options; --user needs none.",
        )


def before(user: bool, root: Path = Path("/")) -> str | None:
    """The command of the installation that is there, if it is one of ours."""
    return next(_ours(path) for path in _places(user, root).values() if path.name == UNIT)


def outermost(folders: Sequence[Path]) -> list[Path]:
    """Without those that lie in another one."""
    found: list[Path] = []
    for folder in sorted(set(folders)):
        if not any(folder.is_relative_to(other) for other in found):
            found.append(folder)
    return found


def _places(user: bool, root: Path) -> dict[str, Path]:
    """Name in systemd/ -> where it is installed (systemd.unit(5), sysusers.d(5), tmpfiles.d(5))."""
    if user:
        base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        return {f"user/{UNIT}": base / "systemd" / "user" / UNIT}
    etc = root / "etc"
    return {
        "sysusers.d/edge.conf": etc / "sysusers.d" / "edge.conf",
        "tmpfiles.d/edge.conf": etc / "tmpfiles.d" / "edge.conf",
        f"system/{UNIT}": etc / "systemd" / "system" / UNIT,
        GPU: etc / "systemd" / GPU,
    }


def _templates() -> Path:
    """The folder systemd/: beside the code, or where the wheel put it."""
    beside = Path(edge.__file__).resolve().parent.parent / "systemd"
    if (beside / "system" / UNIT).is_file():  # a package of that name may lie there too
        return beside
    try:
        files = importlib.metadata.files("edge-appliance") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.parts[-3:] == ("systemd", "system", UNIT):
            return Path(os.path.realpath(str(file.locate()))).parent.parent
    raise EnvironmentBroken("the units that come with edge are not there", "Install edge anew, from its wheel.")


def _words(wanted: Wanted, program: Program) -> dict[str, str]:
    command = [str(program.python), "-P", "-m", "edge", "watch"]
    command += ["--spool", str(wanted.spool)] if wanted.spool else []
    own = [folder for folder in program.folders if _hidden(folder)]
    spool = wanted.spool or SPOOL
    return {
        "WATCH": " ".join(_unit_word(word).replace("$", "$$") for word in command),
        "SPOOL": _unit_word(str(spool)),
        "INCOMING": _unit_word(str(spool / "incoming")),
        "WRITABLE": _unit_word(str(wanted.spool)) if wanted.spool else "",
        # a disk that is not there today must not keep the service from starting
        "READABLE": " ".join(
            [*map(_unit_word, map(str, own)), *(_unit_word(f"-{folder}") for folder in outermost(wanted.data))]
        ),
    }


def _unit_word(word: str) -> str:
    """As systemd.syntax(7) and systemd.unit(5) read it: % begins a specifier, spaces need quotes."""
    word = word.replace("%", "%%")
    return f'"{word}"' if re.search(r"[\s;]", word) else word


def _filled(path: Path, words: dict[str, str]) -> str:
    return re.sub(r"@([A-Z]+)@", lambda found: words[found[1]], path.read_text(encoding="utf-8"))


def _marked(text: str, wanted: Wanted) -> str:
    """The first line says by what a file was written, and as what, so that an edit shows."""
    return f"# Written by `{wanted.command}`, sha256 {hashlib.sha256(text.encode()).hexdigest()}\n{text}"


def _ours(path: Path) -> str | None:
    """The command by which a file was written, if nobody changed it since."""
    if path.is_symlink() or not path.is_file():
        return None
    head, _, text = path.read_text(encoding="utf-8", errors="replace").partition("\n")
    found = MARKER.fullmatch(f"{head}\n")
    if found is None or hashlib.sha256(text.encode()).hexdigest() != found["sha256"]:
        return None
    return found["command"]


def _refuse_edited(paths: Sequence[Path], force: bool) -> None:
    others = [str(path) for path in paths if os.path.lexists(path) and _ours(path) is None]
    if others and not force:
        raise StorageError(
            f"{' and '.join(others)} {'was' if len(others) == 1 else 'were'} not written by edge, or edited since",
            "Keep your lines in a drop-in (`systemctl edit edge`); --force replaces the file.",
        )


def _refuse_unfit(wanted: Wanted, program: Program) -> None:
    """All that can be wrong with options and paths."""
    if wanted.user and (wanted.gpu or wanted.data):
        option = "--gpu" if wanted.gpu else "--data"
        raise BadRequest(f"{option} is for the system's service", "A user's service sees all that the user sees.")
    spool = (wanted.spool,) if wanted.spool else ()
    for path in (*spool, *wanted.data, program.python):
        if UNFIT.search(str(path)):
            raise BadRequest(f"{str(path)!r} cannot stand in a unit", "Take a path without quotes, colons, \\ and @.")
    missing = [folder for folder in wanted.data if not folder.is_dir()]
    if missing:
        raise BadRequest(f"{missing[0]} is no folder", "Name folders of data that are there: --data DIR.")
    closed = None if wanted.user else _closed(program)
    if closed is not None:
        raise EnvironmentBroken(
            f"only its owner may enter {closed}, so the service could not start edge from there",
            f"chmod o+x {shlex.quote(str(closed))}, or install edge where all may read it, such as /opt/edge.",
        )


def _closed(program: Program) -> Path | None:
    """A folder on the way to edge that other users may not enter. What is hidden is shown from its own top on."""
    for folder in program.folders:
        way = [folder] if _hidden(folder) else [*reversed(folder.parents), folder]
        for step in way:
            if step.is_dir() and not step.stat().st_mode & 0o001:
                return step
    return None


def _hidden(path: Path) -> bool:
    return any(path.is_relative_to(place) for place in HIDDEN)


def _systemctl(user: bool) -> tuple[str, ...]:
    return ("systemctl", "--user") if user else ("systemctl",)


def _commands_in(user: bool, places: dict[str, Path]) -> tuple[tuple[str, ...], ...]:
    """What makes systemd know the files."""
    systemctl = _systemctl(user)
    known = ((*systemctl, "daemon-reload"), (*systemctl, "enable", UNIT))
    if user:
        return known
    return (
        ("systemd-sysusers", str(places["sysusers.d/edge.conf"])),
        ("systemd-tmpfiles", "--create", str(places["tmpfiles.d/edge.conf"])),
        *known,
    )


def _delete(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
        if path.parent.name == f"{UNIT}.d" and not any(path.parent.iterdir()):
            path.parent.rmdir()


def _run(commands: Sequence[Sequence[str]]) -> None:
    for command in commands:
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise EnvironmentBroken(f"{command[0]}: {error.strerror}", "Install systemd whole.") from error
        if done.returncode:
            last = (done.stderr.strip() or done.stdout.strip() or "no words").splitlines()[-1]
            raise EnvironmentBroken(
                f"`{shlex.join(command)}` failed: {last}", "Correct that and run the same command again."
            )
