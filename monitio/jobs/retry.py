"""Try again: a new run of a job that ended badly takes over its messages.

One guarded UPDATE gives the job the id of its next run, so two presses start one. Events of former
runs find no job under their id: ``JobRun`` keeps their ends.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.utils import timezone

from monitio import dispatch
from monitio import scope as scopes
from monitio.exceptions import NotAllowed, RetryFailed
from monitio.jobs.recipients import EMAILED, START_SENT
from monitio.jobs.states import RESET_PROGRESS
from monitio.models import Delivery, Job, JobRun
from monitio.utils.encryption import decrypt, encrypt
from monitio.utils.outage import one_line

logger = logging.getLogger("monitio")

# Characters of a call that are stored.
LONGEST_CALL = 100_000
# The rank of a job between the claim and the first event of its run: below that of each event.
STARTING = -1
# Past this its process has died in between.
LONGEST_START = timedelta(minutes=1)


@dataclass(frozen=True)
class StoredCall:
    """How a task was called; ``options`` are the integration's own."""

    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    options: Mapping[str, Any]


def stored_call(
    name: str, args: Any, kwargs: Any, *, longest: int = LONGEST_CALL, **options: Any
) -> str | None:
    """A call as ``JobRun.call``; None, with one line in the log, when it is no JSON.

    ``longest`` is the number of characters it may have.
    """
    try:
        text = json.dumps([list(args or ()), dict(kwargs or {}), options], allow_nan=False)
    except (TypeError, ValueError) as error:
        _warn(name, f"its arguments are no JSON ({error})")
        return None
    if len(text) > longest:
        _warn(name, f"its arguments have more than {longest} characters")
        return None
    return encrypt(text)


@cache
def _warn(name: str, reason: str) -> None:
    logger.warning("%s cannot be tried again: %s.", name, reason)


def retry_job(job: Job) -> bool:
    """Start the task of a job again. False when it runs already, or was started by another press.

    Raises ``NotAllowed`` when its author does not offer it, and ``RetryFailed`` when its call
    cannot be read or the queue does not take it; the job is then as before. In a transaction the
    task starts after the commit.
    """
    start = dispatch.hooks.retry.get(job.integration)
    run = JobRun.objects.filter(job=job, task_id=job.task_id).first()
    if start is None or run is None or not job.retryable:
        raise NotAllowed("This job cannot be tried again: its author does not offer it.")
    began_at = job.alive_at if job.rank == STARTING else None
    # Another press publishes its task now.
    is_starting = began_at is not None and timezone.now() - began_at < LONGEST_START
    if not job.may_be_retried or is_starting:
        return False
    try:
        call = StoredCall(*json.loads(decrypt(run.call)))
    except Exception as error:
        # Encrypted with what the site no longer has.
        logger.warning("Job %s could not be tried again: %s", job.task_id, one_line(error))
        raise RetryFailed(str(error)) from error
    following = JobRun(job=job, task_id=str(uuid4()), number=run.number + 1, call=run.call)
    if not _claim(job, run, following):
        return False

    def begin() -> None:
        try:
            # With the scope of the job: its recipients are in the task's header.
            with scopes.activate(job.scope):
                start(Job.objects.get(pk=job.pk), call)
        except Exception as error:
            _revert(job, following)
            logger.warning("Job %s could not be tried again: %s", job.task_id, one_line(error))
            raise RetryFailed(str(error)) from error

    if dispatch.in_transaction():
        dispatch.after_commit(begin)
    else:
        begin()
    return True


def _claim(job: Job, run: JobRun, following: JobRun) -> bool:
    # The next start and the next end are sent, too.
    recipients = [
        {key: value for key, value in entry.items() if key not in (EMAILED, START_SENT)}
        for entry in job.recipients
    ]
    rows = Job.objects.filter(pk=job.pk, task_id=job.task_id, state=job.state, rank=job.rank)
    with transaction.atomic(using=dispatch.database()):
        if not rows.update(
            task_id=following.task_id,
            rank=STARTING,
            alive_at=timezone.now(),
            cancel_requested=False,
            recipients=recipients,
            started_at=None,
            **RESET_PROGRESS,
        ):
            return False
        end = {"state": job.state, "error": job.error, "finished_at": job.finished_at}
        JobRun.objects.filter(pk=run.pk).update(**end)
        following.scope = job.scope
        following.save(force_insert=True)
        Delivery.objects.filter(message__job=job).exclude(
            state__in=(Delivery.State.PENDING, Delivery.State.CLAIMED)
        ).delete()
    return True


def _revert(job: Job, following: JobRun) -> None:
    """Undo the claim, unless a worker has begun the run after all."""
    rows = Job.objects.filter(pk=job.pk, task_id=following.task_id, rank=STARTING)
    before = ("task_id", "rank", "cancel_requested", "recipients", "started_at", "alive_at")
    with transaction.atomic(using=dispatch.database()):
        if rows.update(**{name: getattr(job, name) for name in (*before, *RESET_PROGRESS)}):
            JobRun.objects.filter(pk=following.pk).delete()


def record_superseded(task_id: str, changes: Mapping[str, Any]) -> bool:
    """Whether ``task_id`` is a former run of a job; its end is kept with the run."""
    rows = JobRun.objects.here().filter(task_id=task_id)
    if not changes.get("finished_at"):
        return rows.exists()
    end = {name: changes[name] for name in ("state", "error", "finished_at")}
    return bool(rows.update(**end))
