"""What staff see of all jobs of the current scope: the figures of the admin's board.

No query counts a whole table: open jobs are few, and ended ones are read by the index on their end,
the newest ``READ`` of the window at most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Count, F, Max, Min
from django.utils import timezone

from monitio.constants import State
from monitio.jobs.recipients import recipients_of
from monitio.models import Job, JobQuerySet, Message
from monitio.models.jobs import queued_at
from monitio.recipients import accounts

# Ended jobs that one look reads, and open ones that it counts.
READ, COUNTED = 20_000, 1000
# Rows of each list.
SHOWN, ENDED_SHOWN, REASONS = 25, 8, 10
BUCKETS = 60
WAITING = (State.QUEUED, State.RETRYING)
BAD = (State.FAILED, State.LOST)
# Seconds without a heartbeat after which a running job is shown as silent.
SILENT_AFTER = 90


@dataclass(frozen=True)
class Bucket:
    """The jobs that ended in one part of the window."""

    succeeded: int = 0
    other: int = 0


@dataclass(frozen=True)
class Ended:
    """Figures of the jobs that ended in the window. Times in seconds; None: there are none."""

    succeeded: int
    bad: int
    buckets: Sequence[Bucket]
    run_time: tuple[float, float] | None
    waiting_time: tuple[float, float] | None
    # Whether the window has more of them than were read; the end of the oldest that was read.
    is_partial: bool
    since: datetime


@dataclass(frozen=True)
class Reason:
    """Failures of one task with one error."""

    name: str
    error: str
    number: int
    first: datetime
    last: datetime
    newest: int
    # What people read of the newest; '' without the permission to see messages.
    message: str
    retryable: bool


def open_jobs(states: Iterable[str]) -> tuple[list[Job], Counter[str]]:
    """The oldest jobs in these states, and how many there are by queue, ``COUNTED`` at most."""
    rows = Job.objects.here().filter(state__in=tuple(states))
    found = dict(rows.order_by().values_list("pk", "queue")[:COUNTED])
    if len(found) == COUNTED:
        # Not by the primary key itself: PostgreSQL would look for them among all jobs that ended
        # before them (5 s with 100,000 waiting jobs of 10 million, 0.1 s by the index on states).
        oldest = list(rows.order_by(F("pk") + 0).values_list("pk", flat=True)[:SHOWN])
    else:
        oldest = sorted(found)[:SHOWN]
    shown = Job.objects.filter(pk__in=oldest).order_by("pk")
    return list(shown), Counter(found.values())


def ended_since(moment: datetime, now: datetime) -> Ended:
    rows = _ended_here(moment).order_by("-finished_at")
    columns = ("finished_at", "state", "created", "run", "started_at")
    found: list[Any] = list(rows.values_list(*columns)[:READ])
    width = (now - moment) / BUCKETS
    counts = [[0, 0] for _ in range(BUCKETS)]
    runs, waits = [], []
    for finished_at, state, created, run, started_at in found:
        at = min(BUCKETS - 1, max(0, int((finished_at - moment) / width)))
        counts[at][state != State.SUCCEEDED] += 1
        if started_at is not None:
            runs.append((finished_at - started_at).total_seconds())
            waits.append(max(0.0, (started_at - queued_at(created, run)).total_seconds()))
    succeeded = sum(good for good, _other in counts)
    bad = sum(state in BAD for _, state, *_ in found)
    buckets = [Bucket(*pair) for pair in counts]
    is_partial = len(found) == READ
    oldest = found[-1][0] if is_partial else moment
    return Ended(succeeded, bad, buckets, _spread(runs), _spread(waits), is_partial, oldest)


def just_ended(moment: datetime) -> list[Job]:
    return list(_ended_here(moment).order_by("-finished_at")[:ENDED_SHOWN])


def failures(moment: datetime, *, with_messages: bool) -> list[Reason]:
    """The most frequent first. ``with_messages``: also what people read of them."""
    # Not by ``state__in=BAD``: SQLite would read all failures of the table by the index on states.
    rows = _ended_here(moment).exclude(state__in=(State.SUCCEEDED, State.REVOKED)).order_by()
    found = rows.values("name", "error").annotate(
        number=Count("pk"), first=Min("finished_at"), last=Max("finished_at"), newest=Max("pk")
    )
    groups = list(found.order_by("-number", "-last")[:REASONS])
    newest = [group["newest"] for group in groups]
    retryable = set(Job.objects.filter(pk__in=newest, retryable=True).values_list("pk", flat=True))
    shown = Message.objects.filter(job__in=newest, hidden=False) if with_messages else ()
    texts = {message.job_id: message.text for message in shown}
    return [
        Reason(
            **group,
            message=texts.get(group["newest"], ""),
            retryable=group["newest"] in retryable,
        )
        for group in groups
    ]


def failed_alike(job: Job, moment: datetime) -> JobQuerySet:
    """The jobs of the window that failed as this one did, and can be tried again."""
    return _ended_here(moment).filter(state__in=BAD, name=job.name, error=job.error, retryable=True)


def recipients_shown(jobs: Iterable[Job]) -> dict[int, tuple[str, int]]:
    """By job: the name of a user among its recipients ('': a visitor), and how many others."""
    keys: dict[int, list[Any]] = {}
    for job in jobs:
        found = recipients_of(job)
        keys[job.pk] = [None if one.is_visitor else one.user_id for one in found]
    users = {pk for entries in keys.values() for pk in entries if pk is not None}
    field = get_user_model().USERNAME_FIELD
    names = dict(accounts().filter(pk__in=users).values_list("pk", field))
    return {
        pk: (str(names.get(entries[0], "")), len(entries) - 1)
        for pk, entries in keys.items()
        if entries
    }


def is_silent(job: Job) -> bool:
    limit = timezone.now() - timedelta(seconds=SILENT_AFTER)
    return job.state == State.STARTED and job.alive_at is not None and job.alive_at < limit


def _ended_here(moment: datetime) -> JobQuerySet:
    return Job.objects.here().filter(finished_at__gte=moment)


def _spread(seconds: list[float]) -> tuple[float, float] | None:
    """The median and the 95th percentile."""
    if not seconds:
        return None
    seconds.sort()
    return seconds[len(seconds) // 2], seconds[int(len(seconds) * 0.95)]
