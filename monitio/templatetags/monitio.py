"""``{% load monitio %}``: the tags and filters of monitio."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.template import Context, Library
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from monitio.jobs import texts as job_texts
from monitio.models import Job, Message
from monitio.models.schedule import aware
from monitio.utils import dates
from monitio.utils.formats import percentage
from monitio.utils.icons import ICONS, avatar_of
from monitio.views import push, widgets
from monitio.views.forms import LEVELS

register = Library()


@register.simple_tag(takes_context=True)
def monitio(
    context: Context, theme: str | None = None, visitors: bool = False, **options: Any
) -> SafeString:
    """Pop-ups and the live connection; goes before ``</body>``.

    Options: ``placement max duration auto_close announce_every hotkey title_badge app_badge
    system_notifications``, and ``theme`` in place of ``MONITIO_THEME``. ``visitors=True`` opens an
    anonymous visitor's stream before there is a message for them.
    """
    request = widgets.request_of(context, "monitio")
    return widgets.messages_html(request, widgets.csp_nonce(context), theme, visitors, **options)


@register.simple_tag(takes_context=True)
def monitio_bell(context: Context) -> SafeString:
    """The bell with its inbox; needs ``{% monitio %}`` on the same page."""
    return widgets.bell_html(widgets.request_of(context, "monitio_bell"))


@register.simple_tag(takes_context=True)
def monitio_push(context: Context) -> SafeString | str:
    """The button “Notify me on this device”. Renders nothing for anonymous visitors."""
    request = widgets.request_of(context, "monitio_push")
    return push.button_html(request, widgets.csp_nonce(context))


@register.simple_tag(takes_context=True)
def page_token(context: Context, prefix: str = "") -> str:
    """The page token, which forms and links send as ``page``, after ``prefix``.

    "" for a visitor without a token.
    """
    token = widgets.token_of(context.get("request"))
    return prefix + token if token else ""


@register.simple_tag(takes_context=True)
def mark_as_read_by_url(context: Context) -> str:
    """Mark the messages that link to this page read. Renders nothing."""
    widgets.mark_read_by_url(widgets.request_of(context, "mark_as_read_by_url"))
    return ""


@register.simple_tag(takes_context=True)
def monitio_nonce(context: Context) -> SafeString | str:
    """The attribute ``nonce`` for a script, style or link; nothing without a nonce."""
    nonce = widgets.csp_nonce(context)
    return format_html(' nonce="{}"', nonce) if nonce else ""


@register.filter
def pace(job: Job) -> str:
    """How fast a running job is and how long it will take, as far as anybody knows."""
    return job_texts.pace(job.pace, job.eta)


register.filter("percentage", percentage)


@register.filter
def age(moment: datetime) -> str:
    """How long ago, for today; else weekday and time, for a week; else the date."""
    then, now = (timezone.localtime(aware(at)) for at in (moment, timezone.now()))
    minutes, days = (now - then).total_seconds() // 60, (now.date() - then.date()).days
    if minutes < 1:
        return gettext("now")
    if days < 1 and minutes < 60:
        return gettext("%(number)d min ago") % {"number": minutes}
    if days < 1:
        return gettext("%(number)d h ago") % {"number": minutes // 60}
    return stamp(moment)


@register.filter
def stamp(moment: datetime) -> str:
    """Weekday and time, for a week; else the date. Stays true while time passes, as in e-mails."""
    then, now = (timezone.localtime(aware(at)) for at in (moment, timezone.now()))
    return dates.stamp(then, now)


@register.filter
def full_date(moment: datetime) -> str:
    """Date and time, as in ``27 Nov 2026, 14:02``."""
    return dates.date_and_time(timezone.localtime(aware(moment)))


@register.filter
def level_label(name: str) -> str:
    """``Error`` for ``error``."""
    return str(LEVELS[name])


@register.filter
def get(mapping: Mapping[str, Any], key: str) -> Any:
    """The value of a key that is not a constant; None without it."""
    return mapping.get(key)


@register.filter
def icon_path(name: str) -> str:
    """The path data of one of the icons that a message may have; '' for any other name."""
    return ICONS.get(name, "")


@register.filter
def avatar(message: Message) -> str:
    """The address of the picture of the message's sender; '' for their initials."""
    return avatar_of(message.from_user)


@register.filter
def initials(name: str) -> str:
    """The first letters of the first and the last word: ``MK`` for Maria Keller."""
    words = name.split()
    return "".join(word[0] for word in dict.fromkeys([*words[:1], *words[-1:]])).upper()


@register.filter
def latest(messages: Iterable[Any], number: int) -> list[Any]:
    """The newest ``number`` messages of a queryset or list, newest first."""
    if isinstance(messages, QuerySet) and not messages.query.is_sliced:
        return list(messages.order_by("-pk")[: int(number)])
    return _newest_first(messages)[: int(number)]


@register.filter
def latest_or_unread(messages: Iterable[Any], number: int) -> list[Any]:
    """Every unread message, filled up with read ones to ``number``; newest first."""
    everything = _newest_first(messages)
    room = int(number) - sum(1 for message in everything if _is_unread(message))
    kept = []
    for message in everything:
        if not _is_unread(message):
            room -= 1
            if room < 0:
                continue
        kept.append(message)
    return kept


def _is_unread(message: Any) -> bool:
    # Messages of Django's own storages have no such field.
    return not getattr(message, "read", False)


def _newest_first(messages: Iterable[Any]) -> list[Any]:
    everything = list(messages)
    if all(getattr(message, "created", None) for message in everything):
        return sorted(everything, key=lambda message: (message.created, message.pk or 0))[::-1]
    return everything[::-1]
