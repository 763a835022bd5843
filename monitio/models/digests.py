"""One e-mail for many messages."""

from __future__ import annotations

from typing import Self

from django.conf import settings as django_settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from monitio.models.deliveries import Delivery
from monitio.models.rows import ScopedQuerySet, scope_field


class DigestQuerySet(ScopedQuerySet["Digest"]):
    def unfinished(self) -> Self:
        return self.filter(state__in=("pending", "claimed"))


class Digest(models.Model):
    """One e-mail that gathers the messages of one user and one period."""

    State = Delivery.State

    user = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        models.CASCADE,
        verbose_name=_("user"),
        related_name="monitio_digests",
        db_index=False,  # monitio_one_digest begins with it
    )
    scope = scope_field()
    # The local day or week, or the hour in UTC.
    period = models.CharField(_("period"), max_length=40)
    # What its messages carry; its Message-ID derives from it, so that every try has the same.
    batch = models.CharField(max_length=32, unique=True, editable=False)
    state = models.CharField(
        _("state"), max_length=10, choices=Delivery.State.choices, default=Delivery.State.PENDING
    )
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    error = models.TextField(_("reason"), blank=True, default="")
    created = models.DateTimeField(_("created"), default=timezone.now)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)

    objects = DigestQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("digest")
        verbose_name_plural = _("digests")
        constraints = [
            models.UniqueConstraint(fields=["user", "period", "scope"], name="monitio_one_digest")
        ]

    def __str__(self) -> str:
        return f"{self.period}: {self.get_state_display()}"
