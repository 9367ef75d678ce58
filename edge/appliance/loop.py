"""The watcher: looks, takes in, starts one worker at a time, hears it, concludes. No round of it waits for anything.

The worker's command is given by whoever makes a watcher, so that tests give another one. What it does not cover: two
machines on one spool whose file system does not share locks.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType

from edge.appliance.beside import Company
from edge.appliance.disk import REFUSALS, free_bytes, remove, tree_bytes
from edge.appliance.entry import Entry
from edge.appliance.inotify import Hints
from edge.appliance.likeness import Likeness
from edge.appliance.limits import Limits
from edge.appliance.log import ERROR, WARNING, Log
from edge.appliance.notify import Notifier
from edge.appliance.order import Order
from edge.appliance.overview import Overview, write_overview
from edge.appliance.queue import Queue, Ticket
from edge.appliance.run import Run, seconds_kept
from edge.appliance.spool import Spool
from edge.appliance.status import write_status
from edge.appliance.verdict import crash, outcome_of, set_aside
from edge.appliance.worker import Worker, kill_stragglers, step_back
from edge.errors import BadRequest, StorageError
from edge.report import words

SCAN_GAP_S = 0.2  # least time between two looks, however many hints come
BUSY_SCAN_GAP_S = 1.0  # and while a worker may be measuring
BUSY_MOST = 20  # requests taken in at one look then, so that a thousand of them are no burst of load
STATUS_EVERY_S = (5.0, 15.0)  # while only the message changes, and while not even that does
RETRY_AFTER_S = 10.0  # after a crash, for whatever caused it to pass
RETENTION_S = (10.0, 600.0)  # from the end of a request, and at the latest, to a look for what is overdue
LONGEST_WAIT_S = 30.0


@dataclass(frozen=True)
class Trade:
    """What the watcher needs to know of the work: how a worker is started, and when two requests are the same."""

    command: Callable[[Entry, Sequence[str], int], Sequence[str]]
    """(request's folder, arguments of `edge produce`, descriptor of its events) -> command."""
    likeness: Callable[[Order], Likeness]


class Watcher:
    """One spool, watched."""

    def __init__(
        self,
        spool: Spool,
        limits: Limits,
        trade: Trade,
        notifier: Notifier,
        log: Log,
        *,
        company: Company | None = None,
        reload: Callable[[], Limits] | None = None,
        retry_after_s: float = RETRY_AFTER_S,
    ) -> None:
        self._spool, self._limits, self._trade = spool, limits, trade
        self._notifier, self._log, self._reload = notifier, log, reload
        self._retry_after_s = retry_after_s
        self._company = company or Company(log)
        self._company_at_s = float("-inf")
        self._queue = Queue(spool, limits, log)
        self._run: Run | None = None
        self._recovered = self._stop = self._stop_now = self._read_again = False
        self._renamed: set[str] = set()
        self._scan_at_s = self._looked_at_s = self._retain_at_s = float("-inf")
        self._not_before_s = float("-inf")
        self._paused = ""
        self._told: Overview | None = None
        self._told_manager = ""

    def watch(self, *, once: bool = False) -> None:
        """Until a signal says stop; with `once`, until nothing is left to do.

        Raises:
            Busy: another process owns the spool.
            StorageError: with `once`, something keeps jobs from beginning.
        """
        with self._spool.owned(), self._company, self._signals() as wake, self._hints() as hints:
            step_back()
            self._log(f"watching {self._spool.incoming}")
            self._notifier.ready()
            self._notifier.patience(self._limits.hang)
            try:
                self._round()
                while not self._over(once):
                    self._wait(wake, hints)
                    self._round()
            finally:
                self._notifier.stopping()
                if self._run is not None:  # only an error of ours leads here; nobody would watch over the worker
                    self._run.worker.close()
                    kill_stragglers(self._spool.root)
            with contextlib.suppress(OSError):  # ages a little too young delete nothing
                self._queue.clock.save()
                write_overview(self._spool.root, Overview("stopped", queued=len(self._queue.waiting)))
            self._log("stopped; what is queued stays" if self._stop else "nothing is left to do")

    def _round(self) -> None:
        """All that can be done now. A disk that refuses is told, and tried again."""
        if self._read_again:
            self._read_limits()
        heard = self._hear()
        try:
            if not self._recovered:
                self._queue.recover()
                self._recovered = True
            self._look_after_run()
            if not self._stop:
                self._look()
            if not self._stop and self._run is None:
                self._start_next()
            self._retain()
        except (OSError, StorageError) as error:
            if isinstance(error, OSError) and error.errno not in REFUSALS:
                raise
            self._pause(f"the disk refuses: {error}")
            self._scan_at_s = time.monotonic() + self._limits.scan
        if heard or self._run is None:
            self._notifier.alive()
        self._tell()
        self._company_at_s = self._company.turn(time.monotonic())

    def _over(self, once: bool) -> bool:
        if self._run is not None:
            return False
        if once and self._paused and not self._stop:
            raise StorageError(self._paused, "What is queued stays; the same command goes on.")
        left = self._queue.waiting or self._queue.settling or not self._recovered or self._company.busy()
        return self._stop or (once and not left)

    def _look(self) -> None:
        """Into incoming/ and control/, if it is time."""
        now, gap_s = time.monotonic(), self._gap_s()
        if now < max(self._scan_at_s, self._looked_at_s + gap_s):
            return
        self._looked_at_s = now
        if self._queue.obey(self._run.ticket.entry.id if self._run else "") and self._run is not None:
            self._run.cancelled = True
            self._run.ask_to_stop()
        renamed, self._renamed = self._renamed, set()
        self._queue.take_in(now, renamed, BUSY_MOST if self._run else None)
        self._scan_at_s = now + (
            min(self._limits.settle, self._limits.scan) if self._queue.settling else self._limits.scan
        )

    def _start_next(self) -> None:
        """Conclude what needs no work, then start a worker for the first request that does."""
        while time.monotonic() >= self._not_before_s and (ticket := self._queue.next()) is not None:
            entry = ticket.entry
            if ticket.attempts.crashes >= self._limits.crashes:
                self._queue.conclude(entry, set_aside(entry, ticket.attempts.crashes))
                continue
            try:
                same = self._trade.likeness(ticket.order)
            except BadRequest as error:
                self._pause(str(error))
                return
            if self._queue.reuse(ticket, same):
                continue
            free = free_bytes(self._spool.root)
            if free < self._limits.least_free:
                least = words.size(self._limits.least_free)
                self._pause(f"no job begins while the disk has less than {least} free; it has {words.size(free)}")
                return
            self._start(self._queue.begin(ticket, same))
            break
        self._pause("")

    def _start(self, ticket: Ticket) -> None:
        entry, arguments = ticket.entry, ticket.order.arguments()
        try:
            worker = Worker(
                lambda descriptor: self._trade.command(entry, arguments, descriptor),
                root=self._spool.root,
                folder=entry.folder,
                log=entry.log,
            )
        except OSError as error:
            self._queue.give_back(ticket, "stopped", f"the worker cannot be started: {error}")
            raise
        self._run = Run(ticket, worker, seconds_kept(entry))
        self._log(f"attempt {ticket.attempts.begun} begins", job=entry.id, stage="start")
        self._write_status(self._run)

    def _hear(self) -> bool:
        """Take the worker's events; whether there were any."""
        run = self._run
        if run is None:
            return False
        heard, moved = run.hear()
        if moved:
            self._log(f"{run.stage} begins", job=run.ticket.entry.id, stage=run.stage)
        if moved or time.monotonic() - run.written_at_s >= STATUS_EVERY_S[0 if heard else 1]:
            self._write_status(run)
        return heard

    def _look_after_run(self) -> None:
        """Conclude a worker that has ended; end one that is silent, or does not stop when asked."""
        run = self._run
        if run is None:
            return
        code = run.worker.ended()
        if code is not None:
            run.hear()  # what it told last
            self._conclude(run, code)
            return
        if self._stop and run.ask_to_stop():
            self._notifier.stopping(self._limits.grace)
        if run.overdue(time.monotonic(), self._limits) or self._stop_now:
            run.worker.kill()

    def _conclude(self, run: Run, code: int) -> None:
        """Put down what the end of a worker means; repeated at the next round if the disk refuses."""
        kill_stragglers(self._spool.root)
        ticket, entry = run.ticket, run.ticket.entry
        self._write_status(run)
        outcome = outcome_of(entry, code, cancelled=run.cancelled)
        if outcome is not None:
            self._queue.conclude(entry, outcome)
        elif self._stop and not run.hung:
            self._queue.give_back(ticket, "stopped", "the watcher was stopped")
        else:
            self._crashed(run, code)
        run.worker.close()
        self._run = None
        self._scan_at_s = float("-inf")  # also for the wish to cancel it, which can go now
        self._retain_at_s = min(self._retain_at_s, time.monotonic() + RETENTION_S[0])

    def _crashed(self, run: Run, code: int) -> None:
        """Queue it again, or set it aside. A disk that others filled is not its fault."""
        ticket, entry = run.ticket, run.ticket.entry
        why = crash(entry, code, self._limits.hang if run.hung else None)
        free = free_bytes(self._spool.root)
        if free < self._limits.least_free:
            if free + tree_bytes(entry.job) < self._limits.least_free:
                self._queue.give_back(ticket, "stopped", "the disk was full")
                return
            why = f"it filled the disk and {why}"
            remove(entry.job)
        self._log(why, ERROR, job=entry.id, verdict="crashed")
        ticket = self._queue.give_back(ticket, "crashed", why)
        self._not_before_s = time.monotonic() + self._retry_after_s
        if ticket.attempts.crashes >= self._limits.crashes:
            self._queue.conclude(entry, set_aside(entry, ticket.attempts.crashes))

    def _retain(self) -> None:
        """Delete what is overdue, between jobs only: it may read many folders."""
        now = time.monotonic()
        if self._run is None and now >= self._retain_at_s:
            self._retain_at_s = now + RETENTION_S[1]
            self._queue.delete_overdue()

    def _write_status(self, run: Run) -> None:
        run.written_at_s = time.monotonic()
        with contextlib.suppress(OSError):  # it is only told, and told again; the round meets the same disk
            write_status(run.ticket.entry.folder, self._queue.told(run.ticket, state="running", **run.spent()))

    def _pause(self, why: str) -> None:
        """Say once why no job begins; an empty reason says that they do again."""
        if why != self._paused:
            self._log(f"paused: {why}" if why else "jobs begin again", WARNING)
            self._paused = why

    def _tell(self) -> None:
        run = self._run
        state = "working" if run else "paused" if self._paused else "idle"
        now = Overview(
            state,
            run.ticket.entry.id if run else "",
            run.stage if run else "",
            len(self._queue.waiting),
            self._paused,
        )
        line = now.words + (f"; {run.left()}" if run else "")
        if line != self._told_manager:
            self._told_manager = line
            self._notifier.status(line)
        if now != self._told:
            self._told = now
            with contextlib.suppress(OSError):  # see _write_status
                write_overview(self._spool.root, now)

    def _gap_s(self) -> float:
        return BUSY_SCAN_GAP_S if self._run is not None else SCAN_GAP_S

    def _wait(self, wake: int, hints: Hints | None) -> None:
        """Until something comes or is due."""
        now = time.monotonic()
        due = [now + LONGEST_WAIT_S, self._company_at_s, max(self._scan_at_s, self._looked_at_s + self._gap_s())]
        if self._run is not None:
            due.append(self._run.next_s(self._limits))
        elif self._queue.waiting and self._not_before_s > now:
            due.append(self._not_before_s)
        poll = select.poll()
        work = self._run.worker.descriptors() if self._run else ()
        for descriptor in (wake, *work, *self._company.descriptors()):
            poll.register(descriptor, select.POLLIN)
        if hints is not None:
            poll.register(hints, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(max(0.0, min(due) - now) * 1000 + 1)}
        if wake in ready:
            os.read(wake, 4096)
        if hints is not None and hints.fileno() in ready:
            self._renamed |= hints.renamed()
            self._scan_at_s = float("-inf")

    @contextlib.contextmanager
    def _hints(self) -> Iterator[Hints | None]:
        """The kernel's hints, where it has them."""
        try:
            hints = Hints((self._spool.incoming, self._spool.control))
        except OSError as error:
            self._log(f"no inotify ({error.strerror}): looking every {words.duration(self._limits.scan)}", WARNING)
            yield None
            return
        try:
            yield hints
        finally:
            hints.close()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[int]:
        """SIGTERM and SIGINT stop, a second one at once; SIGHUP reads the settings again. Gives what they wake."""
        reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

        def handle(number: int, _: FrameType | None) -> None:
            if number == signal.SIGHUP:
                self._read_again = True
            else:
                self._stop_now = self._stop
                self._stop = True

        before = {which: signal.signal(which, handle) for which in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
        woken = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        try:
            yield reading
        finally:
            signal.set_wakeup_fd(woken)
            for which, handler in before.items():
                signal.signal(which, handler)
            os.close(reading)
            os.close(writing)

    def _read_limits(self) -> None:
        self._read_again = False
        if self._reload is None:
            return
        try:
            self._limits = self._reload()
        except BadRequest as error:
            self._log(f"the settings stay as they were: {error}", ERROR)
            return
        self._queue.use(self._limits)
        self._company.use(self._limits)
        self._notifier.patience(self._limits.hang)
        self._log("the settings were read again")
