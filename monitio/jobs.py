"""Jobs: every event of a background task becomes one state, one message a recipient, told once.

Events arrive late, twice and shuffled. Each has a key that says how far the job has come; a
transition is one guarded update, and only the update that changed the row tells anybody.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone, translation
from django.utils.text import Truncator

from monitio import deliveries, dispatch, visitors
from monitio.channels.live import progress_bell
from monitio.conf import settings
from monitio.constants import State
from monitio.models import Job, Message, check_url
from monitio.outcomes import Notice, Outcome, Wording
from monitio.recipients import Recipient
from monitio.signals import job_ended
from monitio.stream.payload import payload
from monitio.transports import get_transport

__all__ = ["JobReporter", "Notice", "Outcome", "Wording", "stamp_alive"]

logger = logging.getLogger("monitio")

_PHASES = {State.QUEUED: 0, State.STARTED: 1, State.RETRYING: 2}
# No attempt is ever this late.
_FINAL_KEY = 2**40
ALIVE_EVERY = 30.0


def order_key(state: str, attempt: int) -> int:
    """How far a job has come. Rises with attempt and phase; an end is above all else."""
    return _FINAL_KEY if state in State.FINAL else attempt * 4 + _PHASES[state]


def stamp_alive(task_ids: Iterable[str]) -> int:
    """Note a sign of life of many running jobs in one query; the number of rows."""
    return Job.objects.stamp_alive(task_ids)


class JobReporter:
    """Reports what becomes of one job. The way in for any task queue.

    ``recipients`` and ``wording`` say whom to tell and how. A job that is already known keeps the
    recipients it has (a visitor may have logged in meanwhile). A job that is neither known nor has
    recipients is nobody's business: every method then answers False and writes nothing.

    Each method returns True when this very call moved the job; late, repeated and shuffled events
    answer False. Nobody is told before the surrounding transaction commits.
    """

    def __init__(
        self,
        task_id: str,
        *,
        queue: str = "",
        name: str = "",
        recipients: Iterable[Recipient] = (),
        wording: Wording | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        self.task_id, self.queue, self.name = str(task_id), queue, name
        self.recipients = list(dict.fromkeys(recipients))
        self.wording = wording or _default_wording()
        self.arguments = arguments or {}
        self._bar = _Bar(self)
        self._alive_at = 0.0

    def queued(self) -> bool:
        """It was handed to the queue."""
        return self._move(State.QUEUED, 0)

    def started(self, attempt: int = 0) -> bool:
        """A worker began attempt number ``attempt``, counted from 0."""
        now = timezone.now()
        self._bar.attempt = attempt
        return self._move(
            State.STARTED, attempt, alive_at=now, started_at=Coalesce(F("started_at"), now)
        )

    def retrying(self, attempt: int, reason: str | BaseException = "") -> bool:
        """Attempt number ``attempt`` failed and another one is planned."""
        return self._move(State.RETRYING, attempt, **_reason(reason))

    def succeeded(self, result: Any = None) -> bool:
        """It ended well. ``result`` is seen by the wording and not stored."""
        return self._move(State.SUCCEEDED, None, result=result)

    def failed(self, error: BaseException | str) -> bool:
        """It ended badly. What of ``error`` the reader sees is the wording's choice."""
        return self._move(State.FAILED, None, **_reason(error))

    def revoked(self, reason: str = "") -> bool:
        """Somebody cancelled it."""
        return self._move(State.REVOKED, None, error=reason)

    def lost(self) -> bool:
        """No sign of life for too long. Any later event of the job overrides this."""
        return self._move(State.LOST, None)

    def progressed(
        self, done: float | None, total: float | None = None, text: str = "", *, final: bool = False
    ) -> bool:
        """The bar stands at ``done`` of ``total`` (None: nobody knows). True when it was shown.

        Written at most once a second, pushed at most four times; ``final`` is never held back.
        Inside a transaction nothing is written: the bar moves by push alone. After the end of the
        job, or of this attempt, it is ignored.
        """
        return self._bar.move(done, total, text, final)

    def alive(self) -> None:
        """A sign of life; written at most every 30 s."""
        now = time.monotonic()
        if now - self._alive_at >= ALIVE_EVERY:
            self._alive_at = now
            stamp_alive([self.task_id])

    def _move(self, state: str, attempt: int | None, **details: Any) -> bool:
        told = {key: details.pop(key) for key in ("result", "exception") if key in details}
        with transaction.atomic(using=dispatch.database()):
            if not self._win(state, attempt, details):
                return False
            job = Job.objects.get(task_id=self.task_id)
            self.tell(job, self.outcome(job, **told))
        self._bar.forget()
        return True

    def _win(self, state: str, attempt: int | None, details: dict[str, Any]) -> bool:
        """Move the row if this event is news. The row stays locked until the commit."""
        changes = {**details, "state": state}
        if attempt is not None:
            changes["attempt"] = attempt
        if state in State.ENDED:
            changes["finished_at"] = timezone.now()
        if state == State.LOST:
            guard = Q(state=State.STARTED)
        else:
            key = changes["key"] = order_key(state, attempt or 0)
            guard = Q(key__lt=key) | Q(state=State.LOST, key__lte=key)
        rows = Job.objects.filter(guard, task_id=self.task_id)
        return bool(rows.update(**changes) or (self._create() and rows.update(**changes)))

    def _create(self) -> bool:
        """Whether the row was missing and is now there, be it by a rival's hand."""
        if not self.recipients or Job.objects.filter(task_id=self.task_id).exists():
            return False
        job = Job(
            task_id=self.task_id,
            queue=self.queue,
            name=self.name[:255],
            recipients=[recipient.to_dict() for recipient in self.recipients],
        )
        Job.objects.bulk_create([job], ignore_conflicts=True)
        return True

    def outcome(self, job: Job, **told: Any) -> Outcome:
        """Where ``job`` stands, as its wording sees it."""
        end = job.finished_at if job.has_ended and job.finished_at else timezone.now()
        return Outcome(
            task_id=job.task_id,
            name=self.name or job.name,
            state=job.state,
            attempt=job.attempt,
            error=job.error,
            done=job.done,
            total=job.total,
            text=job.text,
            arguments=self.arguments,
            runtime=(end - job.started_at).total_seconds() if job.started_at else None,
            **told,
        )

    def tell(self, job: Job, outcome: Outcome) -> list[Message]:
        """Bring every recipient's message to ``outcome``. Inside the transaction that won it."""
        existing = {message.recipient_key: message for message in _messages(job)}
        told, mailed = [], []
        for recipient in _present(recipients_of(job), existing):
            notice = self.notice(recipient, outcome)
            message = _write(job, recipient, existing.get(recipient.key), notice, outcome.has_ended)
            if message is None:
                continue
            told.append(message)
            if notice and notice.email and outcome.has_ended and not recipient.is_visitor:
                mailed.append(message)
        dispatch.announce(told)
        dispatch.deliver(deliveries.plan(mailed))
        if outcome.has_ended:
            dispatch.after_commit(lambda: job_ended.send_robust(Job, job=job))
        return told

    def notice(self, recipient: Recipient, outcome: Outcome) -> Notice | None:
        """How to say it to this recipient. A wording that fails is logged, never passed on."""
        language = recipient.language or translation.get_language()
        with translation.override(language):
            try:
                return _resolved(self.wording(outcome))
            except Exception:
                logger.exception("The wording of %s failed; the default text is used.", self.name)
                return _resolved(_default_wording()(outcome))


class _Bar:
    """The moving bar of one attempt: throttled writes and pushes."""

    def __init__(self, reporter: JobReporter) -> None:
        self.reporter = reporter
        self.attempt = 0
        self._job: Job | None = None
        self._messages: list[Message] = []
        self._next_write = self._next_push = 0.0
        self._stale = True
        self._over = False

    def forget(self) -> None:
        """The job moved: what is cached of its messages is old."""
        self._stale, self._over = True, False
        self._next_write = self._next_push = 0.0

    def move(self, done: float | None, total: float | None, text: str, final: bool) -> bool:
        now = time.monotonic()
        if self._over or (now < self._next_push and not final):
            return False
        writable = not dispatch.in_transaction()
        if writable and (final or now >= self._next_write):
            if not self._write(done, total, text):
                return False
            self._next_write = now + settings.PROGRESS_WRITE_INTERVAL
        self._next_push = now + max(settings.PROGRESS_PUSH_INTERVAL, get_transport().push_interval)
        return self._push(done, total, text)

    def _write(self, done: float | None, total: float | None, text: str) -> bool:
        rows = Job.objects.filter(
            task_id=self.reporter.task_id, key=order_key(State.STARTED, self.attempt)
        ).filter(state=State.STARTED)
        moved = rows.update(
            done=done, total=total, text=text[:255], seq=self._seq(), alive_at=timezone.now()
        )
        if not moved:
            self._over = True
            return False
        self._load()
        return True

    def _load(self) -> None:
        """Read the messages anew: their owner may have closed them, or have logged in."""
        self._job = Job.objects.filter(task_id=self.reporter.task_id).first()
        if self._job is None:
            return
        self._messages = list(_messages(self._job))
        if not self._messages and not dispatch.in_transaction():
            # The wording held the start back; now it may have something to say.
            with transaction.atomic(using=dispatch.database()):
                self._messages = self.reporter.tell(self._job, self.reporter.outcome(self._job))
        self._stale = False

    def _push(self, done: float | None, total: float | None, text: str) -> bool:
        if self._stale:
            self._load()
        job = self._job
        if job is None or not self._messages:
            return False
        job.done, job.total, job.seq = done, total, self._seq()
        bells = []
        for message in self._messages:
            job.text = (text or self._wording(message, job))[:255]
            message.job = job
            bells.append(progress_bell(message.recipient_key, payload(message)))
        return dispatch.push(bells)

    def _wording(self, message: Message, job: Job) -> str:
        if job.done is None:
            return ""
        notice = self.reporter.notice(message.recipient, self.reporter.outcome(job))
        return notice.message if notice else ""

    def _seq(self) -> int:
        # Milliseconds, so that the next process to run this job goes on above it.
        previous = self._job.seq if self._job else 0
        return max(previous + 1, time.time_ns() // 1_000_000)


def _messages(job: Job) -> Iterable[Message]:
    messages = Message.objects.filter(job=job, hidden=False).select_related("from_user", "job")
    for message in messages:
        message.job = job
    return messages


def recipients_of(job: Job) -> list[Recipient]:
    """Whom the job tells today: for a visitor who has logged in since, the user."""
    stored = (Recipient.from_dict(entry) for entry in job.recipients)
    return list(dict.fromkeys(visitors.resolve(recipient) for recipient in stored))


def _present(recipients: list[Recipient], existing: Mapping[str, Message]) -> list[Recipient]:
    """The recipients who can still be told: a user deleted meanwhile is left out."""
    unsure = {who.user_id for who in recipients if not who.is_visitor and who.key not in existing}
    if not unsure:
        return recipients
    users = get_user_model()._default_manager.filter(pk__in=unsure)
    present = {Recipient.for_user(pk).key for pk in users.values_list("pk", flat=True)}
    return [who for who in recipients if who.is_visitor or who.key in present | existing.keys()]


def _write(
    job: Job, recipient: Recipient, message: Message | None, notice: Notice | None, ended: bool
) -> Message | None:
    """The recipient's message as it now is; None when there is nothing to say or to change."""
    changes = _fields(notice) if notice else {}
    if message is None:
        return _new(job, recipient, changes) if notice else None
    if ended:
        # The end is news, whatever its reader did to the message on the way.
        changes |= {"read": False, "seen": False}
    Message.objects.filter(pk=message.pk).touch(**changes)
    fresh = Message.objects.select_related("from_user").get(pk=message.pk)
    fresh.job = job
    return fresh


def _new(job: Job, recipient: Recipient, fields: dict[str, Any]) -> Message:
    message = Message(job=job, **fields)
    message.recipient = recipient
    message.save()
    visitors.settle(recipient)
    return message


def _fields(notice: Notice) -> dict[str, Any]:
    return {
        "subject": Truncator(notice.subject).chars(255),
        "message": notice.message,
        "safe": False,
        "level": notice.level,
        "url": notice.url or "",
        "url_label": Truncator(notice.url_label).chars(255),
        "extra_tags": notice.extra_tags[:255],
        "category": notice.category[:100],
    }


def _resolved(notice: Notice | None) -> Notice | None:
    """Lazy texts become text while the recipient's language is active."""
    if notice is None:
        return None
    return Notice(
        subject=str(notice.subject),
        message=str(notice.message),
        level=int(notice.level),
        url=check_url(str(notice.url)) if notice.url else None,
        url_label=str(notice.url_label),
        email=bool(notice.email),
        extra_tags=str(notice.extra_tags),
        category=str(notice.category),
    )


def _reason(error: BaseException | str) -> dict[str, Any]:
    if isinstance(error, BaseException):
        return {"error": str(error) or type(error).__name__, "exception": error}
    return {"error": str(error)}


def _default_wording() -> Wording:
    from monitio.wording import Options

    return Options().wording()
