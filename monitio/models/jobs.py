"""The state of a background task."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from monitio.constants import State
from monitio.models.rows import KEY_LENGTH, FromDatabase, Index, ScopedQuerySet, scope_field
from monitio.models.schedule import as_stored
from monitio.utils.text import LARGEST_NUMBER

STATES = (
    (State.QUEUED, _("Waiting")),
    (State.STARTED, _("Started")),
    (State.RETRYING, _("Trying again")),
    (State.SUCCEEDED, _("Succeeded")),
    (State.FAILED, _("Failed")),
    (State.REVOKED, _("Cancelled")),
    (State.LOST, _("Interrupted")),
)


class JobQuerySet(ScopedQuerySet["Job"]):
    def of_task(self, task_id: str) -> Self:
        """The job of a task: two scopes may use the same id."""
        return self.here().filter(task_id=task_id)

    def ended(self) -> Self:
        return self.filter(state__in=State.ENDED)

    def cancellable(self) -> Self:
        """Those that users may cancel and have not cancelled yet."""
        return self.filter(cancellable=True, cancel_requested=False).exclude(state__in=State.ENDED)

    def silent_since(self, moment: datetime) -> Self:
        """Started jobs without a heartbeat since then."""
        return self.filter(state=State.STARTED, alive_at__lt=moment)

    def waiting_since(self, moment: datetime) -> Self:
        """Older jobs that wait for a worker to start or retry them; the newest first."""
        rows = self.filter(state__in=(State.QUEUED, State.RETRYING), created__lt=moment)
        return rows.order_by("-created")

    def overdue_since(self, moment: datetime) -> Self:
        """Jobs that a worker should have started or retried before then."""
        # Without an order: it could make a database scan all jobs that have ended.
        rows = self.filter(state__in=(State.QUEUED, State.RETRYING)).order_by()
        return rows.filter(Q(due_at__lt=moment) | Q(due_at=None, created__lt=moment))

    def stamp_alive(self, task_ids: Iterable[str], now: datetime | None = None) -> int:
        """Record a heartbeat of many running jobs in one query."""
        rows = self.here().filter(task_id__in=list(task_ids), state=State.STARTED)
        return rows.update(alive_at=now or timezone.now())


def queued_at(created: datetime, run: int) -> datetime:
    """``Job.queued_at`` of these columns."""
    return as_stored(datetime.fromtimestamp(run / 1000, UTC)) if run else created


class Job(FromDatabase):
    """One background task, whatever the queue. This row is the source of truth."""

    scope = scope_field()
    task_id = models.CharField(_("task id"), max_length=KEY_LENGTH)
    integration = models.CharField(_("integration"), max_length=50, blank=True, default="")
    # Where it was sent, as far as its integration names queues.
    queue = models.CharField(_("queue"), max_length=100, blank=True, default="", db_default="")
    name = models.CharField(_("name"), max_length=255, blank=True, default="")
    state = models.CharField(_("state"), max_length=20, choices=STATES, default=State.QUEUED)
    attempt = models.PositiveIntegerField(_("attempt"), default=0)
    # Orders events that arrive late, twice or shuffled: a transition must raise it
    # (monitio.jobs.states).
    rank = models.BigIntegerField(default=-1, editable=False)
    completed = models.FloatField(_("done"), null=True, blank=True)
    total = models.FloatField(_("total"), null=True, blank=True)
    # Recent steps per second; None while unknown.
    rate = models.FloatField(_("steps per second"), null=True, blank=True)
    status_text = models.CharField(_("text"), max_length=255, blank=True, default="")
    seq = models.BigIntegerField(default=0, editable=False)
    error = models.TextField(_("error"), blank=True, default="")
    # The recipients, as Recipient.to_dict().
    recipients = models.JSONField(_("recipients"), default=list, blank=True)
    # The arguments that the task's author listed, for the sweep, which has no task call.
    arguments = models.JSONField(_("arguments"), null=True, blank=True, editable=False)
    # What messages show of its files: id, name, size in bytes, expires in seconds since 1970.
    # Repeats JobFile, so that the live path needs no query; None: it has none.
    files = models.JSONField(null=True, blank=True, editable=False)
    cancellable = models.BooleanField(_("cancellable by recipients"), default=False)
    cancel_requested = models.BooleanField(_("cancellation requested"), default=False)
    # Whether its runs are stored (JobRun), so that it can be tried again.
    retryable = models.BooleanField(_("can be tried again"), default=False, db_default=False)
    created = models.DateTimeField(_("created"), default=timezone.now)
    # When a worker should start or retry it: at its ETA, before it expires.
    due_at = models.DateTimeField(null=True, blank=True, editable=False)
    # When it was queued, in milliseconds since 1970; 0 where that is unknown.
    run = models.BigIntegerField(default=0, db_default=0, editable=False)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    alive_at = models.DateTimeField(_("last heartbeat"), null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        permissions = [
            ("cancel_job", "Can cancel jobs"),
            ("retry_job", "Can try jobs again"),
        ]
        indexes = [
            # Without alive_at: PostgreSQL then rewrites a job in place at each heartbeat and bar.
            models.Index(fields=["state"], name="monitio_job_state"),
            # For the board of the admin.
            Index(
                fields=["finished_at"],
                name="monitio_job_ended",
                partial=Q(finished_at__isnull=False),
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["task_id", "scope"], name="monitio_one_per_task")
        ]

    def __str__(self) -> str:
        return f"{self.name or self.task_id}: {self.get_state_display()}"

    @property
    def queued_at(self) -> datetime:
        """When its newest run was queued, as far as its queue says so."""
        return queued_at(self.created, self.run)

    @property
    def percent(self) -> float | None:
        """0 to 100, or None while the total is unknown."""
        if self.completed is None or not self.total:
            return None
        return max(0.0, min(100.0, round(100 * self.completed / self.total, 1)))

    @property
    def pace(self) -> float | None:
        """Steps per second while it runs; None if unknown."""
        return self.rate if self.state == State.STARTED else None

    @property
    def eta(self) -> int | None:
        """Seconds until its bar is full, while it runs; None if unknown."""
        if (
            not self.pace
            or not self.total
            or self.completed is None
            or self.completed >= self.total
        ):
            return None
        seconds = (self.total - self.completed) / self.pace
        return math.ceil(seconds) if seconds < LARGEST_NUMBER else None

    @property
    def attached(self) -> list[dict[str, Any]]:
        """What messages show of its files: ``id``, ``name``, ``size``; whether ``gone``."""
        now, shown = time.time(), ("id", "name", "size")
        return [
            {**{name: file[name] for name in shown}, "gone": file["expires"] <= now}
            for file in self.files or ()
        ]

    @property
    def may_be_cancelled(self) -> bool:
        """Whether its recipients may cancel it now."""
        return self.cancellable and not self.cancel_requested and not self.has_ended

    @property
    def may_be_retried(self) -> bool:
        """Whether its recipients may try it again now."""
        return self.retryable and self.state in (State.FAILED, State.REVOKED, State.LOST)

    @property
    def has_ended(self) -> bool:
        return self.state in State.ENDED
