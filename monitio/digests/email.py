"""Compose a digest: its messages by category, the newest first."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.mail import EmailMultiAlternatives
from django.db.models import Count

from monitio import links
from monitio.channels.email import addresses
from monitio.channels.email.compose import EmailContent, compose
from monitio.conf import settings
from monitio.models import Message, Preferences
from monitio.models.categories import Category, categories
from monitio.models.messages import MessageQuerySet
from monitio.preferences.choices import unsubscribe_url

# Up to so many unread messages are loaded in one query.
FEW = 50


@dataclass(frozen=True)
class Entry:
    """A message, and its absolute URL."""

    message: Message
    url: str


@dataclass(frozen=True)
class Group:
    """The newest messages of one category, and the number of the others."""

    category: Category
    entries: list[Entry]
    more: int


def compose_digest(
    row: Preferences, messages: MessageQuerySet, batch: str
) -> EmailMultiAlternatives | None:
    """The digest of these messages; None when there are none.

    Raises ``PermanentFailure`` when the user cannot be e-mailed.
    """
    groups = _groups(messages)
    if not groups:
        return None
    context = {
        "groups": groups,
        "count": sum(len(group.entries) + group.more for group in groups),
        "user": row.user,
    }
    # The language they chose, else that of their newest message, else the site's.
    entries = [entry.message for group in groups for entry in group.entries]
    newest_first = sorted(entries, key=lambda message: message.pk, reverse=True)
    read_in = next((message.language for message in newest_first if message.language), "")
    language = addresses.language_of(row, read_in)
    return compose(
        EmailContent(
            template="monitio/email/digest",
            to=addresses.email_address(row.user),
            language=language,
            time_zone=row.zone,
            message_key=f"digest-{batch}",
            context=context,
            unsubscribe_url=unsubscribe_url(row.user_id, None, language) or "",
        )
    )


def _groups(messages: MessageQuerySet) -> list[Group]:
    """By category, in the site's order."""
    newest = _newest(messages, FEW + 1)
    if len(newest) <= FEW:
        found: dict[str, list[Message]] = {}
        for message in newest:
            found.setdefault(message.category, []).append(message)
        counts = {name: len(rows) for name, rows in found.items()}
    else:
        # Memory stays bounded for any number of unread messages.
        counts = dict(messages.order_by().values_list("category").annotate(Count("pk")))
        size = settings.DIGEST_SIZE
        found = {name: _newest(messages.filter(category=name), size) for name in counts}
    groups = []
    for category in categories(found):
        if rows := found.get(category.name, [])[: settings.DIGEST_SIZE]:
            entries = [Entry(row, links.absolute(row.url)) for row in rows]
            more = max(0, counts[category.name] - len(entries))
            groups.append(Group(category, entries, more))
    return groups


def _newest(messages: MessageQuerySet, count: int) -> list[Message]:
    return list(messages.select_related("from_user").newest_first()[:count])
