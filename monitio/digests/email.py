"""Compose a digest: failures, warnings, messages from people, then by category; newest first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from functools import partial
from typing import Any, TypedDict
from unicodedata import is_normalized

from django.core.mail import EmailMultiAlternatives
from django.db.models import Count
from django.template.defaultfilters import truncatechars
from django.utils import timezone
from django.utils.formats import time_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy, pgettext_lazy

from monitio import links
from monitio.channels.email import addresses
from monitio.channels.email.compose import EmailContent, compose
from monitio.channels.templates import render_for
from monitio.conf import settings
from monitio.digests.selection import FEW
from monitio.models import Message, Preferences
from monitio.models.categories import Category, categories
from monitio.models.messages import MessageQuerySet, named
from monitio.models.preferences import WEEKDAYS
from monitio.models.schedule import Frequency, aware, now
from monitio.preferences.choices import unsubscribe_url
from monitio.utils import dates

# An e-mail of so many entries has less than 30 KB; above 102 KB mail programs cut it off.
MOST = 12
# A group of a digest: its rank, and the name of a category.
Section = tuple[int, str]
FAILURES, WARNINGS, PEOPLE, REST = (0, ""), (1, ""), (2, ""), 3
HEADLINES: Mapping[str, Any] = {
    Frequency.WEEKLY: ngettext_lazy(
        "Your week: %(count)d notification", "Your week: %(count)d notifications", "count"
    ),
    Frequency.DAILY: ngettext_lazy(
        "Your day: %(count)d notification", "Your day: %(count)d notifications", "count"
    ),
    Frequency.HOURLY: ngettext_lazy(
        "The last hour: %(count)d notification", "The last hour: %(count)d notifications", "count"
    ),
}
REASONS: Mapping[str, Any] = {
    Frequency.WEEKLY: gettext_lazy("You get this every %(day)s at %(time)s: a weekly digest."),
    Frequency.DAILY: gettext_lazy("You get this every day at %(time)s: a daily digest."),
    Frequency.HOURLY: gettext_lazy("You get this every hour: an hourly digest."),
}
SIGNS = {"success": "✓", "warning": "▲", "error": "!"}


@dataclass(frozen=True)
class Group:
    """The newest messages of one category, and the number of the others."""

    category: Category
    messages: list[Message]
    more: int


class Entry(TypedDict):
    """What subject, text and HTML show of a message, made once for all of them.

    A dictionary: templates find its keys in half the time of attributes.
    """

    message: Message
    url: str
    # The subject, else the text.
    name: str
    # What is below the name, where that is the subject.
    text: str
    sender: str
    level: str
    # The colours and the letter of the tile, which a sender has initials for.
    colors: str
    sign: str
    label: str
    when: str


class ShownGroup(TypedDict):
    category: Category
    entries: list[Entry]
    more: int


def compose_digest(
    row: Preferences,
    messages: Callable[[], MessageQuerySet],
    batch: str,
    newest: list[Message] | None = None,
) -> EmailMultiAlternatives | None:
    """The digest of these messages; None when there are none.

    ``newest`` are the newest ``FEW + 1``, where they were read already. Then the queryset is
    needed for users with more messages alone: making it takes longer than an entry.
    Raises ``PermanentFailure`` when the user cannot be e-mailed.
    """
    groups = _groups(messages, newest)
    if not groups:
        return None
    count = sum(len(group.messages) + group.more for group in groups)
    first = groups[0]
    worst = first.messages[0].level_name
    worst_count = len(first.messages) + first.more
    failures = worst_count if worst == "error" else 0
    context = {
        "groups": partial(_shown, groups),
        "count": count,
        "failures": failures,
        "warnings": worst_count if worst == "warning" else 0,
        "user": row.user,
        "headline": partial(_headline, row, count),
        "lead": partial(_lead, failures),
        "reason": partial(_reason, row),
    }
    # The language they chose, else that of their newest message, else the site's.
    shown = [message for group in groups for message in group.messages]
    newest_first = sorted(shown, key=lambda message: message.pk, reverse=True)
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


def _headline(row: Preferences, count: int) -> str:
    return str(HEADLINES[row.schedule.frequency] % {"count": count})


def _lead(failures: int) -> str:
    if not failures:
        return ""
    text = ngettext("%(count)d needs you.", "%(count)d need you.", failures)
    return text % {"count": failures}


def _reason(row: Preferences) -> str:
    """Why the user gets digests, and when."""
    hour = time_format(time(row.hour), "H:i")
    day = dict(WEEKDAYS)[row.weekday]
    return str(REASONS[row.schedule.frequency] % {"day": day, "time": hour})


def _groups(messages: Callable[[], MessageQuerySet], newest: list[Message] | None) -> list[Group]:
    """Failures, warnings, messages from people; the others by category in the site's order."""
    if newest is None:
        newest = _newest(messages(), FEW + 1)
    if len(newest) <= FEW:
        found: dict[Section, list[Message]] = {}
        for message in newest:
            section: Section = (REST, message.category)
            if message.level_name == "error":
                section = FAILURES
            elif message.level_name == "warning":
                section = WARNINGS
            elif message.from_user_id is not None:
                section = PEOPLE
            found.setdefault(section, []).append(message)
        counts = {section: len(rows) for section, rows in found.items()}
    else:
        # Memory stays bounded for any number of unread messages.
        everything = messages()
        calm = everything.exclude(named("error") | named("warning"))
        rest = calm.filter(from_user=None)
        rows_of = {
            FAILURES: everything.named("error"),
            WARNINGS: everything.named("warning"),
            PEOPLE: calm.exclude(from_user=None),
        }
        counts = {section: rows.count() for section, rows in rows_of.items()}
        for name, count in rest.order_by().values_list("category").annotate(Count("pk")):
            rows_of[REST, name], counts[REST, name] = rest.filter(category=name), count
        size = settings.DIGEST_SIZE
        found = {section: _newest(rows, size) for section, rows in rows_of.items()}
    special = {
        FAILURES: gettext_lazy("Needs you"),
        WARNINGS: gettext_lazy("Warnings"),
        PEOPLE: pgettext_lazy("people", "Messages"),
    }
    shown = {section: Category(name="", title=title) for section, title in special.items()}
    shown |= {(REST, kind.name): kind for kind in categories(name for _rank, name in found)}
    room, groups = MOST, []
    for section, kind in shown.items():
        if count := counts.get(section, 0):
            rows = found[section][: min(settings.DIGEST_SIZE, room)]
            room -= len(rows)
            groups.append(Group(kind, rows, max(0, count - len(rows))))
    return groups


def _shown(groups: Sequence[Group]) -> list[ShownGroup]:
    """What the templates show of the groups, in the active language and time zone."""
    moment, usual = timezone.localtime(now()), _("Open")
    colors: dict[str, str] = {}
    shown = []
    for group in groups:
        entries: list[Entry] = []
        for message in group.messages:
            subject, text, level = message.subject, message.text, message.level_name
            sender = _cut(message.sender, 50)
            kind = "face" if sender else level
            if kind not in colors:
                colors[kind] = render_for("", "monitio/email/level.html", {"level": kind})
            entries.append(
                {
                    "message": message,
                    "url": links.absolute(message.url),
                    "name": _cut(subject, 100) or _cut(text, 70),
                    "text": _cut(text, 160) if subject else "",
                    "sender": sender,
                    "level": level,
                    "colors": colors[kind],
                    "sign": SIGNS.get(level, "i"),
                    "label": message.url_label or usual,
                    "when": dates.stamp(timezone.localtime(aware(message.created)), moment),
                }
            )
        shown.append(ShownGroup(category=group.category, entries=entries, more=group.more))
    return shown


def _cut(text: str, length: int) -> str:
    # truncatechars normalises, and then looks at each character.
    is_short = len(text) <= length and is_normalized("NFC", text)
    return text if is_short else truncatechars(text, length)


def _newest(messages: MessageQuerySet, count: int) -> list[Message]:
    return list(messages.select_related("from_user").newest_first()[:count])
