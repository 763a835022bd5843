"""Jobs: every event of a background task becomes one state, and one message a recipient.

Events arrive late, twice and shuffled. Each has a rank; a transition is one guarded update, and
only the update that changed the row notifies the recipients.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import OperationalError, transaction
from django.db.models import Q
from django.utils import timezone

from monitio import dispatch
from monitio import scope as scopes
from monitio.constants import State
from monitio.jobs.fallback import until_reported
from monitio.jobs.messages import JobMessages
from monitio.jobs.options import NotifyOptions
from monitio.jobs.outcome import MessageContent, Outcome, Render
from monitio.jobs.progress import ProgressWriter
from monitio.jobs.recipients import NOTIFIED, has_unnotified
from monitio.jobs.retry import record_superseded
from monitio.jobs.states import (
    FILL_BAR,
    KEEP_STARTED_AT,
    RESET_PROGRESS,
    WAITS,
    Transition,
    advance,
    transition,
)
from monitio.jobs.values import due_moment, stored_arguments
from monitio.models import Job, JobRun
from monitio.models.rows import KEY_LENGTH
from monitio.recipients import Recipient
from monitio.utils.compiled_sql import insert_if_new
from monitio.utils.database import close_broken_connection, lock_timeout
from monitio.utils.shorten import as_ascii
from monitio.utils.text import (
    as_int,
    as_number,
    at_most,
    clean_text,
    error_details,
    identifier,
)

__all__ = ["JobReporter", "MessageContent", "Outcome", "Render", "stamp_alive"]

logger = logging.getLogger("monitio")

# Seconds by which the clocks of two machines may differ.
CLOCK_DIFFERENCE = 300.0


def stamp_alive(task_ids: Iterable[str]) -> int:
    """Write a heartbeat of many running jobs in one query; the number of rows.

    It waits for a lock a second at most; the next heartbeat comes soon.
    """
    try:
        with lock_timeout(dispatch.database()):
            return int(Job.objects.stamp_alive(task_ids))
    except OperationalError as error:
        logger.warning("A heartbeat could not be written: %s", error)
        close_broken_connection(dispatch.database())
        return 0


class JobReporter:
    """Reports the events of one job, for any task queue.

    ``recipients`` are notified as ``render`` returns. A job that is already known keeps the
    recipients it has (a visitor may have logged in meanwhile). A job that is neither known nor has
    recipients is ignored: every method then returns False and writes nothing.
    ``cancellable`` lets its recipients cancel it, through ``dispatch.hooks.cancel[integration]``.
    ``call`` (``jobs.retry.stored_call``) lets them try it again, through ``dispatch.hooks.retry``.
    ``queue`` names where it was sent, for staff: the first 100 characters.
    ``run`` is when the task was queued, in milliseconds since 1970; 0: unknown. A run under the
    ``task_id`` of one that has ended before is a job of its own.
    The job and its recipients belong to the scope in which its reporter is made.

    Each method returns True when this very call moved the job; late, repeated and shuffled events
    return False. No recipient is notified before the surrounding transaction commits.
    """

    def __init__(
        self,
        task_id: str,
        *,
        integration: str = "",
        name: str = "",
        recipients: Iterable[Recipient] = (),
        render: Render | None = None,
        arguments: Mapping[str, Any] | None = None,
        cancellable: bool = False,
        run: int = 0,
        call: str | None = None,
        queue: str = "",
    ) -> None:
        self.task_id = identifier("task_id", at_most("task_id", str(task_id), KEY_LENGTH))
        self.integration, self.name = integration, clean_text(name)
        self.scope = scopes.current()
        self.recipients: list[Recipient] = []
        for recipient in dict.fromkeys(recipients):
            if recipient.scope == self.scope:
                self.recipients.append(recipient)
            else:
                logger.error("Job %s names %r, of another scope: left out.", task_id, recipient)
        self.arguments = arguments or {}
        self.cancellable, self.run, self.call = cancellable, run, call
        self.queue = as_ascii(queue)[:100]
        known = {"run": self.run, "queue": self.queue}
        self._of_this_run = {name: value for name, value in known.items() if value}
        self.messages = JobMessages(self.name, render or NotifyOptions().content)
        self._progress = ProgressWriter(self)

    @property
    def job_id(self) -> str:
        """The ``task_id`` of the job that its events belong to."""
        return self.task_id

    def succeeding(self, result: Any) -> Outcome:
        """The outcome of a run that has returned ``result``."""
        end = {"state": State.SUCCEEDED, "result": result, "arguments": self.arguments}
        return Outcome(task_id=self.task_id, name=self.name, **end)

    def queued(self, due_at: datetime | None = None) -> bool:
        """It was handed to the queue. ``due_at``: when a worker should begin it, if not now."""
        return self._move(State.QUEUED, 0, due_at=due_moment(due_at), **self._of_this_run)

    def started(self, attempt: int = 0) -> bool:
        """A worker began attempt number ``attempt``, counted from 0. Its progress begins again."""
        self._progress.attempt = attempt
        begun = {"alive_at": timezone.now(), "started_at": KEEP_STARTED_AT, **RESET_PROGRESS}
        return self._move(State.STARTED, attempt, **begun, **self._of_this_run)

    def retrying(
        self, attempt: int, reason: str | BaseException = "", due_at: datetime | None = None
    ) -> bool:
        """Attempt number ``attempt`` failed and another one is planned, for ``due_at`` or now."""
        return self._move(
            State.RETRYING, attempt, due_at=due_moment(due_at), **error_details(reason)
        )

    def succeeded(self, result: Any = None) -> bool:
        """It ended well. ``result`` is passed to ``render`` and not stored."""
        # The throttle may have held back the last step.
        return self._move(State.SUCCEEDED, None, result=result, completed=FILL_BAR)

    def failed(self, error: BaseException | str, attempt: int | None = None) -> bool:
        """It ended badly. ``render`` chooses what of ``error`` the recipients see.

        ``attempt`` is given where another process than that of the run reports it: the run may
        have published a retry and died. A later attempt, and any other end, overrides that.
        """
        return self._move(State.FAILED, attempt, **error_details(error))

    def revoked(self, reason: str = "") -> bool:
        """It was cancelled."""
        return self._move(State.REVOKED, None, **error_details(reason))

    @scopes.in_own_scope
    def cancelled_while_waiting(self, reason: str = "") -> bool:
        """It was cancelled while it waited. False when a worker has begun, or it has ended."""
        event = transition(State.REVOKED, None, error=clean_text(reason))
        return self._advance(replace(event, guard=WAITS))

    @scopes.in_own_scope
    def cancel_requested(self) -> bool:
        """Whether a recipient has cancelled it."""
        return Job.objects.of_task(self.task_id).filter(cancel_requested=True).exists()

    @scopes.in_own_scope
    def lost(self, *, waiting: bool = False) -> bool:
        """No heartbeat for too long, or with ``waiting`` no worker has begun it for too long.

        Any later event of the job overrides this.
        """
        event = transition(State.LOST, None)
        return self._advance(replace(event, guard=WAITS) if waiting else event)

    @scopes.in_own_scope
    def recovered(self) -> bool:
        """It was marked as lost, and is alive: it continues where it stood."""
        alive = {"state": State.STARTED, "finished_at": None, "alive_at": timezone.now()}
        # Called by a heartbeat: the next one comes soon.
        with lock_timeout(dispatch.database()):
            return self._advance(Transition(changes=alive, guard=Q(state=State.LOST)))

    @scopes.in_own_scope
    def notify_now(self) -> bool:
        """Send the start that ``when=`` held back. True when it was sent."""
        with lock_timeout(dispatch.database()):
            alive = {"alive_at": timezone.now()}
            return self._notify(Transition(changes=alive, guard=Q(state=State.STARTED)))

    @scopes.in_own_scope
    def progressed(
        self,
        done: float | None,
        total: float | None = None,
        text: str = "",
        *,
        final: bool = False,
        shared: bool = False,
    ) -> bool:
        """The bar stands at ``done`` of ``total`` (None: unknown). True when it was shown.

        Written at most once a second, pushed at most four times; ``final`` is never held back.
        Inside a transaction it is pushed alone. Ignored after the end of the job or attempt.
        ``shared``: several processes report it, together at most once a second.
        """
        done, total = as_number(done), as_number(total)
        if shared:
            return self._progress.update_shared(done, total)
        return self._progress.update(done, total, clean_text(text), final)

    @scopes.in_own_scope
    def _move(self, state: str, attempt: int | None, **details: Any) -> bool:
        event = transition(state, attempt, **details)
        if not self.recipients:
            moved = self._advance(event)
            if not moved and self.call is not None:
                record_superseded(self.task_id, event.changes)
            return moved
        # Of most jobs the first event is that they are queued, so there the insert comes first.
        # Else the update does: late events are many, and SQLite has one writer.
        return (
            (state == State.QUEUED and self._begin(event))
            or self._advance(event)
            or (self._may_begin(event.changes) and self._begin(event))
            or self._advance(event)
        )

    def _may_begin(self, changes: Mapping[str, Any]) -> bool:
        """Whether the job can be written: there is none, or it is that of an earlier run.

        That one has ended, and keeps its messages under an id that no queue uses.
        """
        job = Job.objects.of_task(self.task_id).first()
        if job is None:
            return self.call is None or not record_superseded(self.task_id, changes)
        # After an end of which it is unknown which run it was.
        ended = job.finished_at.timestamp() if job.finished_at else time.time()
        is_long_after = self.run / 1000 > ended + CLOCK_DIFFERENCE
        if not job.has_ended or job.run >= self.run or not (job.run or is_long_after):
            return False
        rows = Job.objects.filter(pk=job.pk, task_id=self.task_id, rank=job.rank, state=job.state)
        former = f"{self.task_id[:150]}#{job.pk}"
        if rows.update(task_id=former) and job.retryable:
            JobRun.objects.filter(job=job, task_id=self.task_id).update(task_id=former)
        return True

    @until_reported
    def _advance(self, event: Transition, trusting: bool) -> bool:
        """Update the row where the event allows it, and notify. It is locked until the commit."""
        with transaction.atomic(using=dispatch.database()):
            job = advance(self.task_id, self.scope, event)
            if job is None:
                return False
            messages = self.messages.notify(job, self.outcome(job, event), trusting=trusting)
        self._progress.reset(job, messages)
        return True

    @until_reported
    def _begin(self, event: Transition, trusting: bool) -> bool:
        """Insert the row as this event leaves it, and notify; False when there is one.

        Then nothing more happens in this transaction: on MySQL two that fail to insert and then
        update would wait for each other.
        """
        with transaction.atomic(using=dispatch.database()):
            job = self._new_job(event.changes)
            if not insert_if_new(job, dispatch.database()):
                return False
            if self.call is not None:
                JobRun.objects.create(job=job, task_id=self.task_id, call=self.call)
            stored = job.recipients
            job.recipients = [recipient.to_dict() for recipient in self.recipients]
            outcome = self.outcome(job, event)
            messages = self.messages.notify(job, outcome, trusting=trusting, stored=stored)
        self._progress.reset(job, messages)
        return True

    @until_reported
    def _notify(self, event: Transition, trusting: bool) -> bool:
        """Notify those whose start was held back. The row is locked until the commit."""
        with transaction.atomic(using=dispatch.database()):
            job = advance(self.task_id, self.scope, event)
            if job is None or not has_unnotified(job):
                return False
            return bool(self.messages.notify(job, self.outcome(job), only_new=True))

    def _new_job(self, changes: Mapping[str, Any]) -> Job:
        begun = {name: value for name, value in changes.items() if value is not FILL_BAR}
        begun |= {"run": self.run, "queue": self.queue}
        if "started_at" in begun:
            begun["started_at"] = begun["alive_at"]
        return Job(
            task_id=self.task_id,
            integration=self.integration,
            name=self.name[:255],
            # Nearly always true after notify(): it saves an update.
            recipients=[{**recipient.to_dict(), NOTIFIED: True} for recipient in self.recipients],
            arguments=None if self.messages.is_fallback else stored_arguments(self.arguments),
            cancellable=self.cancellable,
            retryable=self.call is not None,
            **begun,
        )

    def outcome(self, job: Job, event: Transition | None = None) -> Outcome:
        """Where ``job`` stands, as ``render`` sees it; ``event`` has just moved it."""
        end = job.finished_at if job.has_ended and job.finished_at else timezone.now()
        return Outcome(
            task_id=job.task_id,
            name=self.name or job.name,
            state=job.state,
            attempt=job.attempt,
            error=job.error,
            done=as_int(job.completed),
            total=as_int(job.total),
            text=job.status_text,
            arguments=self.arguments or job.arguments or {},
            runtime=(end - job.started_at).total_seconds() if job.started_at else None,
            result=event.result if event else None,
            exception=event.exception if event else None,
        )
