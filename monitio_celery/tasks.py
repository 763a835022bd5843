"""monitio's own tasks: deliveries, digests, and the sweep of jobs without a heartbeat."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from typing import Any

from celery import current_app, shared_task, states
from django.utils import timezone

from monitio import api, scope
from monitio.channels import TemporaryFailure, deliveries
from monitio.constants import State
from monitio.digests import sender as digests
from monitio.integrations.decorators import notify_user, options_of
from monitio.integrations.run import Reporter
from monitio.jobs.reporter import CLOCK_DIFFERENCE
from monitio.models import Heartbeat, Job
from monitio.models.heartbeats import BEAT
from monitio.models.schedule import aware
from monitio_celery import headers, reporters
from monitio_celery.conf import settings
from monitio_celery.groups import members
from monitio_celery.models import Group, GroupMember

logger = logging.getLogger("monitio")

# How many waiting jobs one sweep asks the result backend about.
WAITING_AT_ONCE = 100
# How many overdue jobs one sweep gives up.
OVERDUE_AT_ONCE = 1000


# Seconds. A worker holds tasks with an ETA unacknowledged: after a while the broker delivers them
# again (Redis: an hour), or closes the connection (RabbitMQ: 30 minutes).
LONGEST_WAIT = 20 * 60.0


def seconds_until(moment: datetime | None) -> float | None:
    """Seconds a worker should wait; None: leave it to the beat entry."""
    if moment is None:
        return None
    seconds = max(0.0, (moment - timezone.now()).total_seconds())
    return seconds if seconds <= LONGEST_WAIT else None


@shared_task(
    bind=True, ignore_result=True, acks_late=True, reject_on_worker_lost=True, max_retries=None
)
def deliver(self: Any, delivery_id: int) -> bool:
    """Send one delivery; retry when it is due again."""
    with _scope_of(self):
        try:
            if deliveries.send(delivery_id):
                return True
        except TemporaryFailure as error:
            logger.warning("Delivery %s waits for its next try: %s", delivery_id, error)
        wait = seconds_until(deliveries.next_try(delivery_id))
        if wait is None or self.request.is_eager:
            return False
        raise self.retry(countdown=wait)


@shared_task(ignore_result=True)
def deliver_due() -> tuple[int, int]:
    """Send due deliveries that have no task: ``(sent, not sent)``."""
    answers = scope.in_each(deliveries.run_due).values()
    return sum(sent for sent, _ in answers), sum(waiting for _, waiting in answers)


@shared_task(ignore_result=True)
def send_digests() -> int:
    """Start a task for each batch of users whose digest is due; the number of batches."""
    return sum(scope.in_each(_send_digests).values())


def _send_digests() -> int:
    count = 0
    for claim in digests.claim_batches():
        try:
            send_digest_set.apply_async((claim,), queue=settings.CELERY_QUEUE)
        except Exception:
            digests.release(claim)
            raise
        count += 1
    return count


@shared_task(bind=True, ignore_result=True, acks_late=True)
def send_digest_set(self: Any, claim: str) -> dict[str, int]:
    """Send the digests of a claimed batch; the fields of ``DigestStats``.

    A repeated run sends only the digests that are still open.
    """
    with _scope_of(self):
        return asdict(digests.send_batch(claim))


@shared_task(ignore_result=True)
def sweep_jobs() -> int:
    """Mark running jobs without a heartbeat as interrupted; the number of them.

    The result backend is asked first: it may know an end whose signal was lost.
    """
    return sum(scope.in_each(_stamp_and_sweep).values())


def _stamp_and_sweep() -> int:
    # The most frequent task of beat: where it runs, beat and a worker of its queue do.
    Heartbeat.objects.stamp(BEAT, float(settings.CELERY_SWEEP_INTERVAL))
    return sweep_here()


def sweep_here() -> int:
    """``sweep_jobs`` in the current scope."""
    now = timezone.now()
    # Members without a heartbeat count as failed, so that their groups can end. No limit: there are
    # no more running members than worker processes.
    for row in GroupMember.objects.silent_since(now):
        _judge(row.task_id, partial(_find_part, row, now))
    moment = now - timedelta(seconds=settings.CELERY_LOST_AFTER)
    # Groups whose last member could not end them: the database was unavailable.
    for job in Job.objects.here().filter(integration=members.QUEUE).silent_since(moment):
        _judge(job.task_id, partial(members.end_if_complete, job))
    # Jobs that may have begun, and ended, while the database was unavailable.
    waiting = Job.objects.here().waiting_since(moment).filter(integration=reporters.QUEUE)
    jobs = (*_silent(now), *waiting[:WAITING_AT_ONCE])
    lost = sum(_judge(job.task_id, partial(_find, job)) for job in jobs)
    limit = settings.CELERY_WAITING_LOST_AFTER
    if limit is not None:
        # Jobs whose queue was lost, or whose worker died before it could report their start.
        ours = Job.objects.here().filter(integration__in=(reporters.QUEUE, members.QUEUE))
        overdue = ours.overdue_since(now - timedelta(seconds=limit))[:OVERDUE_AT_ONCE]
        lost += sum(_judge(job.task_id, partial(_find, job, waiting=True)) for job in overdue)
    return lost


@shared_task(ignore_result=False)
def return_result(result: Any) -> Any:
    """Stands for a part that has succeeded, in a group that is tried again."""
    return result


@shared_task(ignore_result=True)
def prune() -> dict[str, int]:
    """Delete expired rows; the number of rows by kind."""
    total: Counter[str] = Counter()
    for counts in scope.in_each(_prune).values():
        total.update(counts)
    return dict(total)


def _prune() -> dict[str, int]:
    week_ago = timezone.now() - timedelta(days=7)
    Group.objects.here().filter(created__lt=week_ago).delete()
    # Of a group that may be tried again, they are needed: only the others of them run again.
    again = (
        Job.objects.here()
        .filter(integration=members.QUEUE, retryable=True)
        .exclude(state=State.SUCCEEDED)
    )
    old = GroupMember.objects.here().filter(created__lt=week_ago)
    parts, _ = old.exclude(group__in=again.values("task_id")).delete()
    return {**api.prune(), "parts": parts}


def _scope_of(task: Any) -> AbstractContextManager[Any]:
    """The scope in which one of monitio's tasks was started."""
    return headers.activate(headers.TaskHeader.from_headers(task.request.headers))


def _silent(now: datetime) -> list[Job]:
    # The names of tasks with a ``lost_after=`` of their own, by its seconds.
    own: dict[float, list[str]] = {}
    for name, task in current_app.tasks.items():
        options = options_of(task)
        if options is not None and options.lost_after is not None:
            own.setdefault(options.lost_after, []).append(name)
    jobs = Job.objects.here().filter(integration=reporters.QUEUE)
    limits = [
        (settings.CELERY_LOST_AFTER, jobs.exclude(name__in=list(chain(*own.values())))),
        (settings.CELERY_GROUP_LOST_AFTER, Job.objects.here().filter(integration=members.QUEUE)),
        *((limit, jobs.filter(name__in=names)) for limit, names in own.items()),
    ]
    return [
        job for limit, rows in limits for job in rows.silent_since(now - timedelta(seconds=limit))
    ]


def _find_part(row: GroupMember, now: datetime) -> bool:
    reporter = members.reporter_of_member(row)
    if reporter is None:
        return False
    own = reporter.member.own_limit
    limit = timedelta(seconds=settings.CELERY_LOST_AFTER if own is None else own)
    if (row.alive_at or now) >= now - limit:
        return False
    return _report_end(_stored(row.task_id), reporter, reporter.lost)


def _judge(task_id: str, judge: Callable[[], object]) -> bool:
    """Whether the task was marked as lost; an error is logged, and the sweep goes on."""
    try:
        return bool(judge())
    except Exception:
        logger.exception("The sweep could not judge task %s.", task_id)
        return False


def _find(job: Job, *, waiting: bool = False) -> bool:
    reporter = reporters.reporter_for_job(job)
    stored = _stored(job.task_id, job.created - timedelta(seconds=CLOCK_DIFFERENCE))
    return _report_end(stored, reporter, partial(reporter.lost, waiting=waiting))


def _report_end(
    stored: tuple[str | None, Any], reporter: Reporter, give_up: Callable[[], bool]
) -> bool:
    """Report the end that the result backend knows, else that it is lost: True then."""
    state, result = stored
    if state == states.SUCCESS:
        reporter.succeeded(result)
        return False
    if state == states.FAILURE:
        reporter.failed(result)
        return False
    if state == states.REVOKED:
        reporter.revoked()
        return False
    return give_up()


def _stored(task_id: str, since: datetime | None = None) -> tuple[str | None, Any]:
    """``(state, result)`` of the result backend, ``(None, None)`` when unavailable.

    A result from before ``since`` is that of an earlier run under the same id.
    """
    try:
        result = current_app.AsyncResult(task_id)
        done = result.date_done
        if done is not None and since is not None:
            # Without a time zone, Celery's are in UTC and Django's in the current one.
            done = done if done.tzinfo else done.replace(tzinfo=UTC)
            if done < aware(since):
                return None, None
        return result.state, result.result
    except Exception as error:
        logger.debug("The result backend does not answer: %s", error)
        return None, None


# Reported as a task of the site: the names of monitio's own begin with monitio_celery.
@shared_task(name="monitio.doctor_attempt", ignore_result=True)
@notify_user(title="Test of monitio_doctor")
def doctor_attempt() -> None:
    """Started by ``manage.py monitio_doctor --try``."""
