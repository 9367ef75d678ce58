"""The requests that are not finished, as their one owner sees them: taken in, put in order, begun, concluded.

Every method brings the spool from one whole state to another, and can be repeated after it was cut short anywhere: what
counts is what is on the disk, and the queue in memory is only read from it.
"""

from __future__ import annotations

import contextlib
import errno
import traceback
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge.appliance import likeness as alike
from edge.appliance.announce import announce, event_of
from edge.appliance.arrivals import Arrivals, Arrived, Mark
from edge.appliance.disk import move, remove, sync_file, sync_tree
from edge.appliance.entry import PLACES, Attempts, Entry, Outcome, attempts, boot_id, end_of
from edge.appliance.ledger import begin_ledger, count_end
from edge.appliance.likeness import Likeness
from edge.appliance.limits import Limits
from edge.appliance.log import ERROR, WARNING, Log
from edge.appliance.order import Order, read_order
from edge.appliance.retention import WatchedClock, overdue, results
from edge.appliance.spool import Act, Spool, id_of
from edge.appliance.status import Status, read_status, write_reason, write_status
from edge.appliance.verdict import afresh, again
from edge.appliance.worker import kill_stragglers
from edge.errors import BadRequest
from edge.report.words import printable
from zoo.supply.files import sync_folder

SHORT_OF = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)  # says nothing about a file: the machine has no room to read it


@dataclass(frozen=True)
class Ticket:
    """A request that waits or is worked on."""

    entry: Entry
    order: Order
    attempts: Attempts

    @property
    def turn(self) -> tuple[int, int]:
        """Smaller comes first: by priority, then by age, which is the number and no clock."""
        return -self.order.priority, self.entry.number


class Queue:
    """What lies in work/, in order. Call `recover` before anything else."""

    def __init__(self, spool: Spool, limits: Limits, log: Log) -> None:
        self.spool = spool
        self.limits = limits
        self.clock = WatchedClock(spool.root)
        self.waiting: dict[str, Ticket] = {}
        self._log = log
        self._arrivals = Arrivals(spool.incoming, limits.settle)
        self._unread: dict[str, tuple[Entry, Mark | None, float]] = {}
        self._stuck: dict[str, Mark] = {}
        self._made: dict[str, list[str]] = {}

    @property
    def settling(self) -> bool:
        """Whether something came that is not taken in yet."""
        return bool(self._unread) or self._arrivals.waiting > len(self._stuck)

    def use(self, limits: Limits) -> None:
        """Other limits from now on."""
        self.limits = limits
        self._arrivals.settle_s = limits.settle

    def recover(self) -> None:
        """Go on from whatever an earlier owner left, however it ended."""
        stragglers = kill_stragglers(self.spool.root)
        if stragglers:
            self._log(f"{stragglers} processes of an earlier worker were still there and were ended", WARNING)
        self.spool.sweep()
        begin_ledger(self.spool)
        self.waiting, self._unread, self._made = {}, {}, {}
        for known in self.spool.ids(self.spool.done):
            self._made.setdefault(alike.recall(self.spool.done / known), []).append(known)
        for known in self.spool.ids(self.spool.work):
            self._readmit(Entry(self.spool.work / known))

    def take_in(self, now_s: float, renamed: Collection[str] = (), most: int | None = None) -> None:
        """Claim what is whole in incoming/, then read and queue or reject it."""
        whole = self._arrivals.whole(now_s, renamed)
        self._stuck = {one.name: one.mark for one in whole if self._stuck.get(one.name) == one.mark}
        arrived = [one for one in whole if one.name not in self._stuck]
        self._claim(arrived[:most], now_s)
        self.read_all(now_s)

    def read_all(self, now_s: float = 0.0) -> None:
        """Queue or reject what was claimed."""
        for entry, mark, since_s in list(self._unread.values()):
            self._read(entry, mark, since_s, now_s)

    def next(self) -> Ticket | None:
        """Whose turn it is."""
        return min(self.waiting.values(), key=lambda ticket: ticket.turn, default=None)

    def reuse(self, ticket: Ticket, same: Likeness) -> bool:
        """Give the request the package of an equal one that is done, if there is one."""
        for known in self._made.get(same.key, ()) if same.key else ():
            folder = self.spool.done / known
            if alike.still_true(folder):
                alike.share(folder / "package", ticket.entry.package)
                alike.copy_memory(folder, ticket.entry.folder)
                self.conclude(ticket.entry, Outcome("done", same_as=known, exit_code=0))
                return True
        return False

    def begin(self, ticket: Ticket, same: Likeness) -> Ticket:
        """Write down an attempt, before it is made. What another machine measured is not gone on with."""
        entry, before = ticket.entry, ticket.attempts
        if before.machine and before.machine != same.machine and entry.job.exists():
            self._log("hardware, drivers or libraries have changed: measured and made anew", WARNING, job=entry.id)
            remove(entry.job)
        entry.note(
            "attempt",
            number=before.begun + 1,
            boot=boot_id(),
            machine=same.machine,
            key=same.key,
            steps=entry.steps(),
        )
        ticket = replace(ticket, attempts=attempts(entry.journal()))
        self.waiting.pop(entry.id, None)
        return ticket

    def give_back(self, ticket: Ticket, how: str, why: str) -> Ticket:
        """Write down how an attempt ended that did not conclude its request, which waits again."""
        ticket.entry.note("end", how=how, why=why)
        ticket = replace(ticket, attempts=attempts(ticket.entry.journal()))
        self.waiting[ticket.entry.id] = ticket
        with contextlib.suppress(OSError):  # only told; the next attempt tells it anew
            write_status(ticket.entry.folder, self.told(ticket, note=f"waits again, because {why}"))
        return ticket

    def conclude(self, entry: Entry, outcome: Outcome) -> None:
        """Decide how a request ended, then bring its folder to where that belongs."""
        if not entry.folder.exists():  # concluded already, up to the last sync
            return
        entry.decide(replace(outcome, watched_s=self.clock.now_s()))
        self._finish(entry, outcome)

    def obey(self, running: str = "") -> bool:
        """Do what other processes asked for; True if they want the running request cancelled.

        That wish stays until the request is concluded, so that it outlives the watcher.
        """
        stop = False
        for wish in self.spool.wishes():
            if wish.act == "cancel" and wish.id == running:
                stop = True
                continue
            self._grant(wish.act, wish.id)
            remove(wish.path)
        return stop

    def delete_overdue(self) -> None:
        """Keep to the limits of age and size."""
        self.clock.save()
        if self.limits.keep_for is None and self.limits.keep_size is None:
            return
        found = overdue(results(self.spool), self.clock.now_s(), self.limits.keep_for, self.limits.keep_size)
        for folder in found:
            self._log(f"{folder.parent.name}/{folder.name} is deleted, to keep to the limits of age and size")
            self.spool.discard(folder)

    def told(self, ticket: Ticket, **changes: object) -> Status:
        """The status document's content for a request that is not finished."""
        order = ticket.order
        file = ticket.entry.dropped()
        status = Status(
            id=ticket.entry.id,
            file=printable(file.name) if file else "",
            state="queued",
            text=order.text,
            priority=order.priority,
            budget_s=order.budget_s,
            attempts=ticket.attempts.begun,
        )
        return replace(status, **changes)  # type: ignore[arg-type]

    def _claim(self, arrived: Sequence[Arrived], now_s: float) -> None:
        """Move files from incoming/ into folders of their own, each by one rename, all synced together."""
        if not arrived:
            return
        targets = []
        for one, count in zip(arrived, self.spool.reserve(len(arrived)), strict=True):
            folder = self.spool.work / id_of(count, one.name)
            (folder / "request").mkdir(parents=True)
            sync_file(self.spool.incoming / one.name)
            sync_folder(folder)
            targets.append((one, Entry(folder)))
        sync_folder(self.spool.work)
        for one, entry in targets:
            try:
                (self.spool.incoming / one.name).rename(entry.folder / "request" / one.name)
            except FileNotFoundError:  # whoever dropped it took it back
                remove(entry.folder)
            except OSError as error:
                remove(entry.folder)
                self._stuck[one.name] = one.mark
                self._log(f"{printable(one.name)!r} stays in incoming: {error.strerror}", ERROR)
            else:
                sync_folder(entry.folder / "request")
                self._arrivals.forget(one.name)
                self._unread[entry.id] = (entry, one.mark, now_s)
        sync_folder(self.spool.incoming)

    def _read(self, entry: Entry, mark: Mark | None, since_s: float, now_s: float) -> None:
        """Queue or reject one request, unless its file was still written to when it was claimed."""
        path = entry.dropped()
        if path is None:
            self._unread.pop(entry.id)
            self._readmit(entry)
            return
        seen = Mark.of(path.lstat())
        if mark is not None and seen != mark and now_s - since_s < self._arrivals.patience_s(seen):
            self._unread[entry.id] = (entry, mark, since_s)
            return
        try:
            ticket = Ticket(entry, self._order(path), attempts(entry.journal()))
        except BadRequest as error:
            hints = tuple(getattr(error, "__notes__", ()))
            self._unread.pop(entry.id)
            self.conclude(entry, Outcome("rejected", str(error), hints))
            return
        write_status(entry.folder, self.told(ticket))
        self.waiting[entry.id] = ticket
        del self._unread[entry.id]
        self._log(f"queued: {printable(ticket.order.text)[:200]}", job=entry.id, stage="queued")

    def _order(self, path: Path) -> Order:
        try:
            return read_order(path, self.limits.data_below)
        except BadRequest:
            raise
        except OSError as error:
            if error.errno in SHORT_OF:
                raise
            raise BadRequest(f"the file cannot be read: {error.strerror}", "Drop it again.") from error
        except Exception as error:  # a file from anybody found a fault of ours: it is told, and the service goes on
            self._log(f"{path} cannot be read:\n{traceback.format_exc()}", ERROR)
            raise BadRequest(f"edge failed to read the file: {error!r}"[:300], "Report it, with the file.") from error

    def _readmit(self, entry: Entry) -> None:
        """A folder in work/ that an earlier owner left."""
        outcome = entry.outcome()
        if outcome is not None:
            self._finish(entry, outcome)
        elif entry.dropped() is None:
            if entry.journal():
                self.conclude(entry, Outcome("failed", "the request's file is gone", ("Drop the request again.",)))
            else:  # the claim was cut short: the file is still in incoming/
                remove(entry.folder)
        else:
            unended = attempts(entry.journal()).unended
            if unended is not None:
                how = end_of(unended, entry.steps(), boot_id())
                entry.note("end", how=how, why="the watcher or the machine went down")
            self._unread[entry.id] = (entry, None, 0.0)

    def _grant(self, act: Act, wanted: str) -> None:
        folder = self.spool.find(wanted)
        if folder is None:
            self._log(f"{act}: there is no request {wanted}", WARNING)
        elif act == "cancel" and folder.parent == self.spool.work:
            self._unread.pop(wanted, None)
            self.conclude(Entry(folder), Outcome("cancelled", "it was cancelled", (again(Entry(folder)),)))
        elif act != "cancel" and folder.parent in (self.spool.failed, self.spool.rejected):
            self._requeue(Entry(folder), act == "afresh")
        else:
            self._log(f"{act}: nothing to do, the request is in {folder.parent.name}", WARNING, job=wanted)

    def _requeue(self, entry: Entry, afresh: bool) -> None:
        entry.note("retry")
        if afresh:
            remove(entry.job)
        for name in ("outcome.json", "reason.txt"):
            remove(entry.folder / name)
        sync_folder(entry.folder)
        target = self.spool.work / entry.id
        move(entry.folder, target)
        self._readmit(Entry(target))

    def _finish(self, entry: Entry, outcome: Outcome) -> None:
        """Tidy up, tell, and bring the folder to its place, which is what makes the result a result."""
        if outcome.state == "done":
            outcome = self._unpack(entry, outcome)
        place = self.spool.root / PLACES[outcome.state]
        final = place / entry.id
        file = entry.dropped()
        last = read_status(entry.folder) or Status(entry.id, printable(file.name) if file else "", "")
        status = replace(
            last,
            state=outcome.state,
            stage="",
            progress="",
            note="",
            left_s=None,
            stage_s=None,
            fact=outcome.fact,
            hints=outcome.hints,
            exit_code=outcome.exit_code,
            package=str(final / "package") if outcome.state == "done" else "",
            same_as=outcome.same_as,
        )
        write_status(entry.folder, status)
        if outcome.state != "done":
            write_reason(entry.folder, outcome.fact, outcome.hints)
        for path in entry.folder.iterdir():
            sync_file(path)
        sync_folder(entry.folder)
        event = event_of(entry)
        count_end(self.spool, event, outcome.state)
        announce(self.spool, self.limits, event, status, outcome.state)
        move(entry.folder, final)
        self.waiting.pop(entry.id, None)
        remove(self.spool.control / f"cancel-{entry.id}")  # too late, or granted
        if outcome.state == "done":
            self._made.setdefault(alike.recall(final), []).append(entry.id)
        self._log(outcome.fact or f"the package is in {final / 'package'}", job=entry.id, verdict=outcome.state)

    def _unpack(self, entry: Entry, outcome: Outcome) -> Outcome:
        """Keep the package and the records of the steps; what the job worked with is not needed any more."""
        if not entry.package.exists() and (entry.job / "package").is_dir():
            keys = [str(line.get("key", "")) for line in entry.journal() if line.get("event") == "attempt"]
            if keys:
                alike.remember(entry, keys[-1])
            sync_tree(entry.job / "package")
            move(entry.job / "package", entry.package)
        if not (entry.package / "manifest.json").is_file():
            return Outcome("failed", "the job ended well but left no package", (afresh(entry),), outcome.exit_code)
        if (entry.job / "steps").is_dir() and not (entry.folder / "steps").exists():
            move(entry.job / "steps", entry.folder / "steps")
        remove(entry.job)
        return outcome
