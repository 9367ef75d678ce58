"""The service's files: what is written where, what is never written over, and what systemd itself thinks of them."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from edge.appliance import service
from edge.appliance.limits import Limits
from edge.appliance.notify import MARGIN_S, Systemd, notifier
from edge.appliance.service import UNIT, Program, Wanted
from edge.errors import BadRequest, EnvironmentBroken, Exit, StorageError

PROGRAM = Program(Path("/opt/edge/bin/python"), (Path("/opt/edge"),))
MOST_EXPOSED = {False: 1.5, True: 2.5}  # without and with a card

analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


def edge(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "edge", "install-service", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def written(wanted: Wanted, root: Path, program: Program = PROGRAM) -> dict[str, str]:
    """Files by their names below `root`, as an installation would write them."""
    found = service.plan(wanted, program, root)
    for file in found.files:
        file.path.parent.mkdir(parents=True, exist_ok=True)
        file.path.write_text(file.text)
    return {str(file.path.relative_to(root)): file.text for file in found.files}


def lines(unit: str, name: str) -> list[str]:
    return [line.partition("=")[2] for line in unit.splitlines() if line.startswith(f"{name}=")]


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What would have been run, instead of running it."""
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(service, "_run", lambda given: ran.extend(map(tuple, given)))
    return ran


# what is written


def test_unit_starts_the_installed_edge_on_the_default_spool(tmp_path: Path) -> None:
    files = written(Wanted(), tmp_path)
    assert list(files) == ["etc/sysusers.d/edge.conf", "etc/tmpfiles.d/edge.conf", "etc/systemd/system/edge.service"]
    unit = files["etc/systemd/system/edge.service"]
    assert lines(unit, "ExecStart") == ["/opt/edge/bin/python -P -m edge watch"]
    assert lines(unit, "BindPaths") == lines(unit, "BindReadOnlyPaths") == [""]
    assert "\nd /var/lib/edge/spool/incoming 2770 edge edge -\n" in files["etc/tmpfiles.d/edge.conf"]


def test_spool_data_and_an_edge_in_a_home_are_shown_to_the_service(tmp_path: Path) -> None:
    data = tmp_path / "100 % pictures"
    data.mkdir()
    program = Program(Path("/home/me/edge/bin/python"), (Path("/home/me/edge"), Path("/usr")))
    wanted = Wanted(spool=Path("/srv/my spool"), data=(data, data / "of cars" / ".."), gpu=True)
    (data / "of cars").mkdir()
    files = written(wanted, tmp_path, program)
    unit = files["etc/systemd/system/edge.service"]
    assert lines(unit, "ExecStart") == ['/home/me/edge/bin/python -P -m edge watch --spool "/srv/my spool"']
    assert lines(unit, "BindPaths") == lines(unit, "RequiresMountsFor") == ['"/srv/my spool"']
    assert lines(unit, "BindReadOnlyPaths") == [f'/home/me/edge "-{tmp_path}/100 %% pictures"']
    assert '\nd "/srv/my spool/incoming" 2770 edge edge -\n' in files["etc/tmpfiles.d/edge.conf"]
    assert "DeviceAllow=char-nvidia* rw" in files["etc/systemd/system/edge.service.d/50-gpu.conf"]


def test_user_unit_is_one_file_in_the_users_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (file,) = service.plan(Wanted(user=True), PROGRAM).files
    assert file.path == tmp_path / "systemd" / "user" / "edge.service"
    assert lines(file.text, "WantedBy") == ["default.target"]
    assert "User=" not in file.text


def test_no_word_between_ats_is_left_over(tmp_path: Path) -> None:
    for text in written(Wanted(gpu=True), tmp_path).values():
        assert re.findall(r"@[A-Z]+@", text) == []


def test_watchdog_and_stop_wait_longer_than_the_watcher_itself() -> None:
    unit = (service._templates() / "system" / UNIT).read_text()
    assert lines(unit, "WatchdogSec") == ["35min"]
    assert Limits().hang + MARGIN_S < 35 * 60
    assert lines(unit, "TimeoutStopSec") == ["2min"]
    assert Limits().grace + MARGIN_S <= 120


def test_every_line_of_the_sandbox_is_below_a_reason() -> None:
    """No blank line separates a setting from the comment that speaks for it."""
    text = (service._templates() / "system" / UNIT).read_text().partition("# Sandbox.")[2].partition("[Install]")[0]
    for block in re.split(r"\n\n+", text.strip())[1:]:
        assert block.startswith("#")


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Wanted(user=True, gpu=True), "--gpu is for the system's service"),
        (Wanted(user=True, data=(Path("/"),)), "--data is for the system's service"),
        (Wanted(spool=Path("/srv/a:b")), "'/srv/a:b' cannot stand in a unit"),
        (Wanted(spool=Path("/srv/a\nUser=root")), "'/srv/a\\nUser=root' cannot stand in a unit"),
        (Wanted(data=(Path("/nowhere at all"),)), "/nowhere at all is no folder"),
    ],
)
def test_what_cannot_be_is_refused(wanted: Wanted, words: str) -> None:
    with pytest.raises(BadRequest, match="^" + re.escape(words)):
        service.plan(wanted, PROGRAM)


def test_edge_that_others_cannot_enter_is_refused(tmp_path: Path) -> None:
    program = Program(tmp_path / "own" / "bin" / "python", (tmp_path / "own",))
    (tmp_path / "own").mkdir(mode=0o700)
    tmp_path.chmod(0o755)
    with pytest.raises(EnvironmentBroken, match="only its owner may enter") as caught:
        service.plan(Wanted(), program)
    assert "chmod o+x" in caught.value.__notes__[0]


# again, edited, removed


def test_again_replaces_what_edge_wrote(tmp_path: Path, commands: list[tuple[str, ...]]) -> None:
    service.carry_out(service.plan(Wanted(gpu=True), PROGRAM, tmp_path))
    unit = tmp_path / "etc/systemd/system/edge.service"
    assert unit.stat().st_mode & 0o777 == 0o644
    service.carry_out(service.plan(Wanted(spool=Path("/srv/edge")), PROGRAM, tmp_path))
    assert "--spool /srv/edge" in unit.read_text()
    assert service.before(False, tmp_path) == "edge install-service --spool /srv/edge"
    assert not (tmp_path / "etc/systemd/system/edge.service.d").exists(), "the card was not asked for any more"
    assert commands[-1] == ("systemctl", "enable", "edge.service")
    assert [path for path in tmp_path.rglob("*") if path.name.endswith(".partial")] == []


def test_what_somebody_edited_is_kept_and_nothing_else_is_written(tmp_path: Path, commands: object) -> None:
    service.carry_out(service.plan(Wanted(), PROGRAM, tmp_path))
    unit = tmp_path / "etc/systemd/system/edge.service"
    edited = unit.read_text().replace("RestartSec=5s", "RestartSec=50s")
    unit.write_text(edited)
    (tmp_path / "etc/tmpfiles.d/edge.conf").unlink()
    found = service.plan(Wanted(), PROGRAM, tmp_path)
    with pytest.raises(StorageError, match=f"{unit} was not written by edge, or edited since"):
        service.carry_out(found)
    assert unit.read_text() == edited
    assert not (tmp_path / "etc/tmpfiles.d/edge.conf").exists()
    with pytest.raises(StorageError):
        service.carry_out(service.removal(False, tmp_path))
    service.carry_out(found, force=True)
    assert "RestartSec=5s" in unit.read_text()


def test_masked_unit_is_not_written_over(tmp_path: Path, commands: object) -> None:
    unit = tmp_path / "etc/systemd/system/edge.service"
    unit.parent.mkdir(parents=True)
    unit.symlink_to("/dev/null")
    with pytest.raises(StorageError):
        service.carry_out(service.plan(Wanted(), PROGRAM, tmp_path))
    assert unit.is_symlink()


def test_removal_takes_edges_files_and_leaves_drop_ins_of_others(
    tmp_path: Path, commands: list[tuple[str, ...]]
) -> None:
    service.carry_out(service.plan(Wanted(gpu=True), PROGRAM, tmp_path))
    own = tmp_path / "etc/systemd/system/edge.service.d/override.conf"
    own.write_text("[Service]\nNice=5\n")
    commands.clear()
    service.carry_out(service.removal(False, tmp_path))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [own]
    assert commands == [("systemctl", "disable", "--now", "edge.service"), ("systemctl", "daemon-reload")]
    assert service.removal(False, tmp_path) == service.Plan(), "nothing is there any more"


def test_removal_says_what_it_would_do_in_its_order(tmp_path: Path, commands: object) -> None:
    service.carry_out(service.plan(Wanted(), PROGRAM, tmp_path))
    assert service.told(service.removal(False, tmp_path)).splitlines() == [
        "$ systemctl disable --now edge.service",
        f"$ rm {tmp_path}/etc/sysusers.d/edge.conf",
        f"$ rm {tmp_path}/etc/tmpfiles.d/edge.conf",
        f"$ rm {tmp_path}/etc/systemd/system/edge.service",
        "$ systemctl daemon-reload",
    ]


def test_folder_that_cannot_be_written_is_told(tmp_path: Path, commands: object) -> None:
    (tmp_path / "etc").touch()
    with pytest.raises(StorageError, match=r"cannot write .*sysusers.d/edge.conf"):
        service.carry_out(service.plan(Wanted(), PROGRAM, tmp_path))


# the command


def test_dry_run_says_all_that_would_be_written_and_run_and_does_nothing(tmp_path: Path) -> None:
    done = edge("--dry-run", "--user", XDG_CONFIG_HOME=str(tmp_path))
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith(
        f"== {tmp_path}/systemd/user/edge.service\n# Written by `edge install-service --user`"
    )
    assert f"\nExecStart={sys.executable} -P -m edge watch\n" in done.stderr
    assert done.stderr.endswith("\n$ systemctl --user daemon-reload\n$ systemctl --user enable edge.service\n")
    assert list(tmp_path.iterdir()) == []


def test_machine_without_systemd_is_told(tmp_path: Path) -> None:
    if Path("/run/systemd/system").is_dir():
        pytest.skip("systemd runs here")
    done = edge("--user", XDG_CONFIG_HOME=str(tmp_path))
    assert done.returncode == Exit.ENVIRONMENT
    assert done.stderr == (
        "Error: systemd does not run here\n  `edge watch` needs none; --dry-run shows the unit to copy from.\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_root_is_needed_for_the_whole_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.shutil, "which", lambda _: "/usr/bin/systemctl")  # type: ignore[attr-defined]
    monkeypatch.setattr(service.Path, "is_dir", lambda _: True)
    monkeypatch.setattr(service.os, "geteuid", lambda: 1000)
    with pytest.raises(EnvironmentBroken, match="installing a service for the whole machine needs root"):
        service.refuse_here(False)
    service.refuse_here(True)


def test_failing_command_is_told_with_its_last_words() -> None:
    with pytest.raises(EnvironmentBroken, match=r"^`sh -c 'echo no such user >&2; false'` failed: no such user"):
        service._run([("sh", "-c", "echo no such user >&2; false")])


# systemd's own opinion


@analyze
@pytest.mark.parametrize("gpu", [False, True])
def test_exposure_is_below_what_was_promised(gpu: bool, tmp_path: Path) -> None:
    written(Wanted(gpu=gpu), tmp_path)
    folder = tmp_path / "etc/systemd/system"
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", f"./{UNIT}"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = re.search(r"Overall exposure level for edge\.service: ([\d.]+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found[1]) <= MOST_EXPOSED[gpu]
    assert ("char-nvidia" in done.stdout) is gpu, "the drop-in counts"


@analyze
@pytest.mark.parametrize("wanted", [Wanted(), Wanted(gpu=True), Wanted(spool=Path("/srv/100 % my spool"))])
def test_units_are_well_formed(wanted: Wanted, tmp_path: Path) -> None:
    program = Program(Path(sys.executable), (Path("/opt/edge"),))
    written(wanted, tmp_path, program)
    verify(tmp_path / "etc/systemd/system")


@analyze
def test_user_unit_is_well_formed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (file,) = service.plan(Wanted(user=True), Program(Path(sys.executable), ())).files
    (tmp_path / UNIT).write_text(file.text)
    verify(tmp_path)


def verify(folder: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", f"./{UNIT}"], cwd=folder, capture_output=True, text=True, check=False
    )
    # of other units of this machine nothing is asserted
    assert [line for line in done.stderr.splitlines() if "edge" in line or "50-gpu" in line] == []


# what the manager is told


def told(manager: socket.socket) -> list[str]:
    manager.setblocking(False)
    found = []
    while True:
        try:
            found.append(manager.recv(4096).decode())
        except BlockingIOError:
            return found


def test_manager_waits_longer_than_the_watcher_whatever_its_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(address))
        monkeypatch.setenv("NOTIFY_SOCKET", str(address))
        monkeypatch.setenv("WATCHDOG_USEC", "1000000")
        notifier().patience(7200.0)
        notifier().stopping(600.0)
        assert told(manager) == ["WATCHDOG_USEC=7260000000", "STOPPING=1", "EXTEND_TIMEOUT_USEC=660000000"]
        monkeypatch.delenv("WATCHDOG_USEC")
        notifier().patience(7200.0)
        Systemd(str(address)).stopping()
        assert told(manager) == ["STOPPING=1"]
