"""One e-mail for many messages."""

from __future__ import annotations

from django.conf import settings as django_settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from monitio.models.outgoing import Outgoing, OutgoingQuerySet
from monitio.models.rows import scope_field


class DigestQuerySet(OutgoingQuerySet["Digest"]):
    """The digests of users."""


class Digest(Outgoing):
    """One e-mail that gathers the messages of one user and one period."""

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
