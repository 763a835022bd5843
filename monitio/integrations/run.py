"""The task that runs here and now, for progress() and for the tasks it starts."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from datetime import datetime
from threading import get_ident
from time import monotonic
from typing import Any, Protocol

from monitio import dispatch
from monitio import scope as scopes
from monitio.integrations import heartbeat
from monitio.integrations.base import Integration, current_task_id
from monitio.integrations.context import in_event_loop, run_aside
from monitio.jobs.outcome import Outcome
from monitio.utils.throttle import Throttle

logger = logging.getLogger("monitio")

# Done, total and text.
Standing = tuple[float | None, float | None, str]
# Seconds between two queries whether a task is cancelled.
LOOK_EVERY = 1.0


class Bar(Protocol):
    """An open progress bar."""

    def standing(self) -> Standing: ...


class Reporter(Protocol):
    """What signals are reported to: a job of its own, or a part of a group."""

    @property
    def job_id(self) -> str: ...
    def succeeding(self, result: Any) -> Outcome: ...
    def queued(self, due_at: datetime | None = None) -> bool: ...
    def started(self, attempt: int = 0) -> bool: ...
    def retrying(
        self, attempt: int, reason: str | BaseException = "", due_at: datetime | None = None
    ) -> bool: ...
    def succeeded(self, result: Any = None) -> bool: ...
    def failed(self, error: BaseException | str, attempt: int | None = None) -> bool: ...
    def revoked(self, reason: str = "") -> bool: ...
    def lost(self) -> bool: ...
    def cancel_requested(self) -> bool: ...
    def progressed(
        self, done: float | None, total: float | None = None, text: str = "", *, final: bool = False
    ) -> bool: ...


class TaskRun:
    """One run of one task in this process."""

    __slots__ = (
        "_next_look", "attempt", "bar", "bars", "cancelled", "carried", "forced", "integration",
        "name", "nesting", "outer", "outside", "replaced", "reporter", "scope", "shown",
        "task_id", "thread", "written",
    )  # fmt: skip

    def __init__(
        self,
        task_id: str,
        *,
        name: str = "",
        # The integration's own header.
        carried: Any,
        reporter: Reporter | None,
        attempt: int = 0,
        nesting: int = 0,
        outer: TaskRun | None = None,
        scope: str | None = None,
        integration: Integration | None = None,
    ) -> None:
        self.integration = integration or Integration()
        self.task_id, self.name = task_id, name
        self.carried, self.reporter = carried, reporter
        self.attempt, self.outer = attempt, outer
        # Whose run it is, and what was current when it began.
        self.outside = scopes.current()
        self.scope = self.outside if scope is None else scope
        # How many tasks this one has replaced, and whether another one goes on in its place.
        self.nesting, self.replaced = nesting, False
        # The open bars, the outermost first.
        self.bars: list[Bar] = []
        # The newest of the bars that stand in no other, and what of it was written down.
        self.bar: Bar | None = None
        self.written: Standing | None = None
        # Shared by all bars of the task.
        self.shown, self.forced = Throttle(burst=4), Throttle(burst=3)
        # Whether the task has seen that its owner cancelled it.
        self.cancelled, self._next_look = False, 0.0
        # An eager task runs inside the transaction of its request, which belongs to one thread.
        self.thread = get_ident() if dispatch.in_transaction() else None

    def scope_of_children(self) -> str:
        """The scope of a task that this one starts: its own, unless the task has chosen another."""
        now = scopes.current()
        return self.scope if now == self.outside else now

    def is_locked_out(self) -> bool:
        """Whether writing from here would wait for a transaction that waits for this code."""
        if self.thread is not None and self.thread != get_ident():
            return True
        return in_event_loop() and dispatch.in_transaction()

    def is_cancelled(self) -> bool:
        """Whether its owner has cancelled it; looked up at most once a second."""
        now = monotonic()
        # The job of an eager task is not committed yet: no user can have cancelled it.
        if self.reporter is None or self.thread is not None:
            return False
        if self.cancelled or now < self._next_look:
            return self.cancelled
        self._next_look = now + LOOK_EVERY
        with self.integration.uninterrupted():
            try:
                self.cancelled = run_aside(self.reporter.cancel_requested)
            except Exception:
                logger.exception("Whether task %s is cancelled could not be queried.", self.task_id)
        return self.cancelled

    def flush(self) -> None:
        """Write down where the bar stands at the end of the run, whatever was held back.

        What fails is logged: the end is reported next, and does not depend on it.
        """
        if self.bar is None or self.reporter is None:
            return
        try:
            standing = self.bar.standing()
            if standing != self.written:
                self.reporter.progressed(*standing, final=True)
        except Exception:
            logger.exception("The last progress of task %s could not be written.", self.task_id)


_current: ContextVar[TaskRun | None] = ContextVar("monitio_run", default=None)
# By task id: a thread that got no copy of the context may still know the queue's current task.
_runs: dict[str, TaskRun] = {}


def current_run() -> TaskRun | None:
    """The run this code belongs to, None outside of tasks."""
    run = _current.get()
    if run is not None or not _runs:
        return run
    task_id = current_task_id()
    return _runs.get(task_id) if task_id else None


def _running() -> heartbeat.Running:
    """What needs a heartbeat. A task inside a request's transaction has no row to stamp yet."""
    runs = [run for run in tuple(_runs.values()) if run.reporter and run.thread is None]
    return {
        (run.scope, run.task_id): run.integration for run in runs if run.integration.needs_heartbeat
    }


_start_heartbeat = heartbeat.starter(_running)


def activate(run: TaskRun) -> None:
    """Make it the running task of this context, until ``deactivate``, and stamp it as alive."""
    _runs[run.task_id] = run
    _current.set(run)
    if run.reporter is not None and run.integration.needs_heartbeat:
        _start_heartbeat()


def deactivate(task_id: str) -> TaskRun | None:
    """The run is over; None when there was none of this id.

    The variable would leak into the next task of this process otherwise.
    """
    run = _runs.pop(task_id, None)
    if run is not None:
        _current.set(run.outer)
    return run


def run_of(task_id: str) -> TaskRun | None:
    return _runs.get(task_id)
