"""`edge install-service`: makes the watcher a service of systemd, and takes it away again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from edge.appliance.service import Wanted


def install_service(
    user: Annotated[bool, typer.Option("--user", help="For you alone, without root; less is hidden from it.")] = False,
    gpu: Annotated[bool, typer.Option("--gpu", help="Open NVIDIA cards to it.")] = False,
    spool: Annotated[
        Path | None,
        typer.Option(help="The watched folder.", show_default="/var/lib/edge/spool; with --user, as of `edge watch`"),
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of data in a home, which the service would not see.", show_default="none"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be written and run.")] = False,
    uninstall: Annotated[bool, typer.Option("--uninstall", help="Take it away; spool and results stay.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also replace files that somebody edited.")] = False,
) -> None:
    """Let systemd start `edge watch` with the machine, in a sandbox, without a network.

    The same command again upgrades: what edge wrote is replaced, drop-ins of your own stay.
    """
    from edge.appliance.service import Wanted

    wanted = Wanted(user, gpu, _absolute(spool), tuple(filter(None, map(_absolute, data or ()))))
    if uninstall:
        _uninstall(wanted, dry_run=dry_run, force=force)
    else:
        _install(wanted, dry_run=dry_run, force=force)


def _install(wanted: Wanted, *, dry_run: bool, force: bool) -> None:
    from edge.appliance import service

    found = service.plan(wanted, service.Program.this())
    if dry_run:
        print(service.told(found), end="", file=sys.stderr)
        return
    service.refuse_here(wanted.user)
    before = service.before(wanted.user)
    service.carry_out(found, force=force)
    for file in found.files:
        print(f"Written: {file.path}", file=sys.stderr)
    if before not in (None, wanted.command):
        print(f"What was installed by `{before}` is replaced.", file=sys.stderr)
    systemctl = "systemctl --user" if wanted.user else "systemctl"
    print(f"Begin with it now, also after an upgrade: {systemctl} restart edge", file=sys.stderr)
    if wanted.user:
        print("To have it run while you are logged out: loginctl enable-linger", file=sys.stderr)


def _uninstall(wanted: Wanted, *, dry_run: bool, force: bool) -> None:
    from edge.appliance import service

    found = service.removal(wanted.user)
    if dry_run:
        print(service.told(found), end="", file=sys.stderr)
        return
    service.refuse_here(wanted.user)
    if not found.gone:
        print("No service of edge is installed.", file=sys.stderr)
        return
    service.carry_out(found, force=force)
    for path in found.gone:
        print(f"Removed: {path}", file=sys.stderr)
    kept = "the spool with its results" if wanted.user else f"{service.STATE}, every spool, and the user edge"
    print(f"Kept: {kept}. Nothing of edge runs on its own any more.", file=sys.stderr)


def _absolute(path: Path | None) -> Path | None:
    return path.expanduser().resolve() if path is not None else None
