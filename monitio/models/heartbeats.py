"""When the processes behind the pages last worked."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from monitio.models.rows import KEY_LENGTH, ScopedQuerySet, scope_field
from monitio.models.schedule import aware

# The names of rows: a worker's is WORKER and its node name.
BEAT, WORK, WORKER = "beat", "monitio_work", "worker:"
# When beat started: its first tasks are due an interval later.
BEAT_START = "beat:start"
# Seconds a heartbeat may be late.
GRACE = 60.0


class HeartbeatQuerySet(ScopedQuerySet["Heartbeat"]):
    def stamp(self, name: str, interval: float) -> None:
        """Record in the current scope that this process works; the next one in ``interval`` s."""
        now = timezone.now()
        if not self.here().filter(name=name).update(at=now, interval=interval):
            self.bulk_create(
                [Heartbeat(name=name, at=now, interval=interval)], ignore_conflicts=True
            )

    def of_workers(self) -> list[Heartbeat]:
        """Those of the current scope, the newest first."""
        return list(self.here().filter(name__startswith=WORKER).order_by("-at"))

    def of_periodic_work(self) -> list[Heartbeat]:
        """Those of the current scope, the newest first."""
        return list(self.here().filter(name__in=(BEAT, WORK)).order_by("-at"))


class Heartbeat(models.Model):
    """The last sign of a worker, of beat or of ``monitio_work``. No row: it has never run."""

    scope = scope_field()
    name = models.CharField(_("name"), max_length=KEY_LENGTH)
    at = models.DateTimeField(_("last heartbeat"), default=timezone.now)
    # Seconds until the next.
    interval = models.FloatField(default=0.0, db_default=0.0)

    objects = HeartbeatQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("heartbeat")
        verbose_name_plural = _("heartbeats")
        constraints = [
            models.UniqueConstraint(fields=["name", "scope"], name="monitio_one_heartbeat")
        ]

    def __str__(self) -> str:
        return self.name

    def age(self, now: datetime | None = None) -> float:
        """Seconds since it was written."""
        return (aware(now or timezone.now()) - aware(self.at)).total_seconds()

    def is_late(self, now: datetime | None = None) -> bool:
        """Whether the next one is overdue: one may be missed."""
        return self.age(now) > 2 * self.interval + GRACE
