"""Jobs: every event of a background task becomes one state, one message a recipient, told once.

Events arrive late, twice and shuffled. Each has a key that says how far the job has come; a
transition is one guarded update, and only the update that changed the row tells anybody.
"""

from __future__ import annotations

import logging
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from django.db import IntegrityError, OperationalError, transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone, translation

from monitio import deliveries, dispatch, repeats
from monitio.channels.live import progress_bell
from monitio.conf import settings
from monitio.constants import State
from monitio.mailing import Mailing, check, mailing
from monitio.models import Job, Message, check_url
from monitio.outcomes import Notice, Outcome, Wording
from monitio.patience import is_deadlock, short_wait
from monitio.readers import (
    MAILED,
    TOLD,
    Reader,
    is_untold,
    messages_of,
    readers_of,
    rewrite,
    rewrite_unseen,
    write,
)
from monitio.recipients import Recipient
from monitio.signals import job_ended
from monitio.statements import Slot, Update, insert_if_new
from monitio.stream.payload import payload
from monitio.tempo import Tempo
from monitio.transports import get_transport

__all__ = ["JobReporter", "Notice", "Outcome", "Wording", "stamp_alive"]

logger = logging.getLogger("monitio")

_PHASES = {State.QUEUED: 0, State.STARTED: 1, State.RETRYING: 2}
# No attempt is ever this late.
_FINAL_KEY = 2**40
_NO_PROGRESS = {"done": None, "total": None, "text": "", "rate": None}
# The time of the first start is kept, and at a success all is done, whatever bar was shown last.
_AS_BEFORE = Coalesce(F("started_at"), Slot("now", Job._meta.get_field("started_at")))
_ALL = Coalesce(F("total"), F("done"))
_ADVANCE = Update(
    lambda: Job.objects.filter(
        _news(Slot("below", Job._meta.get_field("key"))),
        task_id=Slot("task", Job._meta.get_field("task_id")),
    )
)
ALIVE_EVERY = 30.0
# How often a telling may meet a deadlock, or the deletion of a recipient in that very moment.
RETRIES = 3


def order_key(state: str, attempt: int) -> int:
    """How far a job has come. Rises with attempt and phase; an end is above all else."""
    return _FINAL_KEY if state in State.FINAL else attempt * 4 + _PHASES[state]


def stamp_alive(task_ids: Iterable[str]) -> int:
    """Note a sign of life of many running jobs in one query; the number of rows.

    A database that others keep locked is waited for a second; the next sign of life comes soon.
    """
    try:
        with short_wait(dispatch.database()):
            return int(Job.objects.stamp_alive(task_ids))
    except OperationalError as error:
        logger.warning("A sign of life could not be written: %s", error)
        return 0


class JobReporter:
    """Reports what becomes of one job. The way in for any task queue.

    ``recipients`` and ``wording`` say whom to tell and how. A job that is already known keeps the
    recipients it has (a visitor may have logged in meanwhile). A job that is neither known nor has
    recipients is nobody's business: every method then answers False and writes nothing.
    ``cancellable`` offers its readers to cancel it, through ``dispatch.hooks.cancel``.

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
        cancellable: bool = False,
    ) -> None:
        self.task_id, self.queue, self.name = str(task_id), queue, name
        self.recipients = list(dict.fromkeys(recipients))
        self.wording = wording or _default_wording()
        self.arguments = arguments or {}
        self.cancellable = cancellable
        self._bar = _Bar(self)
        self._next_alive = 0.0

    def queued(self) -> bool:
        """It was handed to the queue."""
        return self._move(State.QUEUED, 0)

    def started(self, attempt: int = 0) -> bool:
        """A worker began attempt number ``attempt``, counted from 0. Its bar begins anew."""
        self._bar.attempt = attempt
        now = timezone.now()
        begun = {"alive_at": now, "started_at": _AS_BEFORE, **_NO_PROGRESS}
        return self._move(State.STARTED, attempt, **begun)

    def retrying(self, attempt: int, reason: str | BaseException = "") -> bool:
        """Attempt number ``attempt`` failed and another one is planned."""
        return self._move(State.RETRYING, attempt, **_reason(reason))

    def succeeded(self, result: Any = None) -> bool:
        """It ended well. ``result`` is seen by the wording and not stored."""
        # Whatever the last step was that the throttle let through.
        return self._move(State.SUCCEEDED, None, result=result, done=_ALL)

    def failed(self, error: BaseException | str) -> bool:
        """It ended badly. What of ``error`` the reader sees is the wording's choice."""
        return self._move(State.FAILED, None, **_reason(error))

    def revoked(self, reason: str = "") -> bool:
        """Somebody cancelled it."""
        return self._move(State.REVOKED, None, **_reason(reason))

    def withdrawn(self, reason: str = "") -> bool:
        """It was cancelled while it waited. False when a worker has begun, or it has ended."""
        _guard, changes = _transition(State.REVOKED, None)
        waits = Q(state__in=(State.QUEUED, State.RETRYING))
        return self._advance(waits, changes | {"error": _storable(reason)}, {})

    def cancel_requested(self) -> bool:
        """Whether a reader has asked for its end."""
        return Job.objects.filter(task_id=self.task_id, cancel_requested=True).exists()

    def lost(self) -> bool:
        """No sign of life for too long. Any later event of the job overrides this."""
        return self._move(State.LOST, None)

    def resumed(self) -> bool:
        """It was given up for lost, and lives: it goes on where it stood."""
        alive = {"state": State.STARTED, "finished_at": None, "alive_at": timezone.now()}
        # It is a heartbeat that calls this: the next one comes soon.
        with short_wait(dispatch.database()):
            return self._advance(Q(state=State.LOST), alive, {})

    def speak_up(self) -> bool:
        """Where the wording held the start back (``when=``), tell it now. True when it was told."""
        alias = dispatch.database()
        with short_wait(alias), transaction.atomic(using=alias):
            # The row stays locked until the commit, as in every telling.
            rows = Job.objects.filter(task_id=self.task_id, state=State.STARTED)
            if not rows.update(alive_at=timezone.now()):
                return False
            job = Job.objects.get(task_id=self.task_id)
            return is_untold(job) and bool(self.tell(job, self.outcome(job), only_new=True))

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
        if shared:
            return self._bar.share(done, total)
        return self._bar.move(done, total, _storable(text), final)

    def alive(self) -> None:
        """A sign of life; written at most every 30 s."""
        now = time.monotonic()
        if now >= self._next_alive:
            self._next_alive = now + ALIVE_EVERY
            stamp_alive([self.task_id])

    def _move(self, state: str, attempt: int | None, **details: Any) -> bool:
        told: dict[str, Any] = {
            key: details.pop(key) for key in ("result", "exception") if key in details
        }
        guard, changes = _transition(state, attempt)
        changes |= details
        advance = partial(self._advance, guard, changes, told)
        if not self.recipients or state == State.LOST:
            return advance()
        begin = partial(self._insist, partial(self._try_to_begin, changes, told))
        if state == State.QUEUED:
            # Whoever hands it to the queue is mostly the first to speak of it, and nobody else is.
            return begin() or advance()
        # A look before the insert: late events are many, and SQLite has one writer.
        return advance() or (not self._is_known() and begin()) or advance()

    def _is_known(self) -> bool:
        return Job.objects.filter(task_id=self.task_id).exists()

    def _advance(
        self, guard: Q | None, changes: Mapping[str, Any], told: Mapping[str, Any]
    ) -> bool:
        """Move the row if this event is news, and tell. None: news is what has a higher key."""
        return self._insist(partial(self._try_to_advance, guard, changes, told))

    def _insist(self, attempt: Callable[[bool], bool]) -> bool:
        """The attempt's answer; it is told whether to trust that the recipients exist."""
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

    def _try_to_advance(
        self, guard: Q | None, changes: Mapping[str, Any], told: Mapping[str, Any], trusting: bool
    ) -> bool:
        """The row stays locked until the commit."""
        with transaction.atomic(using=dispatch.database()):
            job = self._update(guard, changes)
            if job is None:
                return False
            messages = self.tell(job, self.outcome(job, **told), trusting=trusting)
        self._bar.begin(job, messages)
        return True

    def _update(self, guard: Q | None, changes: Mapping[str, Any]) -> Job | None:
        """The row as it is now, None when the event is no news."""
        if guard is None:
            key = changes["key"]
            guard = _news(key)
            slots = {"task": self.task_id, "below": key, "now": changes.get("alive_at")}
            rows = _ADVANCE.run(dispatch.database(), changes, **slots)
            if rows is not None:
                return rows[0] if rows else None
        by_hand = {
            name: value if value is not _AS_BEFORE else Coalesce(F(name), changes["alive_at"])
            for name, value in changes.items()
        }
        if not Job.objects.filter(guard, task_id=self.task_id).update(**by_hand):
            return None
        return Job.objects.get(task_id=self.task_id)

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
            messages = self.tell(job, outcome, trusting=trusting, stored=stored)
        self._bar.begin(job, messages)
        return True

    def _new_job(self, changes: Mapping[str, Any]) -> Job:
        begun = {name: value for name, value in changes.items() if value is not _ALL}
        if "started_at" in begun:
            begun["started_at"] = begun["alive_at"]
        return Job(
            task_id=self.task_id,
            queue=self.queue,
            name=self.name[:255],
            # What nearly always becomes true: it spares an update.
            recipients=[{**recipient.to_dict(), TOLD: True} for recipient in self.recipients],
            arguments=_plain(self.arguments) if self.arguments else None,
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
            done=_whole(job.done),
            total=_whole(job.total),
            text=job.text,
            arguments=self.arguments or job.arguments or {},
            runtime=(end - job.started_at).total_seconds() if job.started_at else None,
            **told,
        )

    def tell(
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
        mailed: defaultdict[Mailing, list[Message]] = defaultdict(list)
        before = stored or [dict(entry) for entry in job.recipients]
        for reader in readers_of(job):
            if only_new and reader.was(TOLD):
                continue
            message, how = self._tell(job, reader, outcome, trusting)
            if message is not None:
                told.append(message)
                if how is not None:
                    mailed[how].append(message)
        if job.recipients != before:
            Job.objects.filter(pk=job.pk).update(recipients=job.recipients)
        dispatch.announce(told)
        for how, messages in mailed.items():
            dispatch.deliver(deliveries.plan(messages, how))
        if outcome.has_ended:
            dispatch.after_commit(lambda: job_ended.send_robust(Job, job=job))
        return told

    def _tell(
        self, job: Job, reader: Reader, outcome: Outcome, trusting: bool
    ) -> tuple[Message | None, Mailing | None]:
        """The reader's message as it now is, None when they hear nothing; how to mail it."""
        notice = self.notice(reader.recipient, outcome)
        say = partial(_say, job, reader, notice, outcome, trusting)
        repeated = False
        if notice is not None and outcome.state == State.FAILED:
            message, repeated = repeats.tell_once(self.name or job.name, reader, notice, say)
        else:
            message = say()
        if message is None:
            return None, None
        reader.note(TOLD)
        is_news = outcome.has_ended and not repeated
        how = mailing(notice.email, notice.email_delay) if notice and is_news else None
        if how is None or reader.recipient.is_visitor or reader.was(MAILED):
            return message, None
        reader.note(MAILED)
        return message, how

    def notice(self, recipient: Recipient, outcome: Outcome) -> Notice | None:
        """How to say it to this recipient. A wording that fails is logged, never passed on."""
        language = recipient.language or translation.get_language()
        with translation.override(language):
            try:
                return _resolved(self.wording(outcome))
            except Exception:
                logger.exception("The wording of %s failed; the default text is used.", self.name)
                return _resolved(_default_wording()(outcome))


def _say(
    job: Job, reader: Reader, notice: Notice | None, outcome: Outcome, trusting: bool
) -> Message | None:
    """The reader's message as it now reads; None: they hear nothing."""
    ended, was_told = outcome.has_ended, reader.was(TOLD)
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


class _Bar:
    """The moving bar of one attempt: throttled writes and pushes."""

    def __init__(self, reporter: JobReporter) -> None:
        self.reporter = reporter
        self.attempt = 0
        # Only what is committed: pushes must not say what a rollback takes back.
        self._job: Job | None = None
        self._messages: list[Message] = []
        self._next_write = self._next_push = 0.0
        self._over = False
        # How often there was no row yet.
        self._absences = 0
        self._tempo = Tempo()

    def begin(self, job: Job, messages: list[Message]) -> None:
        """The job moved to ``job``, and these messages say so."""
        committed = not dispatch.in_transaction()
        self._job, self._messages = (job, messages) if committed else (None, [])
        self._next_write = self._next_push = 0.0
        self._over = False
        self._tempo = Tempo()

    def move(self, done: float | None, total: float | None, text: str, final: bool) -> bool:
        now = time.monotonic()
        if self._over or (now < self._next_push and not final):
            return False
        self._tempo.step(now, done)
        if (final or now >= self._next_write) and not dispatch.in_transaction():
            self._next_write = now + settings.PROGRESS_WRITE_INTERVAL
            if not self._write(done, total, text):
                self._give_up_or_wait(now)
                return False
        self._next_push = now + max(settings.PROGRESS_PUSH_INTERVAL, get_transport().push_interval)
        return self._push(done, total, text, self._tempo.rate)

    def share(self, done: float | None, total: float | None) -> bool:
        """Write and push, unless another process has done so within the last second."""
        if dispatch.in_transaction():
            return False
        with short_wait(dispatch.database()):
            self._load()
            job, now = self._job, _milliseconds()
            if job is None or job.seq > now - 1000 * settings.PROGRESS_WRITE_INTERVAL:
                return False
            rate, said = _average(job, done), self._said(done, total)
            standing = {"done": done, "total": total, "rate": rate, "text": said[:255]}
            rows = Job.objects.filter(pk=job.pk, state=State.STARTED, seq=job.seq)
            if not rows.update(**standing, seq=now, alive_at=timezone.now()):
                return False
        self._push(done, total, "", rate)
        return True

    def _write(self, done: float | None, total: float | None, text: str) -> bool:
        """False when the job, or this attempt, is over. A locked database costs this step alone."""
        alias = dispatch.database()
        if self._job is None:
            self._load()
        try:
            with short_wait(alias), transaction.atomic(using=alias):
                said = text or self._said(done, total)
                rate = self._tempo.rate
                if not self._win(done=done, total=total, text=said[:255], rate=rate):
                    return False
                self._load()
                self._speak_up()
        except OperationalError as error:
            logger.warning("The bar of %s could not be written: %s", self.reporter.name, error)
        return True

    def _give_up_or_wait(self, now: float) -> None:
        """A row that names the people may come later than the run that it speaks of."""
        self._over = Job.objects.filter(task_id=self.reporter.task_id).exists()
        self._absences += 1
        self._next_push = now + settings.PROGRESS_WRITE_INTERVAL * 2 ** (self._absences - 1)

    def _win(self, **standing: Any) -> bool:
        """Write the row while it is this attempt's. A bar that moves is a sign of life, too."""
        # Never below what another process has written, however its clock goes.
        seq = Greatest(F("seq") + 1, Value(_milliseconds()))
        key = order_key(State.STARTED, self.attempt)
        rows = Job.objects.filter(task_id=self.reporter.task_id, key=key, state=State.STARTED)
        changes = {**standing, "seq": seq, "alive_at": timezone.now()}
        return bool(
            rows.update(**changes)
            or (self.reporter.started(self.attempt) and rows.update(**changes))
        )

    def _load(self) -> None:
        """Read the messages anew: their owner may have closed them, or have logged in."""
        self._job = Job.objects.filter(task_id=self.reporter.task_id).first()
        self._messages = list(messages_of(self._job)) if self._job else []

    def _speak_up(self) -> None:
        """Where the wording held the start back: now it may have something to say."""
        job, reporter = self._job, self.reporter
        if job is not None and is_untold(job):
            self._messages += reporter.tell(job, reporter.outcome(job), only_new=True)

    def _push(self, done: float | None, total: float | None, text: str, rate: float | None) -> bool:
        job = self._job
        if job is None or not self._messages:
            return False
        job.done, job.total, job.rate = done, total, rate
        job.seq = max(job.seq + 1, _milliseconds())
        bells = []
        for message in self._messages:
            job.text = (text or self._wording(message, job))[:255]
            message.job = job
            bells.append(progress_bell(message.recipient_key, payload(message)))
        return dispatch.push(bells)

    def _said(self, done: float | None, total: float | None) -> str:
        """The text a reload shows: one for all, so in the first reader's language."""
        if self._job is None or not self._messages:
            return ""
        self._job.done, self._job.total, self._job.text = done, total, ""
        return self._wording(self._messages[0], self._job)

    def _wording(self, message: Message, job: Job) -> str:
        if job.done is None:
            return ""
        notice = self.reporter.notice(message.recipient, self.reporter.outcome(job))
        return notice.message if notice else ""


def _whole(number: float | None) -> float | None:
    """3.0, as the database gives it back, reads "3" in a text."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _average(job: Job, done: float | None) -> float | None:
    """Steps a second since the start; None while nobody can tell."""
    tempo = Tempo()
    tempo.step(job.started_at.timestamp() if job.started_at else 0.0, 0.0)
    tempo.step(time.time(), done)
    return tempo.rate if job.started_at else None


def _milliseconds() -> int:
    # Of the clock, so that the next process to run this job goes on above it.
    return time.time_ns() // 1_000_000


def _news(key: int | Slot) -> Q:
    """Whatever comes later than the row, and whatever is heard of a job that was given up."""
    return Q(key__lt=key) | Q(state=State.LOST, key__lte=key)


def _transition(state: str, attempt: int | None) -> tuple[Q | None, dict[str, Any]]:
    """When an event is news (None: when its key is higher), and what it changes."""
    ended = state in State.ENDED
    changes: dict[str, Any] = {
        "state": state,
        "error": "",
        "finished_at": timezone.now() if ended else None,
    }
    if state == State.LOST:
        return Q(state=State.STARTED), changes
    changes["key"] = order_key(state, attempt or 0)
    if attempt is not None:
        changes["attempt"] = attempt
    return None, changes


def _resolved(notice: Notice | None) -> Notice | None:
    """Lazy texts become text while the recipient's language is active."""
    if notice is None:
        return None
    check(notice.email, notice.email_delay)
    return Notice(
        subject=_storable(notice.subject),
        message=_storable(notice.message),
        level=int(notice.level),
        url=check_url(str(notice.url)) if notice.url else None,
        url_label=_storable(notice.url_label),
        email=notice.email,
        email_delay=notice.email_delay,
        extra_tags=str(notice.extra_tags),
        category=str(notice.category),
    )


def _reason(error: BaseException | str) -> dict[str, Any]:
    if not isinstance(error, BaseException):
        return {"error": _storable(error)}
    try:
        text = str(error)
    except Exception:  # of a class whose __str__ is broken
        text = ""
    return {"error": _storable(text) or type(error).__name__, "exception": error}


def _storable(text: object) -> str:
    """The text without what no database takes: NUL, and the halves of a file name's odd bytes."""
    clean = str(text)
    if "\0" in clean or not _encodes(clean):
        clean = clean.replace("\0", "").encode("utf-8", "replace").decode()
    return clean


def _plain(value: Any) -> Any:
    """The value as every database's JSON takes it; the text of whatever is no JSON."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, Mapping):
        return {_storable(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(entry) for entry in value]
    try:
        return _storable(value)
    except Exception:  # of a class whose __str__ is broken
        return type(value).__name__


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _default_wording() -> Wording:
    from monitio.wording import Options

    return Options().wording()
