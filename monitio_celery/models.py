"""What becomes of the parts of a group: one row for each part that began or ended."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from monitio.models.querysets import ScopedQuerySet
from monitio.models.rows import scope_field


class GroupMemberQuerySet(ScopedQuerySet["GroupMember"]):
    def counts(self, group: str) -> tuple[int, int, float]:
        """How many parts ended, how many of them without success, and what the others have done."""
        counted = self.filter(group=group).aggregate(
            ends=models.Count("pk", filter=models.Q(ended=True)),
            failures=models.Count("pk", filter=models.Q(ended=True, failed=True)),
            shares=models.Sum("fraction", filter=models.Q(ended=False)),
        )
        return counted["ends"], counted["failures"], counted["shares"] or 0.0

    def of(self, group: str, numbers: Iterable[int]) -> Self:
        return self.filter(group=group, number__in=list(numbers))

    def open(self) -> Self:
        """Those whose end is not known; one that was given up for lost may still tell it."""
        return self.filter(models.Q(ended=False) | models.Q(lost=True))

    def silent_since(self, moment: datetime) -> Self:
        """Running parts without a sign of life since then."""
        return self.here().filter(ended=False, alive_at__lt=moment)

    def stamp_alive(self, task_ids: Iterable[str], now: datetime) -> int:
        """Note a sign of life of many running parts, in one query."""
        rows = self.here().filter(task_id__in=list(task_ids), ended=False)
        return rows.update(alive_at=now)


class GroupMember(models.Model):
    """One part of a ``notify_group`` that began or ended. It is counted once, whatever repeats."""

    scope = scope_field()
    group = models.CharField(_("group"), max_length=64)
    number = models.PositiveIntegerField(_("number"))
    # Empty for a part that never ran.
    task_id = models.CharField(_("task id"), max_length=190, blank=True, default="", db_index=True)
    ended = models.BooleanField(_("ended"), default=True)
    failed = models.BooleanField(_("failed"), default=False)
    # It fell silent and counts as failed, until it tells something else.
    lost = models.BooleanField(_("lost"), default=False)
    # How much of it is done, 0 to 1, while it runs.
    fraction = models.FloatField(_("done"), default=0.0)
    # None while nobody expects one.
    alive_at = models.DateTimeField(_("last sign of life"), null=True, blank=True)
    # Its header, for whoever finds it silent.
    header = models.JSONField(null=True, blank=True, editable=False)
    created = models.DateTimeField(_("created"), default=timezone.now, db_index=True)

    objects = GroupMemberQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("part of a group")
        verbose_name_plural = _("parts of groups")
        indexes = [models.Index(fields=["ended", "alive_at"], name="monitio_celery_part_silent")]
        constraints = [
            models.UniqueConstraint(fields=["group", "number"], name="monitio_celery_part_once")
        ]

    def __str__(self) -> str:
        return f"{self.group} {self.number}"
