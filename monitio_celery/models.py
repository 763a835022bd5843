"""Groups: how many of their members have ended, and a row for each member that began or ended."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from monitio.models.rows import Index, ScopedQuerySet, scope_field


class GroupMemberQuerySet(ScopedQuerySet["GroupMember"]):
    def of_group(self, group: str) -> Self:
        return self.filter(group=group)

    def of(self, group: str, numbers: Iterable[int]) -> Self:
        return self.filter(group=group, number__in=list(numbers))

    def open(self) -> Self:
        """Members whose end is not known; one that is marked as lost may still report it."""
        return self.filter(Q(ended=False) | Q(lost=True))

    def silent_since(self, moment: datetime) -> Self:
        """Running members without a heartbeat since then."""
        return self.here().filter(ended=False, alive_at__lt=moment)

    def stamp_alive(self, task_ids: Iterable[str], now: datetime) -> int:
        """Record a heartbeat of many running members in one query; the number of rows."""
        rows = self.here().filter(task_id__in=list(task_ids), ended=False)
        return rows.update(alive_at=now)


class Group(models.Model):
    """A count that each member raises by one: to count the members at each end is quadratic."""

    scope = scope_field()
    group = models.CharField(max_length=64, unique=True)
    ended = models.PositiveIntegerField(default=0)
    created = models.DateTimeField(default=timezone.now, db_index=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"

    def __str__(self) -> str:
        return self.group


class GroupMember(models.Model):
    """A member of a ``notify_group`` that began or ended. Unique, so a repeated run counts once."""

    scope = scope_field()
    group = models.CharField(_("group"), max_length=64)
    number = models.PositiveIntegerField(_("number"))
    # Empty for a member that never ran.
    task_id = models.CharField(_("task id"), max_length=190, blank=True, default="")
    ended = models.BooleanField(_("ended"), default=True)
    failed = models.BooleanField(_("failed"), default=False)
    # No heartbeat: it counts as failed until another end is reported.
    lost = models.BooleanField(_("lost"), default=False)
    # The completed fraction, 0 to 1, while it runs.
    fraction = models.FloatField(_("done"), default=0.0)
    # None while no heartbeat is expected.
    alive_at = models.DateTimeField(_("last heartbeat"), null=True, blank=True)
    # Its task header, so that the sweep can build its reporter.
    header = models.JSONField(null=True, blank=True, editable=False)
    created = models.DateTimeField(_("created"), default=timezone.now)

    objects = GroupMemberQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("group member")
        verbose_name_plural = _("group members")
        # Few: each member writes them at its start and again at its end.
        indexes = [
            # Begins like the unique one: a member is found by either without reading others.
            Index(
                name="monitio_celery_part_running",
                fields=["group", "number"],
                partial=Q(ended=False),
                full=["ended", "alive_at"],
            )
        ]
        constraints = [
            models.UniqueConstraint(fields=["group", "number"], name="monitio_celery_part_once")
        ]

    def __str__(self) -> str:
        return f"{self.group} {self.number}"
