"""What the template tags render: pop-ups, the bell, page tokens."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from django.conf import settings as django_settings
from django.conf.urls.i18n import is_language_prefix_patterns_used
from django.contrib.messages import constants as levels
from django.contrib.messages import get_messages
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.template import Context
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse, translate_url
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext

from monitio import api, links
from monitio.conf import settings
from monitio.constants import State
from monitio.integrations.base import stamps_workers
from monitio.messages import tolerant
from monitio.models import Heartbeat, Message, reading
from monitio.models.schedule import aware
from monitio.recipients import Recipient, marker_name, page_token
from monitio.serializers import payload
from monitio.storage import PersistentMessageStorage
from monitio.utils.text import clean_text
from monitio.views.strings import strings
from monitio.views.themes import stylesheet

# Options of `{% monitio %}`: attributes of <monitio-messages> with "_" for "-".
OPTIONS = frozenset(
    "placement max duration auto_close announce_every hotkey title_badge app_badge "
    "system_notifications".split()
)
UNREAD = "_monitio_unread"
# Seconds a task may wait before a staff user's page looks for workers.
WAITING = 120.0
MOST_SHOWN = 99
SCRIPT_ESCAPES = {ord(">"): "\\u003E", ord("<"): "\\u003C", ord("&"): "\\u0026"}


def request_of(context: Context, tag: str) -> HttpRequest:
    """The request a template is rendered for. Raises ``ImproperlyConfigured`` without one."""
    request = context.get("request")
    if isinstance(request, HttpRequest):
        return request
    raise ImproperlyConfigured(
        f"{{% {tag} %}} needs the request. Add 'django.template.context_processors.request' to the "
        "context_processors of TEMPLATES and render the template with a request."
    )


def csp_nonce(context: Context) -> str:
    """The nonce of the page's Content Security Policy; "" where the policy has none."""
    request = context.get("request")
    candidates = [
        context.get("csp_nonce"),
        getattr(request, "csp_nonce", None),  # django-csp
        getattr(request, "_csp_nonce", None),  # Django 6, without its context processor
    ]
    # Not by truthiness: a lazy nonce is false until it has been used.
    return next((str(nonce) for nonce in candidates if nonce is not None and str(nonce)), "")


def messages_html(
    request: HttpRequest, nonce: str, theme: str | None, visitors: bool, **options: Any
) -> SafeString:
    """Assets, the messages that have not been seen, and the live connection.

    ``visitors``: an anonymous visitor's stream opens at once, which costs a session.
    """
    unknown = options.keys() - OPTIONS
    if unknown:
        raise TypeError(
            f"{{% monitio %}} has no option {', '.join(sorted(unknown))}. "
            f"It takes: {', '.join(sorted({*OPTIONS, 'theme', 'visitors'}))}."
        )
    links.check_prefix()
    recipient = Recipient.existing(request)
    if recipient is None and visitors and _can_be_visitor(request):
        recipient = Recipient.from_request(request)
    messages = _messages(request, recipient)
    if getattr(getattr(request, "user", None), "is_staff", False):
        # The people who can start a worker.
        messages += tolerant.ask(lambda: missing_processes(messages), [])
    context = {
        "items": [(row, json.dumps(payload(row))) for row in messages if _pops_up(row)],
        "list_url": _list_url(),
        "theme": stylesheet(settings.THEME if theme is None else theme),
        **_connection(request, recipient),
        # Rendering the token sets a cookie.
        "with_csrf": recipient is not None and (bool(messages) or not recipient.is_visitor),
        "options": {name.replace("_", "-"): value for name, value in options.items()},
        "strings": _texts(get_language()),
        "csp_nonce": nonce,
    }
    return render_to_string("monitio/tags/messages.html", context, request=request)


def bootstrap(request: HttpRequest, recipient: Recipient | None, known: str) -> dict[str, Any]:
    """What a page that Django has not rendered needs beside the snapshot.

    ``{"page", "visitor_cookie", "fetch_snapshot", "strings": {"hash", "texts"}}``: without the
    texts if ``known`` is their hash.
    """
    texts = _texts(get_language())
    found = hashlib.sha256(texts.encode()).hexdigest()[:16]
    strings_now = {"hash": found} if known == found else {"hash": found, "texts": strings()}
    return {**_connection(request, recipient), "strings": strings_now}


def _connection(request: HttpRequest, recipient: Recipient | None) -> dict[str, Any]:
    """For whom a page is made, and when and how it opens its stream."""
    is_stranger = recipient is None and _can_be_visitor(request)
    return {
        "page": page_token(recipient) if recipient or is_stranger else "",
        # A stranger's page opens no stream before this cookie is set: there are no messages.
        "visitor_cookie": marker_name() if is_stranger else "",
        # A hub sends no snapshot: the page fetches it whenever its stream opens.
        "fetch_snapshot": bool(settings.STREAM),
    }


def _can_be_visitor(request: HttpRequest) -> bool:
    return settings.VISITORS and hasattr(request, "session")


@lru_cache(maxsize=32)
def _texts(language: str | None) -> SafeString:
    """The texts of the browser part in the current ``language``, as JSON."""
    texts = json.dumps(strings(), ensure_ascii=False).translate(SCRIPT_ESCAPES)
    return mark_safe(texts)  # noqa: S308 - nothing in it can end the script element


def bell_html(request: HttpRequest) -> SafeString:
    """The bell with the number of unread messages. Never creates a session."""
    unread = unread_count(request)
    context = {"unread": unread, "unread_text": unread_text(unread), "list_url": _list_url()}
    return render_to_string("monitio/tags/bell.html", context, request=request)


def unread_count(request: HttpRequest) -> int:
    """How many messages are unread, at most ``MOST_COUNTED``.

    The query of the message storage answers it, or one query of its own per request.
    """
    known: int | None = getattr(request, UNREAD, None)
    if known is None:
        known = tolerant.ask(lambda: _count_unread(request), 0)
        setattr(request, UNREAD, known)
    return known


def _count_unread(request: HttpRequest) -> int:
    recipient = Recipient.existing(request)
    if recipient is None:
        return 0
    storage = get_messages(request)
    known = None
    if isinstance(storage, PersistentMessageStorage):
        known = storage.count_loaded(recipient)
    return reading.count_unread(recipient) if known is None else known


def unread_text(count: int) -> str:
    """As the bell shows it."""
    return f"{MOST_SHOWN}+" if count > MOST_SHOWN else str(count)


def token_of(request: HttpRequest | None) -> str:
    """The page token of the request; "" for a stranger, and without a request."""
    recipient = None if request is None else Recipient.existing(request)
    return "" if recipient is None else page_token(recipient)


def mark_read_by_url(request: HttpRequest) -> int:
    """Mark the unread messages that link to this page read; returns their number."""
    recipient = Recipient.existing(request)
    if recipient is None:
        return 0
    return tolerant.ask(lambda: _mark_read_by_url(request, recipient), 0)


def _mark_read_by_url(request: HttpRequest, recipient: Recipient) -> int:
    # No message has a URL with NUL in it, and some databases refuse it in a query.
    here = [address for address in _addresses_of(request) if address == clean_text(address)]
    unread = Message.objects.of(recipient).visible().unread().filter(url__in=here)
    pks = list(unread.values_list("pk", flat=True))
    if not pks:
        return 0
    marked = api.mark_read(recipient, pks)
    setattr(request, UNREAD, reading.count_unread(recipient))
    return marked


def _addresses_of(request: HttpRequest) -> set[str]:
    """The URLs of this page: in any language, with and without query and host."""
    addresses = {request.path, request.get_full_path(), request.build_absolute_uri()}
    urlconf = getattr(request, "urlconf", None) or django_settings.ROOT_URLCONF
    if not is_language_prefix_patterns_used(urlconf)[0]:
        return addresses
    query = request.META.get("QUERY_STRING")
    for code, _name in django_settings.LANGUAGES:
        path = translate_url(request.path_info, code)
        full = f"{path}?{query}" if query else path
        addresses |= {path, full, request.build_absolute_uri(full)}
    return addresses


def _messages(request: HttpRequest, recipient: Recipient | None) -> list[Message]:
    """Rows of the recipient, and this request's own messages. Newest first, one query."""
    storage = get_messages(request)
    unused = not getattr(storage, "used", True)
    flash = [_as_row(message) for message in storage][::-1] if unused else []
    if recipient is None:
        return flash
    has_read_rows = isinstance(storage, PersistentMessageStorage) and not storage.is_admin
    if unused and has_read_rows and settings.EXCLUDE_READ:
        # monitio's own storage has just read the same rows.
        tolerant.ask(lambda: reading.add_senders(flash), None)
        return flash
    rows: list[Message] = tolerant.ask(lambda: api.inbox(recipient), [])
    seen = {row.pk for row in rows}
    return [*(row for row in flash if row.pk not in seen), *rows]


def _as_row(message: Any) -> Message:
    """``message`` for the templates; without a key unless it stays after this response."""
    if isinstance(message, Message) and message.pk and message.is_persistent():
        return message
    return Message(
        level=message.level,
        message=message.message,
        extra_tags=message.extra_tags or "",
        **{
            name: getattr(message, name)
            for name in ("subject", "url", "url_label", "icon", "close_timeout", "created")
            if hasattr(message, name)
        },
    )


def _pops_up(message: Message) -> bool:
    """A running job does until it is read, another message until it was seen."""
    if message.job is not None and not message.job.has_ended:
        return not message.read
    return not (message.seen or message.read)


def missing_processes(messages: Iterable[Message]) -> list[Message]:
    """Warnings, not saved, where tasks of these messages wait because no worker or beat runs."""
    now = aware(timezone.now())
    waits = [
        (now - aware(job.due_at or job.queued_at)).total_seconds()
        for job in (message.job for message in messages)
        if job is not None and job.state == State.QUEUED and stamps_workers(job.integration)
    ]
    if max(waits, default=0.0) < WAITING:
        return []
    found = []
    workers = Heartbeat.objects.of_workers()
    if all(worker.is_late(now) for worker in workers):
        silent = workers[0].age(now) if workers else max(waits)
        text = gettext("Waiting for a worker: none has answered for %(minutes)d min.")
        found.append(text % {"minutes": silent // 60})
    periodic = Heartbeat.objects.of_periodic_work()
    if not periodic and workers:
        found.append(gettext("Celery beat has never run."))
    elif periodic and periodic[0].is_late(now):
        text = gettext("Celery beat has not run for %(minutes)d min.")
        found.append(text % {"minutes": periodic[0].age(now) // 60})
    return [Message(level=levels.WARNING, message=text) for text in found]


def _list_url() -> str:
    try:
        return reverse("message_list")
    except NoReverseMatch:
        raise ImproperlyConfigured(
            "monitio has no URL here. Add path('messages/', include('monitio.urls')) to your "
            "URL configuration."
        ) from None
