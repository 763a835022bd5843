"""Short-lived rows: repeated failures, log-ins of visitors, last events of topics."""

from __future__ import annotations

from django.conf import settings as django_settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from monitio.models.messages import Message
from monitio.models.rows import KEY_LENGTH, PrimaryQuerySet, ScopedQuerySet, scope_field


class Repeat(models.Model):
    """A failure that users were notified of, and how often (``monitio.jobs.collapse``)."""

    # A hash of the recipient, the task and the rendered text.
    fingerprint = models.CharField(max_length=32, unique=True)
    # A row whose message was deleted is reused, so deleting messages need not touch this table.
    message = models.ForeignKey(
        Message, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    times = models.PositiveIntegerField(default=1)
    created = models.DateTimeField(default=timezone.now)

    objects = PrimaryQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("repeated failure")
        verbose_name_plural = _("repeated failures")

    def __str__(self) -> str:
        return f"{self.fingerprint}: {self.times}"


class VisitorLogin(models.Model):
    """A visitor who has logged in: later messages for the token go to the user."""

    scope = scope_field()
    token = models.CharField(max_length=64)
    user = models.ForeignKey(django_settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    created = models.DateTimeField(default=timezone.now)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("visitor login")
        verbose_name_plural = _("visitor logins")
        constraints = [models.UniqueConstraint(fields=["token", "scope"], name="monitio_one_login")]

    def __str__(self) -> str:
        return f"visitor -> {self.user_id}"


class LastEvent(models.Model):
    """The last event of a topic, which the polling transport compares. Written after commit."""

    topic = models.CharField(max_length=KEY_LENGTH, unique=True)
    # A random number, not a counter: two concurrent publishers always change the stored value.
    nonce = models.BigIntegerField()
    # Without an index: it changes with every event, and only the daily prune filters by it.
    modified = models.DateTimeField(default=timezone.now)

    objects = PrimaryQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("last event")
        verbose_name_plural = _("last events")

    def __str__(self) -> str:
        return f"{self.nonce}"
