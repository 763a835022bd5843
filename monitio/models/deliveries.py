"""A message on a channel that is not live."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from monitio.models.destinations import Destination
from monitio.models.messages import Message
from monitio.models.outgoing import Outgoing, OutgoingQuerySet
from monitio.models.rows import scope_field


class DeliveryQuerySet(OutgoingQuerySet["Delivery"]):
    def due(self, now: datetime | None = None) -> Self:
        """Those that are due, and those whose claim has expired."""
        return self.unfinished().filter(due_at__lte=now or timezone.now())


class Delivery(Outgoing):
    """One message on one channel that is not live, with what became of it."""

    class Unless(models.TextChoices):
        READ = "read", _("Unless read")
        SEEN = "seen", _("Unless seen")

    message = models.ForeignKey(
        Message,
        models.CASCADE,
        verbose_name=_("message"),
        related_name="deliveries",
        db_index=False,  # monitio_once_per_target begins with it
    )
    # Its message's.
    scope = scope_field()
    channel = models.CharField(_("channel"), max_length=50)
    # The key of a Destination; '': the channel finds the address by the user.
    target = models.CharField(_("target"), max_length=32, blank=True, default="", db_default="")
    # Not sent before. While it is claimed: when its lease expires.
    due_at = models.DateTimeField(_("due"), default=timezone.now)
    unless = models.CharField(
        _("condition"), max_length=10, choices=Unless.choices, blank=True, default=""
    )

    # Of the start of the message's job, which sends its end, too.
    at_start = models.BooleanField(default=False, db_default=False, editable=False)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        indexes = [models.Index(fields=["state", "due_at"], name="monitio_due")]
        constraints = [
            # Whatever happens to a job, its start and its end are sent once to each target.
            models.UniqueConstraint(
                fields=["message", "channel", "target", "at_start"], name="monitio_once_per_target"
            )
        ]

    def __str__(self) -> str:
        return f"{self.channel}: {self.get_state_display()}"

    @cached_property
    def destination(self) -> Destination | None:
        """The address of ``target``; None without a target, or when its user removed it."""
        rows = Destination.objects.filter(key=self.target, user=self.message.user_id)
        return rows.first() if self.target else None
