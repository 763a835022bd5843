"""The progress of jobs: throttled writes and pushes, never ahead of what is committed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar

from django.db import OperationalError
from django.db.models import F, Q, Value
from django.db.models.functions import Greatest
from django.utils import timezone

from monitio import dispatch
from monitio import scope as scopes
from monitio.conf import settings
from monitio.constants import State
from monitio.jobs.messages import JobMessages
from monitio.jobs.outcome import Outcome
from monitio.jobs.rate import RateEstimator
from monitio.jobs.recipients import has_unnotified, messages_of
from monitio.jobs.states import rank
from monitio.models import Job, Message
from monitio.serializers import payload
from monitio.transports import get_transport
from monitio.transports.publish import progress_event
from monitio.utils.compiled_sql import CompiledUpdate, Placeholder
from monitio.utils.database import close_broken_connection, is_unreachable, lock_timeout
from monitio.utils.shorten import shorten
from monitio.utils.throttle import Throttle

logger = logging.getLogger("monitio")
T = TypeVar("T")


class Reporter(Protocol):
    """What a ``ProgressWriter`` needs of a ``JobReporter``."""

    task_id: str
    name: str
    messages: JobMessages

    def started(self, attempt: int = 0) -> bool: ...
    def notify_now(self) -> bool: ...
    def outcome(self, job: Job) -> Outcome: ...


class ProgressWriter:
    """Writes and pushes the progress of one attempt, throttled."""

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter
        self.attempt = 0
        # Only what is committed: pushes must not show what a rollback takes back.
        self._job: Job | None = None
        self._messages: list[Message] = []
        self._writes, self._pushes = Throttle(), Throttle()
        self._over = False
        # How often there was no row yet, and until when there is no query for it.
        self._absences, self._absent_until = 0, 0.0
        self._rate = RateEstimator()

    def reset(self, job: Job, messages: list[Message]) -> None:
        """Begin again with the job as it now is, and the messages that show it."""
        committed = not dispatch.in_transaction()
        self._job, self._messages = (job, messages) if committed else (None, [])
        self._writes, self._pushes = Throttle(), Throttle()
        self._over, self._absent_until = False, 0.0
        self._rate = RateEstimator()

    def update(self, done: float | None, total: float | None, text: str, final: bool) -> bool:
        now = time.monotonic()
        interval = max(settings.PROGRESS_PUSH_INTERVAL, get_transport().push_interval)
        is_open = now >= self._absent_until and self._pushes.is_open(now, interval)
        if self._over or not (final or is_open):
            return False
        self._rate.update(now, done)
        is_due = final or self._writes.is_open(now, settings.PROGRESS_WRITE_INTERVAL)
        if is_due and not dispatch.in_transaction():
            self._writes.record(now)
            if not self._write(done, total, text):
                # The row that names the recipients may be written later than the run begins, also
                # between the write that found none and this query: only a row that is further than
                # this attempt shows that the attempt is over.
                further = Q(rank__gt=rank(State.STARTED, self.attempt))
                self._over = Job.objects.of_task(self.reporter.task_id).filter(further).exists()
                self._absences += 1
                pause = settings.PROGRESS_WRITE_INTERVAL * 2 ** (self._absences - 1)
                self._absent_until = now + pause
                return False
        self._absent_until = 0.0
        self._pushes.record(now)
        return self._push(done, total, text, self._rate.rate)

    def update_shared(self, done: float | None, total: float | None) -> bool:
        """Write and push, unless another process has done so within the last second."""
        if dispatch.in_transaction():
            return False
        with lock_timeout(dispatch.database()):
            self._load()
            job, now = self._job, _milliseconds()
            if job is None or job.seq > now - 1000 * settings.PROGRESS_WRITE_INTERVAL:
                return False
            average = RateEstimator()
            if job.started_at is not None:
                average.update(job.started_at.timestamp(), 0.0)
                average.update(time.time(), done)
            text = self._status_text(done, total)
            standing = {"completed": done, "total": total, "rate": average.rate, "seq": now}
            rows = Job.objects.filter(pk=job.pk, state=State.STARTED, seq=job.seq)
            if not _with_text(
                text,
                lambda shown: rows.update(**standing, status_text=shown, alive_at=timezone.now()),
            ):
                return False
        self._push(done, total, "", average.rate)
        return True

    def _write(self, done: float | None, total: float | None, text: str) -> bool:
        """False when the job, or this attempt, is over. A locked database skips this step alone."""
        alias = dispatch.database()
        if self._job is None:
            self._load()
        try:
            with lock_timeout(alias):
                standing = {"completed": done, "total": total, "rate": self._rate.rate}
                shown = text or self._status_text(done, total)
                write = partial(self._update_row, standing)
                job = _with_text(shown, write)
                if job is None and self.reporter.started(self.attempt):
                    job = _with_text(shown, write)
                if job is None:
                    return False
                self._show(job)
                # Where ``when=`` held the start back, its message may be due now.
                if has_unnotified(job) and self.reporter.notify_now():
                    self._load()
        except OperationalError as error:
            logger.warning("The progress of %s could not be written: %s", self.reporter.name, error)
            close_broken_connection(alias)
        return True

    def _update_row(self, standing: dict[str, Any], text: str) -> Job | None:
        """Write the row while it is this attempt's, and return it. Counts as a heartbeat, too."""
        task_id, key = self.reporter.task_id, rank(State.STARTED, self.attempt)
        alive_at, now = timezone.now(), _milliseconds()
        changes = {**standing, "status_text": text, "seq": _NEXT_SEQ, "alive_at": alive_at}
        slots = {"task": task_id, "scope": scopes.current(), "at": key, "now": now}
        found = _STEP.run(dispatch.database(), changes, **slots)
        if found is not None:
            return found[0] if found else None
        changes["seq"] = Greatest(F("seq") + 1, Value(now))
        rows = Job.objects.of_task(task_id)
        changed = rows.filter(rank=key, state=State.STARTED).update(**changes)
        return rows.first() if changed else None

    def _load(self) -> None:
        """Read the messages again: their owner may have closed them, or have logged in."""
        self._show(Job.objects.of_task(self.reporter.task_id).first())

    def _show(self, job: Job | None) -> None:
        self._job, self._messages = job, messages_of(job) if job else []

    def _push(self, done: float | None, total: float | None, text: str, rate: float | None) -> bool:
        job = self._job
        if job is None or not self._messages:
            return False
        job.completed, job.total, job.rate = done, total, rate
        job.seq = max(job.seq + 1, _milliseconds())
        events = []
        for message in self._messages:
            job.status_text = shorten(text or self._render(message, job))
            message.job = job
            events.append(progress_event(message.recipient_key, payload(message)))
        return dispatch.push(events)

    def _status_text(self, done: float | None, total: float | None) -> str:
        """The text a reload shows: one for all, so in the first recipient's language."""
        if self._job is None or not self._messages:
            return ""
        self._job.completed, self._job.total, self._job.status_text = done, total, ""
        return self._render(self._messages[0], self._job)

    def _render(self, message: Message, job: Job) -> str:
        if job.completed is None:
            return ""
        content = self.reporter.messages.content(message.recipient, self.reporter.outcome(job))
        return content.message if content else ""


def _with_text(text: str, write: Callable[[str], T]) -> T:
    """``write(text)``, or ``write("")`` where the database refuses the text."""
    # Outside of transactions, where one statement is one.
    try:
        return write(shorten(text))
    except Exception as error:
        if not text or is_unreachable(error):
            raise
        logger.warning("The text of a progress bar could not be written: %r", error)
    return write("")


# Never below what another process has written, whatever its clock.
_NEXT_SEQ = Greatest(F("seq") + 1, Placeholder("now", Job._meta.get_field("seq")))
# One statement that returns the row: a bar is written once a second, by every running task.
_STEP = CompiledUpdate(
    lambda: Job.objects.filter(
        task_id=Placeholder("task", Job._meta.get_field("task_id")),
        scope=Placeholder("scope", Job._meta.get_field("scope")),
        rank=Placeholder("at", Job._meta.get_field("rank")),
        state=State.STARTED,
    ),
    durable=False,
)


def _milliseconds() -> int:
    # Wall-clock time, so that a restarted process continues with a higher seq.
    return time.time_ns() // 1_000_000
