"""Bounces and complaints that django-anymail reports by its signal ``tracking``."""

from __future__ import annotations

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
    address = event.recipient
    if address:
        wanted = {f"{get_user_model().get_email_field_name()}__iexact": address}
        scope.in_each(
            lambda: destinations.disable_email(accounts().filter(**wanted), address, reason[:500])
        )
