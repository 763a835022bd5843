"""What became of the parts of a group: one row for each part that ended."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class GroupPartQuerySet(models.QuerySet["GroupPart"]):
    def counts(self, group: str) -> tuple[int, int]:
        """How many parts ended, and how many of them without success."""
        counted = self.filter(group=group).aggregate(
            ended=models.Count("pk"), failed=models.Count("pk", filter=models.Q(failed=True))
        )
        return counted["ended"], counted["failed"]


class GroupPart(models.Model):
    """One part of a ``notify_group`` that ended. A part is counted once, whatever is repeated."""

    group = models.CharField(_("group"), max_length=64)
    number = models.PositiveIntegerField(_("number"))
    failed = models.BooleanField(_("failed"), default=False)
    created = models.DateTimeField(_("created"), default=timezone.now, db_index=True)

    objects = GroupPartQuerySet.as_manager()

    class Meta:
        verbose_name = _("part of a group")
        verbose_name_plural = _("parts of groups")
        constraints = [
            models.UniqueConstraint(fields=["group", "number"], name="monitio_celery_part_once")
        ]

    def __str__(self) -> str:
        return f"{self.group} {self.number}"
