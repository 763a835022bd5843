"""QuerySets of messages, jobs, digests and deliveries."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.db import models, router
from django.db.models import F, Q
from django.utils import timezone
from django.utils.safestring import SafeString

from monitio import scope as scopes
from monitio.conf import settings
from monitio.constants import PERSISTENT_LEVELS, State, levels_named
from monitio.models.texts import FOR_READERS
from monitio.utils.text import clean_text

if TYPE_CHECKING:
    from monitio.models import Delivery, Digest, Job, Message  # noqa: F401 - named in quotes below
    from monitio.recipients import Recipient


M = TypeVar("M", bound=models.Model)


class PrimaryQuerySet(models.QuerySet[M]):
    """Reads from the database it writes to, whatever ``DATABASE_ROUTERS`` returns for reads.

    Nearly every read precedes a write or decides what an open page drops, and replicas lag.
    ``using()`` still selects another database.
    """

    @property
    def db(self) -> str:
        return self._db or router.db_for_write(self.model, **self._hints)  # type: ignore[attr-defined]


class ScopedQuerySet(PrimaryQuerySet[M]):
    def here(self) -> Self:
        """Those of the current scope."""
        return self.filter(scope=scopes.current())


class MessageQuerySet(ScopedQuerySet["Message"]):
    def bulk_create(self, objs: Iterable[Message], *args: Any, **kwargs: Any) -> list[Message]:
        messages = list(objs)
        for message in messages:
            message.prepare()
        return super().bulk_create(messages, *args, **kwargs)

    def update(self, **kwargs: Any) -> int:
        """Texts are cleaned; a new message is safe only if it is a SafeString."""
        for name in FOR_READERS & kwargs.keys():
            if isinstance(kwargs[name], str):
                kwargs[name] = clean_text(kwargs[name])
        if "message" in kwargs:
            kwargs.setdefault("safe", isinstance(kwargs["message"], SafeString))
        return super().update(**kwargs)

    def of(self, recipient: Recipient) -> Self:
        """Everything of one recipient, whatever its state."""
        return self.filter(recipient_key=recipient.key)

    def visible(self, now: datetime | None = None) -> Self:
        """Neither expired nor hidden until its e-mail is out."""
        now = now or timezone.now()
        return self.filter(Q(expires=None) | Q(expires__gt=now), hidden=False)

    def persistent(self) -> Self:
        return self.filter(level__in=PERSISTENT_LEVELS)

    def nonpersistent(self) -> Self:
        return self.exclude(level__in=PERSISTENT_LEVELS)

    def unread(self) -> Self:
        # "read IN (0)" instead of "NOT read", for which SQLite would use no index.
        return self.filter(read__in=[False])

    def named(self, level: str) -> Self:
        """Those whose level reads as this name, for example ``error``."""
        ordinary, kept = levels_named(level)
        return self.filter(
            Q(level__gte=ordinary.start, level__lt=ordinary.stop)
            | Q(level__gte=kept.start, level__lt=kept.stop)
        )

    def saying(self, text: str) -> Self:
        """Those with this text in subject or message, in capitals or not."""
        return self.filter(Q(subject__icontains=text) | Q(message__icontains=text))

    def unclaimed(self, now: datetime | None = None) -> Self:
        """Not being shown by another request right now.

        A claim that is older than ``MONITIO_CLAIM_TIMEOUT`` seconds has expired: its request
        crashed, and the message is shown again.
        """
        return self.filter(_unclaimed(now))

    def for_inbox(self) -> Self:
        """For lists and streams: persistent messages, and short-lived ones that are live.

        A Django-level message of the user's own request is shown on their next page alone.
        """
        return self.visible().filter(Q(level__in=PERSISTENT_LEVELS) | Q(live=True) & _unclaimed())

    def running(self) -> Self:
        """Messages of jobs that have not ended."""
        return self.filter(job__isnull=False).exclude(job__state__in=State.ENDED)

    def newest_first(self) -> Self:
        return self.order_by("-id")

    def touch(self, **changes: Any) -> int:
        """Update and raise the version, so that every open page takes the change."""
        return self.update(version=F("version") + 1, modified=timezone.now(), **changes)

    def with_pending_delivery(self) -> Self:
        return self.filter(_pending_delivery())

    def without_pending_delivery(self) -> Self:
        return self.exclude(_pending_delivery())

    def read_until(self, moment: datetime | None) -> Self:
        """Read and unchanged since ``moment`` (None: none); not those of running jobs."""
        if moment is None:
            return self.none()
        rows = self.filter(read=True, modified__lt=moment, hidden=False)
        return rows.filter(Q(job=None) | Q(job__state__in=State.ENDED))


def _pending_delivery() -> models.Exists:
    """An e-mail that is sent even if the message was read or deleted."""
    from monitio.models import Delivery

    rows = Delivery.objects.unfinished().filter(message=models.OuterRef("pk"), unless="")
    return models.Exists(rows)


def _unclaimed(now: datetime | None = None) -> Q:
    stale = (now or timezone.now()) - timedelta(seconds=settings.CLAIM_TIMEOUT)
    return Q(claim="") | Q(claimed_at__lt=stale)


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


class DigestQuerySet(ScopedQuerySet["Digest"]):
    def unfinished(self) -> Self:
        return self.filter(state__in=("pending", "claimed"))


class DeliveryQuerySet(ScopedQuerySet["Delivery"]):
    def unfinished(self) -> Self:
        return self.filter(state__in=("pending", "claimed"))

    def due(self, now: datetime | None = None) -> Self:
        """Those that are due, and those whose claim has expired."""
        return self.unfinished().filter(due_at__lte=now or timezone.now())
