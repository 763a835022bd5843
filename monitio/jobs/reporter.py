"""Jobs: every event of a background task becomes one state, one message a recipient, told once.

Events arrive late, twice and shuffled. Each has a key that says how far the job has come; a
transition is one guarded update, and only the update that changed the row tells anybody.
"""

from __future__ import annotations

import json
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias

from django.db import IntegrityError, OperationalError, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from monitio import dispatch, links
from monitio import scope as scopes
from monitio.channels import deliveries
from monitio.channels.policy import DeliveryPolicy, check, delivery_policy
from monitio.constants import State
from monitio.jobs import collapse
from monitio.jobs.fallback import in_default_words
from monitio.jobs.options import NotifyOptions, checked_link
from monitio.jobs.outcome import MessageContent, Outcome, Render
from monitio.jobs.progress import ProgressWriter
from monitio.jobs.recipients import (
    EMAILED,
    NOTIFIED,
    JobRecipient,
    has_unnotified,
    job_recipients,
    rewrite,
    rewrite_unseen,
    write,
)
from monitio.jobs.states import (
    ADVANCE,
    FILL_BAR,
    KEEP_STARTED_AT,
    RESET_PROGRESS,
    WAITS,
    is_newer,
    transition,
)
from monitio.models import Job, Message, plain_text
from monitio.models.rows import KEY_LENGTH
from monitio.models.schedule import checked_moment
from monitio.recipients import Recipient
from monitio.signals import job_ended
from monitio.utils.compiled_sql import insert_if_new
from monitio.utils.deadline import is_deadlock, is_unreachable, lock_timeout
from monitio.utils.shorten import LONGEST_TEXT, as_ascii, shorten
from monitio.utils.text import (
    as_int,
    as_number,
    at_most,
    clean_text,
    error_details,
    identifier,
    json_safe,
)

__all__ = ["JobReporter", "MessageContent", "Outcome", "Render", "stamp_alive"]

logger = logging.getLogger("monitio")

ALIVE_EVERY = 30.0
# Seconds by which the clocks of two machines may differ.
CLOCK_DIFFERENCE = 300.0
# How often a telling may meet a deadlock, or the deletion of a recipient in that very moment.
RETRIES = 3


def stamp_alive(task_ids: Iterable[str]) -> int:
    """Note a sign of life of many running jobs in one query; the number of rows.

    A database that others keep locked is waited for a second; the next sign of life comes soon.
    """
    try:
        with lock_timeout(dispatch.database()):
            return int(Job.objects.stamp_alive(task_ids))
    except OperationalError as error:
        logger.warning("A sign of life could not be written: %s", error)
        return 0


class JobReporter:
    """Reports what becomes of one job. The way in for any task queue.

    ``recipients`` and ``wording`` say whom to tell and how. A job that is already known keeps the
    recipients it has (a visitor may have logged in meanwhile). A job that is neither known nor has
    recipients is nobody's business: every method then answers False and writes nothing.
    ``cancellable`` offers its readers to cancel it, through ``dispatch.hooks.cancel[integration]``.
    ``run`` is when the task was queued, in milliseconds since 1970; 0: unknown. A run under the
    ``task_id`` of one that has ended before is a job of its own.
    The job belongs to the scope in which its reporter is made, and so do its recipients; every
    method activates it.

    Each method returns True when this very call moved the job; late, repeated and shuffled events
    answer False. Nobody is told before the surrounding transaction commits.
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
    ) -> None:
        self.task_id = identifier("task_id", at_most("task_id", str(task_id), KEY_LENGTH))
        self.integration, self.name = integration, clean_text(name)
        self.scope = scopes.current()
        self.recipients = self._of_this_scope(dict.fromkeys(recipients))
        self.render = render or _default_render()
        self.arguments = arguments or {}
        self.cancellable, self.run = cancellable, run
        # Reports what could not be reported otherwise: see _insist().
        self.is_fallback = False
        self._bar = ProgressWriter(self)
        self._next_alive = 0.0

    def _of_this_scope(self, recipients: Iterable[Recipient]) -> list[Recipient]:
        mine = []
        for recipient in recipients:
            if recipient.scope == self.scope:
                mine.append(recipient)
            else:
                logger.error(
                    "Job %s names %r, of another scope: left out.", self.task_id, recipient
                )
        return mine

    def queued(self, due_at: datetime | None = None) -> bool:
        """It was handed to the queue. ``due_at``: when a worker should begin it, if not now."""
        return self._move(State.QUEUED, 0, due_at=_due(due_at), **self._of_this_run())

    def started(self, attempt: int = 0) -> bool:
        """A worker began attempt number ``attempt``, counted from 0. Its bar begins anew."""
        self._bar.attempt = attempt
        now = timezone.now()
        begun = {"alive_at": now, "started_at": KEEP_STARTED_AT, **RESET_PROGRESS}
        return self._move(State.STARTED, attempt, **begun, **self._of_this_run())

    def _of_this_run(self) -> dict[str, int]:
        return {"run": self.run} if self.run else {}

    def retrying(
        self, attempt: int, reason: str | BaseException = "", due_at: datetime | None = None
    ) -> bool:
        """Attempt number ``attempt`` failed and another one is planned, for ``due_at`` or now."""
        return self._move(State.RETRYING, attempt, due_at=_due(due_at), **error_details(reason))

    def succeeded(self, result: Any = None) -> bool:
        """It ended well. ``result`` is seen by the wording and not stored."""
        # Whatever the last step was that the throttle let through.
        return self._move(State.SUCCEEDED, None, result=result, completed=FILL_BAR)

    def failed(self, error: BaseException | str, attempt: int | None = None) -> bool:
        """It ended badly. What of ``error`` the reader sees is the wording's choice.

        ``attempt`` is given where it was not the run itself that reported it: its process died,
        and may have published a retry before. A later attempt, and any other end, overrides that.
        """
        return self._move(State.FAILED, attempt, **error_details(error))

    def revoked(self, reason: str = "") -> bool:
        """Somebody cancelled it."""
        return self._move(State.REVOKED, None, **error_details(reason))

    @scopes.in_own_scope
    def cancelled_while_waiting(self, reason: str = "") -> bool:
        """It was cancelled while it waited. False when a worker has begun, or it has ended."""
        _guard, changes = transition(State.REVOKED, None)
        return self._advance(WAITS, changes | {"error": clean_text(reason)}, {})

    @scopes.in_own_scope
    def cancel_requested(self) -> bool:
        """Whether a reader has asked for its end."""
        return Job.objects.of_task(self.task_id).filter(cancel_requested=True).exists()

    @scopes.in_own_scope
    def lost(self, *, waiting: bool = False) -> bool:
        """No sign of life for too long, or with ``waiting`` no worker has begun it for too long.

        Any later event of the job overrides this.
        """
        guard, changes = transition(State.LOST, None)
        return self._advance(WAITS if waiting else guard, changes, {})

    @scopes.in_own_scope
    def recovered(self) -> bool:
        """It was given up for lost, and lives: it goes on where it stood."""
        alive = {"state": State.STARTED, "finished_at": None, "alive_at": timezone.now()}
        # It is a heartbeat that calls this: the next one comes soon.
        with lock_timeout(dispatch.database()):
            return self._advance(Q(state=State.LOST), alive, {})

    @scopes.in_own_scope
    def notify_now(self) -> bool:
        """Where the wording held the start back (``when=``), tell it now. True when it was told."""
        with lock_timeout(dispatch.database()):
            return self._with_retries(JobReporter._try_to_speak_up, {}, {})

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
        """The bar stands at ``done`` of ``total`` (None: nobody knows). True when it was shown.

        Written at most once a second, pushed at most four times; ``final`` is never held back.
        Inside a transaction nothing is written: the bar moves by push alone. After the end of the
        job, or of this attempt, it is ignored.
        ``shared`` bars are moved by several processes: by all of them together once a second.
        """
        done, total = as_number(done), as_number(total)
        if shared:
            return self._bar.update_shared(done, total)
        return self._bar.update(done, total, clean_text(text), final)

    @scopes.in_own_scope
    def alive(self) -> None:
        """A sign of life; written at most every 30 s."""
        now = time.monotonic()
        if now >= self._next_alive:
            self._next_alive = now + ALIVE_EVERY
            stamp_alive([self.task_id])

    @scopes.in_own_scope
    def _move(self, state: str, attempt: int | None, **details: Any) -> bool:
        told: dict[str, Any] = {
            key: details.pop(key) for key in ("result", "exception") if key in details
        }
        guard, changes = transition(state, attempt)
        changes |= details
        changes["error"] = shorten(changes["error"], LONGEST_TEXT)
        advance = partial(self._advance, guard, changes, told)
        if not self.recipients:
            return advance()
        begin = partial(self._with_retries, JobReporter._try_to_begin, changes, told)
        if state == State.QUEUED:
            # Whoever hands it to the queue is mostly the first to speak of it, and nobody else is.
            return begin() or advance() or (self._may_begin() and (begin() or advance()))
        # A look before the insert: late events are many, and SQLite has one writer.
        return advance() or (self._may_begin() and begin()) or advance()

    def _may_begin(self) -> bool:
        """Whether the job can be written: there is none, or it is that of an earlier run.

        That one has ended, and keeps its messages under an id that no queue uses.
        """
        job = Job.objects.of_task(self.task_id).first()
        if job is None:
            return True
        if not job.has_ended or job.run >= self.run or not (job.run or self._is_long_after(job)):
            return False
        rows = Job.objects.filter(pk=job.pk, task_id=self.task_id, rank=job.rank, state=job.state)
        rows.update(task_id=f"{self.task_id[:150]}#{job.pk}")
        return True

    def _is_long_after(self, job: Job) -> bool:
        """Whether the run began after an end of which it is unknown which run it was."""
        ended = job.finished_at.timestamp() if job.finished_at else time.time()
        return self.run / 1000 > ended + CLOCK_DIFFERENCE

    def _advance(
        self, guard: Q | None, changes: Mapping[str, Any], told: Mapping[str, Any]
    ) -> bool:
        """Move the row if this event is news, and tell. None: news is what has a higher key."""
        return self._with_retries(partial(JobReporter._try_to_advance, guard=guard), changes, told)

    def _with_retries(
        self, attempt: _Attempt, changes: Mapping[str, Any], told: Mapping[str, Any]
    ) -> bool:
        """The attempt's answer. Whatever fails in it, the state is reported: in the default words.

        Raises what is raised by a database that is away or locked, and what fails even then.
        """
        try:
            return self._repeat(partial(attempt, self, changes, told))
        except Exception as error:
            self._log_or_raise(error)
        plain = {**changes, "error": as_ascii(changes["error"])} if "error" in changes else changes
        fallback = self._in_default_words()
        try:
            return fallback._repeat(partial(attempt, fallback, plain, told))
        except Exception as error:
            self._log_or_raise(error)
        fallback = self._in_default_words(bare=True)
        return fallback._repeat(partial(attempt, fallback, plain, told))

    def _log_or_raise(self, error: Exception) -> None:
        if is_unreachable(error):
            raise error
        logger.error(
            "What became of %s (%s) could not be reported; the default words are used.",
            self.name,
            self.task_id,
            exc_info=error,
        )

    def _in_default_words(self, *, bare: bool = False) -> JobReporter:
        fallback = copy(self)
        fallback.is_fallback = True
        fallback.name = as_ascii(self.name)
        fallback.render = in_default_words(self.render, bare=bare)
        return fallback

    def _repeat(self, attempt: Callable[[bool], bool]) -> bool:
        """The attempt's answer; its argument is whether to trust that the recipients exist."""
        # In the caller's transaction, an error at its commit would be the caller's.
        trusting = not dispatch.in_transaction()
        for _ in range(RETRIES):
            try:
                return attempt(trusting)
            except IntegrityError:
                # A recipient was deleted. Asked for, they are left out, and the others hear of it.
                logger.info("Job %s is told anew.", self.task_id)
                trusting = False
            except OperationalError as error:
                # MySQL locks more rows than a small table's query names.
                if dispatch.in_transaction() or not is_deadlock(error):
                    raise
                logger.info("Job %s is told anew: %s", self.task_id, error)
        return attempt(False)

    def _try_to_speak_up(
        self, changes: Mapping[str, Any], told: Mapping[str, Any], trusting: bool
    ) -> bool:
        with transaction.atomic(using=dispatch.database()):
            # The row stays locked until the commit, as in every telling.
            rows = Job.objects.of_task(self.task_id).filter(state=State.STARTED)
            if not rows.update(alive_at=timezone.now()):
                return False
            job = Job.objects.of_task(self.task_id).get()
            return has_unnotified(job) and bool(self.notify(job, self.outcome(job), only_new=True))

    def _try_to_advance(
        self,
        changes: Mapping[str, Any],
        told: Mapping[str, Any],
        trusting: bool,
        *,
        guard: Q | None,
    ) -> bool:
        """The row stays locked until the commit."""
        with transaction.atomic(using=dispatch.database()):
            job = self._update(guard, changes)
            if job is None:
                return False
            messages = self.notify(job, self.outcome(job, **told), trusting=trusting)
        self._bar.reset(job, messages)
        return True

    def _update(self, guard: Q | None, changes: Mapping[str, Any]) -> Job | None:
        """The row as it is now, None when the event is no news."""
        if guard is None:
            key = changes["rank"]
            slots = {"task": self.task_id, "scope": self.scope, "below": key}
            slots["now"] = changes.get("alive_at")
            rows = ADVANCE.run(dispatch.database(), changes, **slots)
            if rows is not None:
                return rows[0] if rows else None
            guard = is_newer(key)
        by_hand = {
            name: value if value is not KEEP_STARTED_AT else Coalesce(F(name), changes["alive_at"])
            for name, value in changes.items()
        }
        if not Job.objects.of_task(self.task_id).filter(guard).update(**by_hand):
            return None
        return Job.objects.of_task(self.task_id).get()

    def _try_to_begin(
        self, changes: Mapping[str, Any], told: Mapping[str, Any], trusting: bool
    ) -> bool:
        """Write the row as this event leaves it, and tell; False when there is one.

        Then nothing more happens in this transaction: on MySQL two that fail to insert and then
        update would wait for each other.
        """
        with transaction.atomic(using=dispatch.database()):
            job = self._new_job(changes)
            if not insert_if_new(job, dispatch.database()):
                return False
            stored = job.recipients
            job.recipients = [recipient.to_dict() for recipient in self.recipients]
            outcome = self.outcome(job, **told)
            messages = self.notify(job, outcome, trusting=trusting, stored=stored)
        self._bar.reset(job, messages)
        return True

    def _new_job(self, changes: Mapping[str, Any]) -> Job:
        begun = {name: value for name, value in changes.items() if value is not FILL_BAR}
        begun["run"] = self.run
        if "started_at" in begun:
            begun["started_at"] = begun["alive_at"]
        return Job(
            task_id=self.task_id,
            integration=self.integration,
            name=self.name[:255],
            # What nearly always becomes true: it spares an update.
            recipients=[{**recipient.to_dict(), NOTIFIED: True} for recipient in self.recipients],
            arguments=None if self.is_fallback else _stored_arguments(self.arguments),
            cancellable=self.cancellable,
            **begun,
        )

    def outcome(self, job: Job, **told: Any) -> Outcome:
        """Where ``job`` stands, as its wording sees it."""
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
            **told,
        )

    def notify(
        self,
        job: Job,
        outcome: Outcome,
        *,
        only_new: bool = False,
        trusting: bool = False,
        stored: list[dict[str, Any]] | None = None,
    ) -> list[Message]:
        """Bring every recipient's message to ``outcome``; with ``only_new`` only those never told.

        To be called in the transaction that won the job's row. ``trusting`` asks of nobody whether
        they exist: ``IntegrityError`` then, now or at the commit, when somebody does not.
        ``stored`` is what the row holds of the recipients, where that is not what ``job`` says.
        """
        told: list[Message] = []
        mailed: defaultdict[DeliveryPolicy, list[Message]] = defaultdict(list)
        before = stored or [dict(entry) for entry in job.recipients]
        for reader in job_recipients(job):
            if only_new and reader.is_marked(NOTIFIED):
                continue
            message, how = self._notify(job, reader, outcome, trusting)
            if message is not None:
                told.append(message)
                if how is not None:
                    mailed[how].append(message)
        if job.recipients != before:
            Job.objects.filter(pk=job.pk).update(recipients=job.recipients)
        dispatch.announce(told)
        for how, messages in mailed.items():
            dispatch.deliver(deliveries.create_deliveries(messages, how))
        if outcome.has_ended:
            dispatch.after_commit(lambda: job_ended.send_robust(Job, job=job))
        return told

    def _notify(
        self, job: Job, reader: JobRecipient, outcome: Outcome, trusting: bool
    ) -> tuple[Message | None, DeliveryPolicy | None]:
        """The reader's message as it now is, None when they hear nothing; how to mail it."""
        notice = self.content(reader.recipient, outcome)
        say = partial(_save_content, job, reader, notice, outcome, trusting)
        repeated = False
        if notice is not None and outcome.state == State.FAILED and not self.is_fallback:
            message, repeated = collapse.collapse(self.name or job.name, reader, notice, say)
        else:
            message = say()
        if message is None:
            return None, None
        reader.mark(NOTIFIED)
        is_news = outcome.has_ended and not repeated
        how = delivery_policy(notice.email, notice.email_delay) if notice and is_news else None
        if how is None or reader.recipient.is_visitor or reader.is_marked(EMAILED):
            return message, None
        reader.mark(EMAILED)
        return message, how

    def content(self, recipient: Recipient, outcome: Outcome) -> MessageContent | None:
        """How to say it to this recipient. A wording that fails is logged, never passed on."""
        with links.for_reader(recipient.language):
            try:
                return _resolved(self.render(outcome))
            except Exception:
                logger.exception("The wording of %s failed; the default text is used.", self.name)
                return _resolved(_default_render()(outcome))


# What moves the row and notifies: it is given the reporter, the changes, what a wording sees, and
# whether to trust that the recipients exist.
_Attempt: TypeAlias = Callable[[JobReporter, Mapping[str, Any], Mapping[str, Any], bool], bool]


def _due(moment: datetime | None) -> datetime:
    """Not before now. A moment that no database holds counts as now."""
    now = timezone.now()
    try:
        return max(now, checked_moment("due_at", moment) or now)
    except ValueError:
        return now


def _stored_arguments(arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """As JSON; one that is very long as a text."""
    if not arguments:
        return None
    safe = {clean_text(name): json_safe(value) for name, value in arguments.items()}
    return {name: _bounded(value) for name, value in safe.items()}


def _bounded(value: Any) -> Any:
    text = json.dumps(value)
    return value if len(text) <= LONGEST_TEXT else shorten(str(value), LONGEST_TEXT)


def _save_content(
    job: Job, reader: JobRecipient, notice: MessageContent | None, outcome: Outcome, trusting: bool
) -> Message | None:
    """The reader's message as it now reads; None: they hear nothing."""
    ended, was_told = outcome.has_ended, reader.is_marked(NOTIFIED)
    if was_told and notice is not None:
        message = rewrite_unseen(job, reader, notice, ended)
        if message is not None:
            return message
    if (was_told or not trusting) and reader.message is not None:
        rewrite(job, reader.message, notice, ended)
        return reader.message
    if notice is None or (was_told and not ended):
        # Nothing to say; or its reader deleted it and hears of the end alone.
        return None
    return write(job, reader, notice) if trusting or reader.exists() else None


def _resolved(notice: MessageContent | None) -> MessageContent | None:
    """Lazy texts become text while the recipient's language is active."""
    if notice is None:
        return None
    check(notice.email, notice.email_delay)
    return MessageContent(
        subject=clean_text(notice.subject),
        message=_text(clean_text(notice.message)),
        level=int(notice.level),
        url=checked_link(str(notice.url)) if notice.url else None,
        url_label=clean_text(notice.url_label),
        email=notice.email,
        email_delay=notice.email_delay,
        extra_tags=clean_text(notice.extra_tags),
        category=clean_text(notice.category),
    )


def _text(message: str) -> str:
    """One that is too long is cut in its middle, HTML as plain text: a cut would break its tags."""
    if len(message) <= LONGEST_TEXT:
        return message
    return shorten(plain_text(message), LONGEST_TEXT)


def _default_render() -> Render:
    return NotifyOptions().render()
