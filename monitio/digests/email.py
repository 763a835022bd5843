"""What a digest says: its messages by category, the newest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.core.mail import EmailMultiAlternatives
from django.db.models import Count

from monitio import links
from monitio.channels.email import addresses
from monitio.channels.email.compose import EmailContent, compose
from monitio.conf import settings
from monitio.models import Message, Preferences
from monitio.models.categories import Category, categories
from monitio.models.querysets import MessageQuerySet
from monitio.preferences.choices import unsubscribe_url

# So many unread messages are read in one query.
FEW = 50


@dataclass(frozen=True)
class Entry:
    """A message, and its link as it works outside the site."""

    message: Message
    url: str


@dataclass(frozen=True)
class Group:
    """The newest messages of one category, and how many there are beside them."""

    category: Category
    entries: list[Entry]
    more: int


def compose_digest(
    row: Preferences, messages: MessageQuerySet, batch: str
) -> EmailMultiAlternatives | None:
    """The digest of these messages; None when there are none.

    Raises ``PermanentFailure`` when there is nobody to send it to.
    """
    groups = _groups(messages)
    if not groups:
        return None
    context = {
        "groups": groups,
        "count": sum(len(group.entries) + group.more for group in groups),
        "user": row.user,
    }
    language = _language(row, groups)
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
        found = {kind: [row for row in newest if row.category == kind] for kind in _names(newest)}
        counts = {kind: len(rows) for kind, rows in found.items()}
    else:
        # Memory stays bounded, however much somebody leaves unread.
        counts = dict(messages.order_by().values_list("category").annotate(Count("pk")))
        size = settings.DIGEST_SIZE
        found = {kind: _newest(messages.filter(category=kind), size) for kind in counts}
    groups = (
        _group(kind, found[kind.name], counts[kind.name])
        for kind in categories(found)
        if found.get(kind.name)
    )
    return list(groups)


def _names(messages: Iterable[Message]) -> set[str]:
    return {message.category for message in messages}


def _newest(messages: MessageQuerySet, count: int) -> list[Message]:
    return list(messages.select_related("from_user").newest_first()[:count])


def _group(kind: Category, messages: list[Message], count: int) -> Group:
    shown = messages[: settings.DIGEST_SIZE]
    entries = [Entry(message, links.absolute(message.url)) for message in shown]
    return Group(kind, entries, max(0, count - len(entries)))


def _language(row: Preferences, groups: list[Group]) -> str:
    """What they chose in, else what they read the newest message in, else the site's."""
    messages = [entry.message for group in groups for entry in group.entries]
    messages.sort(key=lambda message: message.pk, reverse=True)
    read_in = next((message.language for message in messages if message.language), "")
    return addresses.language_of(row, read_in)
