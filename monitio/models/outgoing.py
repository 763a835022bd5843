"""What deliveries and digests have in common: a state, and attempts to send."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self, TypeVar

from django.db import models
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from monitio.models.rows import ScopedQuerySet
from monitio.utils.text import clean_text

R = TypeVar("R", bound="Outgoing")


class OutgoingQuerySet(ScopedQuerySet[R]):
    def unfinished(self) -> Self:
        return self.filter(state__in=("pending", "claimed"))

    def claim(self, **fields: Any) -> int:
        """Begin an attempt to send these rows; their number."""
        return self.update(state="claimed", attempts=F("attempts") + 1, **fields)

    def settle(self, state: str, error: str, now: datetime, **fields: Any) -> None:
        """Write the result of an attempt."""
        sent_at = now if state == "sent" else None
        self.update(state=state, error=clean_text(error), sent_at=sent_at, **fields)


class Outgoing(models.Model):
    """Something to send: claimed, attempted until it is sent or the retries end, and settled."""

    class State(models.TextChoices):
        PENDING = "pending", _("Pending")
        CLAIMED = "claimed", _("Sending")
        SENT = "sent", _("Sent")
        FAILED = "failed", _("Failed")
        SKIPPED = "skipped", _("Not needed")

    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.PENDING
    )
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    error = models.TextField(_("reason"), blank=True, default="")
    created = models.DateTimeField(_("created"), default=timezone.now)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)

    class Meta:
        abstract = True
