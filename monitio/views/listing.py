"""What surrounds the messages on the list page: navigation, chips of filters, days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from monitio.messages.inbox import Counts
from monitio.models import Message
from monitio.models.categories import categories, category
from monitio.models.reading import MOST_COUNTED
from monitio.models.schedule import aware
from monitio.views.forms import LEVELS, WEEK

# As many colours as the style sheet has.
COLOURS = 6


@dataclass(frozen=True, kw_only=True)
class Link:
    """``href`` is a query; ``mark`` an icon's name, or the class of a dot."""

    label: Any
    href: str
    mark: str = ""
    count: int | str = 0
    is_current: bool = False


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A category on this page: its title, and the class of its dot."""

    title: Any
    mark: str


def kinds(used: Iterable[str]) -> dict[str, Kind]:
    """By name, in the site's order. A category keeps its colour as long as the order stays."""
    found = {}
    for number, entry in enumerate(categories(used)):
        mark = f"c{number % COLOURS}" if entry.name else "none"
        found[entry.name] = Kind(title=entry.title, mark=mark)
    return found


def at_least(count: int, more: bool) -> int | str:
    """The number, with a plus sign where there may be ``more``; 0 stays 0."""
    return f"{count}+" if more and count else count


def views(counts: Counts, chosen: Mapping[str, Any]) -> list[Link]:
    """All, unread, running, needs attention."""
    capped = counts.capped
    found = [
        ("", pgettext("notifications", "All"), "bell", at_least(counts.total, capped)),
        ("unread", _("Unread"), "new", at_least(counts.unread, counts.unread >= MOST_COUNTED)),
        ("running", _("Running"), "clock", at_least(counts.running, capped)),
        ("attention", _("Needs attention"), "warning", at_least(counts.attention, capped)),
    ]
    fixed = {"unread", "running", "attention", "category", "other"}
    return [
        Link(
            label=label,
            href="?" + urlencode({name: 1} if name else {}),
            mark=mark,
            count=count,
            is_current=chosen.keys() & fixed == ({name} if name else set()),
        )
        for name, label, mark, count in found
    ]


def category_links(counts: Counts, chosen: Mapping[str, Any]) -> list[Link]:
    """The categories that have messages; none where no message names one."""
    if not counts.categories.keys() - {""}:
        return []
    return [
        Link(
            label=kind.title,
            href="?" + urlencode({"category": name} if name else {"other": 1}),
            mark=kind.mark,
            count=at_least(counts.categories[name], counts.capped),
            is_current=chosen.get("category") == name if name else "other" in chosen,
        )
        for name, kind in kinds(counts.categories).items()
        if name in counts.categories
    ]


def level_links(chosen: Mapping[str, Any]) -> list[Link]:
    """What can be added to the filter: a level, the last seven days."""
    links = [
        Link(label=label, href=_query({**chosen, "level": name}), is_current=False)
        for name, label in LEVELS.items()
        if chosen.get("level") != name
    ]
    if "week" not in chosen:
        links.append(Link(label=_("Last 7 days"), href=_query({**chosen, "week": 1})))
    return links


def chips(chosen: Mapping[str, Any]) -> list[Link]:
    """The filters in force; each links to the page without it."""
    labels = {
        "unread": _("Unread"),
        "running": _("Running"),
        "attention": _("Needs attention"),
        "other": category("").title,
        "week": _("Last 7 days"),
        "level": LEVELS.get(chosen.get("level", "")),
        "category": category(chosen.get("category", "")).title,
    }
    return [
        Link(
            label=label, href=_query({key: chosen[key] for key in chosen if key != name}), mark=name
        )
        for name, label in labels.items()
        if name in chosen
    ]


def by_day(messages: Iterable[Message]) -> list[tuple[str, list[Message]]]:
    """Groups with a heading, in the order of the messages."""
    today = timezone.localdate(aware(timezone.now()))
    groups: dict[str, list[Message]] = {}
    for message in messages:
        day = timezone.localdate(aware(message.created))
        groups.setdefault(_heading(day, today), []).append(message)
    return list(groups.items())


def _heading(day: date, today: date) -> str:
    if day >= today:
        return _("Today")
    if day == today - timedelta(days=1):
        return _("Yesterday")
    if day >= today - timedelta(days=today.weekday()):
        return _("Earlier this week")
    if day > today - WEEK:
        return _("Last 7 days")
    return date_format(day, "YEAR_MONTH_FORMAT")


def _query(chosen: Mapping[str, Any]) -> str:
    return "?" + urlencode({name: 1 if value is True else value for name, value in chosen.items()})
