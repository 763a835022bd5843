"""The addresses of users on the channels: devices, webhooks, accounts of other services."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any, Self

from django.conf import settings as django_settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from monitio.conf import settings
from monitio.models.rows import ScopedQuerySet, scope_field
from monitio.utils.encryption import decrypt, encrypt, is_encrypted


class SecretJSONField(models.JSONField):
    """JSON that is encrypted at rest by ``MONITIO_ENCRYPTION``; without it, as it is.

    It cannot be searched for. What was stored before the setting is read as it is.
    """

    def deconstruct(self) -> Any:
        name, _path, args, kwargs = super().deconstruct()
        # The column is the same.
        return name, "django.db.models.JSONField", args, kwargs

    def get_prep_value(self, value: Any) -> Any:
        return encrypt(json.dumps(value)) if settings.ENCRYPTION else value

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        found = super().from_db_value(value, expression, connection)
        return json.loads(decrypt(found)) if is_encrypted(found) else found


class DestinationQuerySet(ScopedQuerySet["Destination"]):
    def enabled(self) -> Self:
        return self.filter(disabled_at=None)

    def of(self, user_pks: Iterable[Any], channel: str | None = None) -> Self:
        rows = self.here().filter(user__in=set(user_pks))
        return rows if channel is None else rows.filter(channel=channel)


class Destination(models.Model):
    """One address of a user on a channel.

    ``address`` is JSON in the form that the channel uses. The e-mail channel has a row only for an
    address that cannot be e-mailed.
    """

    user = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        models.CASCADE,
        verbose_name=_("user"),
        related_name="monitio_destinations",
        db_index=False,  # monitio_addresses begins with it
    )
    scope = scope_field()
    channel = models.CharField(_("channel"), max_length=50)
    address = SecretJSONField(_("address"))
    # Derived from scope, channel and address; ``Delivery.target`` holds it.
    key = models.CharField(max_length=32, unique=True, editable=False)
    label = models.CharField(_("name"), max_length=100, blank=True, default="")
    # The only categories that are sent there; empty: all.
    categories = models.JSONField(_("categories"), default=list, blank=True)
    # Deliveries that failed since the last one that was sent.
    failures = models.PositiveIntegerField(_("failures"), default=0)
    disabled_at = models.DateTimeField(_("disabled at"), null=True, blank=True)
    # Why it was disabled; '': by its user.
    reason = models.TextField(_("reason"), blank=True, default="")
    created = models.DateTimeField(_("created"), default=timezone.now)

    objects = DestinationQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("destination")
        verbose_name_plural = _("destinations")
        indexes = [models.Index(fields=["user", "channel"], name="monitio_addresses")]

    def __str__(self) -> str:
        # The address may be a secret.
        return self.label or f"{self.channel} {self.key[:8]}"

    def __repr__(self) -> str:
        return f"<Destination {self.pk} {self.channel}>"

    def takes(self, category: str) -> bool:
        """Whether messages of this category are sent there."""
        return self.disabled_at is None and (not self.categories or category in self.categories)


def destination_key(scope: str, channel: str, address: Any, owner: Any = "") -> str:
    """``owner``: the primary key of the user, where two users may have the same address."""
    text = json.dumps([scope, channel, str(owner), address], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
