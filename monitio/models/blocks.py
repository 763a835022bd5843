"""Whose replies a user does not want."""

from __future__ import annotations

from typing import Any, Self

from django.conf import settings as django_settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from monitio.models.rows import ScopedQuerySet, scope_field


class BlockedSenderQuerySet(ScopedQuerySet["BlockedSender"]):
    def between(self, user_pk: Any, sender_pk: Any) -> Self:
        return self.here().filter(user=user_pk, sender=sender_pk)


class BlockedSender(models.Model):
    """Replies of ``sender`` to ``user`` are not stored; ``sender`` is not notified of that."""

    scope = scope_field()
    user = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        models.CASCADE,
        verbose_name=_("user"),
        related_name="monitio_blocked_senders",
        db_index=False,  # monitio_one_block begins with it
    )
    sender = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        models.CASCADE,
        verbose_name=_("blocked sender"),
        related_name="+",
    )
    created = models.DateTimeField(_("created"), default=timezone.now)

    objects = BlockedSenderQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("blocked sender")
        verbose_name_plural = _("blocked senders")
        constraints = [
            models.UniqueConstraint(fields=["user", "sender", "scope"], name="monitio_one_block")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} blocks {self.sender_id}"
