"""Bounces and complaints that django-anymail reports by its signal ``tracking``."""

from __future__ import annotations

from functools import partial
from typing import Any

from anymail.signals import EventType, RejectReason, tracking
from django.contrib.auth import get_user_model

from monitio import scope
from monitio.channels import destinations
from monitio.recipients import accounts

# The address may work tomorrow.
TRANSIENT = frozenset({RejectReason.TIMED_OUT, RejectReason.OTHER})


def connect() -> None:
    tracking.connect(disable_address, dispatch_uid="monitio.bounces")


def disable_address(*, event: Any, **kwargs: object) -> None:
    """No more e-mails go to an address that bounced, or whose user reported one as spam."""
    if event.event_type == EventType.COMPLAINED:
        reason = "An e-mail was reported as spam."
    elif event.event_type == EventType.BOUNCED and event.reject_reason not in TRANSIENT:
        details = event.mta_response or event.description
        reason = f"It bounced: {details}" if details else "It bounced."
    else:
        return
    if event.recipient:
        scope.in_each(partial(_disable, event.recipient, reason[:500]))


def _disable(address: str, reason: str) -> None:
    field = get_user_model().get_email_field_name()
    users = accounts().filter(**{f"{field}__iexact": address})
    destinations.disable_email(users, address, reason)
