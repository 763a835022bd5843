"""The e-mail channel: one e-mail per delivery."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from typing import Any

from django.core.checks import CheckMessage
from django.core.mail import EmailMultiAlternatives
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.timesince import timesince
from django.utils.translation import gettext, ngettext, pgettext
from django.utils.translation import gettext_lazy as _

from monitio import links, preferences
from monitio.channels.base import Channel, attempt_key
from monitio.channels.email import addresses
from monitio.channels.email.checks import check_links
from monitio.channels.email.compose import EmailContent, compose
from monitio.channels.email.smtp import send
from monitio.conf import settings
from monitio.constants import State
from monitio.models import Delivery, Destination, Message
from monitio.models.categories import category
from monitio.models.schedule import aware
from monitio.utils.dates import date_and_time


class EmailChannel(Channel):
    has_destinations = False
    title = _("E-mail")

    @property
    def timeout(self) -> float:  # type: ignore[override]
        return float(settings.EMAIL_TIMEOUT)

    def plan(self, message: Message, destinations: Sequence[Destination]) -> list[str]:
        return [""]

    def check(self) -> list[CheckMessage]:
        return check_links()

    def send(self, delivery: Delivery) -> None:
        send(build(delivery.message, delivery))


def build(message: Message, delivery: Delivery | None = None) -> EmailMultiAlternatives:
    """The e-mail for one message. Raises ``PermanentFailure`` when its user cannot be e-mailed."""
    to, url = addresses.email_address(message.user), links.absolute(message.url)
    chosen = preferences.for_user(message.user)
    language = addresses.language_of(chosen, message.language)
    unsubscribe_url = preferences.unsubscribe_url(message.user_id, message.category, language)
    return compose(
        EmailContent(
            template="monitio/email/message",
            to=to,
            language=language,
            time_zone=chosen.zone,
            message_key=attempt_key(message if delivery is None else delivery),
            category=message.category,
            thread_key=_thread_key(message),
            context={
                "message": message,
                "user": message.user,
                "url": url,
                "files": _files(message),
                "tag": partial(_tag, message),
                "facts": partial(_facts, message),
                "reason": partial(_reason, message, delivery, to),
            },
            reply_to=addresses.sender_of(message) if settings.EMAIL_REPLY_TO_SENDER else "",
            unsubscribe_url=unsubscribe_url or "",
        )
    )


def _tag(message: Message) -> str:
    """How it ended, or that it is serious, in a word; '' for an ordinary message."""
    if message.job is not None and message.job.has_ended:
        is_done = message.job.state == State.SUCCEEDED
        return gettext("Done") if is_done else str(message.job.get_state_display())
    labels = {"warning": gettext("Warning"), "error": gettext("Error")}
    return labels.get(message.level_name, "")


def _facts(message: Message) -> list[tuple[str, str]]:
    """What is known beside the text: names and values."""
    job, found = message.job, []
    if job is not None and job.started_at:
        begun = timezone.localtime(aware(job.started_at))
        found.append((pgettext("e-mail", "Started"), date_and_time(begun)))
        if job.finished_at:
            seconds = int((job.finished_at - job.started_at).total_seconds())
            short = ngettext("%(count)d second", "%(count)d seconds", seconds) % {"count": seconds}
            is_long = seconds >= 60
            took = timesince(job.started_at, job.finished_at, depth=2) if is_long else short
            found.append((gettext("Took"), took))
    if job is not None and job.completed is not None and job.total:
        parts = {"done": number_format(job.completed, 0), "total": number_format(job.total, 0)}
        found.append((gettext("Processed"), gettext("%(done)s of %(total)s") % parts))
    if job is not None and job.attempt > 1:
        found.append((gettext("Attempts"), number_format(job.attempt)))
    if message.expires:
        until = timezone.localtime(aware(message.expires))
        found.append((gettext("Available until"), date_and_time(until)))
    return found


def _reason(message: Message, delivery: Delivery | None, to: str) -> str:
    """Why the recipient gets this e-mail."""
    names = {"to": to, "name": message.sender, "category": category(message.category).title}
    if message.job is not None:
        if delivery is not None and delivery.unless:
            text = gettext(
                "Sent to %(to)s because this task notifies you and you had left the page."
            )
        else:
            text = gettext("Sent to %(to)s because this task notifies you.")
    elif message.sender:
        text = gettext("Sent to %(to)s because %(name)s wrote to you.")
    elif message.category:
        text = gettext("Sent to %(to)s because you get “%(category)s” e-mails.")
    else:
        text = gettext("Sent to %(to)s because you get notifications by e-mail.")
    return text % names


def _thread_key(message: Message) -> str:
    """The same for all e-mails about a job; '' without one."""
    if message.job is None:
        return ""
    identity = f"{message.scope}/{message.job.task_id}"
    return f"job-{hashlib.sha256(identity.encode()).hexdigest()[:24]}"


def _files(message: Message) -> list[dict[str, Any]]:
    """Those that can be downloaded, with their absolute URLs."""
    files = message.job.attached if message.job else []
    links_of = [file | {"url": links.file_page(message.pk, file["id"])} for file in files]
    return [file for file in links_of if file["url"] and not file["gone"]]
