"""The destinations of users: add, remove, switch, and disable those that are gone."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from django.db import router, transaction
from django.db.models import F, Prefetch
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from monitio import scope as scopes
from monitio.channels import get_channel
from monitio.channels.attempts import Result, State
from monitio.conf import settings
from monitio.constants import EMAIL
from monitio.models import Delivery, Destination
from monitio.models.destinations import destination_key
from monitio.recipients import Recipient
from monitio.utils.encryption import is_encrypted
from monitio.utils.text import at_most, clean_text

logger = logging.getLogger("monitio")

# A target is disabled after so many deliveries that failed in a row, each after all its retries.
MOST_FAILURES = 5
# Each gets every message: a user cannot make the site send without limit.
MOST = 50
DISABLED = "monitio_disabled_addresses"


@sensitive_variables()
def add(
    user: Any, channel: str, address: Any, *, label: str = "", categories: Iterable[str] = ()
) -> Destination:
    """Save an address (JSON, as the channel uses it) of a user; a known one is enabled again.

    ``categories`` are the only ones that are sent there; none: all. Where a channel's addresses are
    exclusive (``Channel.is_exclusive``), it moves to this user. Raises ``UnknownRecipient`` for an
    anonymous visitor, ``ImproperlyConfigured`` for an unknown channel, and ``ValueError`` for an
    address that the channel refuses.
    """
    if is_encrypted(address):
        # It could not be read again, and with it no destination of that query.
        raise ValueError("An address may not begin like an encrypted one.")
    recipient = Recipient.for_user(user)
    kind = get_channel(channel)
    owner = "" if kind.is_exclusive else recipient.user_id
    values = {
        "user_id": recipient.user_id,
        "scope": recipient.scope,
        "channel": channel,
        "address": address,
        "label": at_most("label", clean_text(label), 100),
        "categories": sorted(set(categories)),
        "failures": 0,
        "disabled_at": None,
        "reason": "",
    }
    key = destination_key(recipient.scope, channel, kind.identify(address), owner)
    with transaction.atomic(using=router.db_for_write(Destination)):
        return Destination.objects.update_or_create(values, key=key)[0]


def of_user(user: Any) -> list[Destination]:
    """A user's destinations, the oldest first."""
    return list(Destination.objects.of([Recipient.for_user(user).user_id]).order_by("pk"))


def remove(user: Any, pk: int) -> bool:
    """Delete one of a user's own destinations; False when there is none."""
    return bool(_own(user, pk).delete()[0])


def switch(user: Any, pk: int, *, on: bool) -> bool:
    """Turn one of a user's own destinations on or off; False when there is none."""
    values = {"disabled_at": None if on else timezone.now(), "reason": "", "failures": 0}
    return bool(_own(user, pk).update(**values))


def enabled_by_user(user_pks: Iterable[Any], channel: str) -> dict[Any, list[Destination]]:
    found: dict[Any, list[Destination]] = {}
    for row in Destination.objects.of(user_pks, channel).enabled().order_by("pk"):
        found.setdefault(row.user_id, []).append(row)
    return found


def server(row: Destination) -> str:
    """The server of a destination, or the address of an e-mail; '' where it is not known."""
    if row.channel == EMAIL:
        return str(row.address["email"])
    return get_channel(row.channel).server(row.address) if row.channel in settings.CHANNELS else ""


def servers(keys: Iterable[str]) -> dict[str, tuple[str, str]]:
    """By key, channel and server of the destinations that exist; empty when one cannot be read."""
    rows = Destination.objects.filter(key__in=set(keys), channel__in=settings.CHANNELS)
    try:
        return {
            row.key: (row.channel, get_channel(row.channel).server(row.address) or row.key)
            for row in rows
        }
    except Exception:
        # Its own delivery fails; the others are sent.
        logger.exception("The servers of destinations are unknown.")
        return {}


def record(delivery: Delivery, result: Result) -> None:
    """Count the failures of a delivery's target; disable one that is gone or fails always."""
    rows = Destination.objects.filter(key=delivery.target)
    if not delivery.target or result.state not in (State.SENT, State.FAILED):
        return
    if result.state == State.SENT:
        rows.filter(failures__gt=0).update(failures=0)
        return
    if result.is_gone and get_channel(delivery.channel).removes_gone:
        rows.delete()
        return
    rows.update(failures=F("failures") + 1)
    failing = rows if result.is_gone else rows.filter(failures__gte=MOST_FAILURES)
    failing.enabled().update(disabled_at=timezone.now(), reason=clean_text(result.reason))


def disable_email(users: Iterable[Any], address: str, reason: str) -> None:
    """Send no more e-mails to this address of these users, until they have another one."""
    now = timezone.now()
    for user in users:
        values = {
            "user": user,
            "scope": scopes.current(),
            "channel": EMAIL,
            "address": {"email": address},
            "label": at_most("label", clean_text(address)[:100], 100),
            "disabled_at": now,
            "reason": clean_text(reason),
        }
        Destination.objects.update_or_create(values, key=email_key(user.pk, address))


def disabled_addresses() -> Prefetch[Any]:
    """For a query of many users' preferences, so that ``why_no_email`` makes none for each."""
    rows = Destination.objects.filter(channel=EMAIL).exclude(disabled_at=None)
    return Prefetch("user__monitio_destinations", rows, to_attr=DISABLED)


def why_no_email(user: Any, address: str) -> str:
    """Why this address of a user cannot be e-mailed; '' when it can."""
    rows = getattr(user, DISABLED, None)
    if rows is None:
        rows = Destination.objects.of([user.pk], EMAIL).exclude(disabled_at=None)
    key = email_key(user.pk, address)
    return next((row.reason for row in rows if row.key == key), "")


def email_key(user_pk: Any, address: str) -> str:
    # Host names do not depend on case, and mailboxes hardly ever do.
    return destination_key(scopes.current(), EMAIL, {"email": address.lower()}, user_pk)


def _own(user: Any, pk: int) -> Any:
    return Destination.objects.of([Recipient.for_user(user).user_id]).filter(pk=pk)
