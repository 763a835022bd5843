"""The languages of recipients: lazy texts are stored in the reader's, not in the sender's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from django.db.models import Max
from django.utils.functional import Promise

from monitio.messages.fields import MessageFields
from monitio.models import Message, Preferences
from monitio.recipients import Recipient


def has_lazy_text(message: object, fields: MessageFields) -> bool:
    texts = (message, fields.get("subject"), fields.get("url_label"))
    return any(isinstance(text, Promise) for text in texts)


def with_languages(recipients: Sequence[Recipient]) -> list[Recipient]:
    """The recipients, each with their language, '' where it is unknown.

    In order of precedence: that of their preferences, the recipient's own, that of their last
    request to monitio, that of their newest message which has one: they used the site in it.
    """
    pks = [recipient.user_id for recipient in recipients if not recipient.is_visitor]
    rows = Preferences.objects.here().filter(user__in=pks)
    stored = {pk: both for pk, *both in rows.values_list("user", "language", "last_language")}
    found = []
    for who in recipients:
        chosen, of_last_request = stored.get(who.user_id, ("", ""))
        found.append(replace(who, language=chosen or who.language or of_last_request))
    unknown = [who.key for who in found if not who.language]
    used: dict[str, str] = {}
    if unknown:
        theirs = Message.objects.filter(recipient_key__in=unknown).exclude(language="").order_by()
        newest = theirs.values("recipient_key").annotate(newest=Max("pk")).values("newest")
        last = Message.objects.filter(pk__in=[row["newest"] for row in newest]).order_by()
        used = dict(last.values_list("recipient_key", "language"))
    return [replace(who, language=who.language or used.get(who.key, "")) for who in found]


def by_language(recipients: Iterable[Recipient]) -> dict[str, list[int]]:
    """The positions of the recipients of each language."""
    found: dict[str, list[int]] = {}
    for position, recipient in enumerate(recipients):
        found.setdefault(recipient.language, []).append(position)
    return found
