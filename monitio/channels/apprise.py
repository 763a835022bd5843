"""Apprise: users' Slack, Telegram, ntfy and others (docs/apprise.md), one request per delivery."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.util import find_spec
from typing import Any

from django import forms
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from monitio import links, serializers
from monitio.channels.base import Channel, PermanentFailure, TemporaryFailure
from monitio.channels.http import TEMPORARY
from monitio.conf import settings
from monitio.models import Delivery, Message
from monitio.utils.optional import import_optional

# The addresses that users may enter, and the services. ``<…>`` is a ``WORD``, so that no address
# can choose a host, a parameter or a second target: each service has one host, which its plugin of
# Apprise holds. A service is added after its plugin was read for that; a test names each host.
SERVICES = {
    "slack://<token>/<token>/<token>": "Slack",
    "https://hooks.slack.com/services/<token>/<token>/<token>": "Slack",
    "tgram://<bot>:<token>/<chat>": "Telegram",
    "discord://<webhook>/<token>": "Discord",
    "https://discord.com/api/webhooks/<webhook>/<token>": "Discord",
    "ntfy://<topic>": "ntfy",
    "https://ntfy.sh/<topic>": "ntfy",
    "gchat://<space>/<key>/<token>": "Google Chat",
    "webex://<token>": "Webex",
    "flock://<token>": "Flock",
    "groupme://<bot>": "GroupMe",
    "lark://<token>": "Lark",
    "feishu://<token>": "Feishu",
    "pover://<user>@<token>": "Pushover",
    "pbul://<token>": "Pushbullet",
    "prowl://<key>": "Prowl",
    "join://<key>/<device>": "Join",
    "pagerduty://<integration>@<key>": "PagerDuty",
    "signl4://<secret>": "SIGNL4",
    "ifttt://<key>@<event>": "IFTTT",
}
WORD = "[A-Za-z0-9_=-]{1,256}"
PATTERNS = {
    re.compile(re.sub("<[a-z]+>", WORD, re.escape(form))): name for form, name in SERVICES.items()
}

TYPES = {"success": "success", "warning": "warning", "error": "failure"}
# Services answer so for a token that they do not know, or not any more.
GONE = (404, 410)
# ntfy has two more digits.
STATUS = re.compile(r"(?:\berror=|failed: )([1-5][0-9]{2})(?:[0-9]{2})?\b")
# The statuses that services answer while this context sends; None: it does not.
_statuses: ContextVar[list[int] | None] = ContextVar("monitio_apprise", default=None)


class AppriseForm(forms.Form):
    """``choices``: the addresses of the site that this user may choose."""

    name = forms.ChoiceField(label=_("Service of this site"), required=False)
    url = forms.CharField(
        label=_("Address"),
        required=False,
        max_length=1000,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    label = forms.CharField(label=_("Name"), required=False, max_length=100)

    def __init__(self, data: Any, *, choices: Mapping[str, Any]) -> None:
        super().__init__(data, prefix="apprise", label_suffix="")
        self.services = SERVICES
        if choices:
            names = [("", "—"), *((name, name) for name in choices)]
            self.fields["name"].choices = names  # type: ignore[attr-defined]
        else:
            del self.fields["name"]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        name, url = values.get("name", ""), values.get("url", "").strip()
        if bool(name) == bool(url) or (url and not service_of(url)):
            raise forms.ValidationError(_("This is not the address of a service that can be used."))
        address = {"name": name} if name else {"url": url}
        return {"address": address, "label": values.get("label") or name or service_of(url)}


class AppriseChannel(Channel):
    """The address of a destination is ``{"url": "slack://…"}``, or ``{"name": "…"}``: one of
    ``MONITIO_APPRISE_URLS``.
    """

    title = _("Other services")

    def __init__(self) -> None:
        # The library is large, and processes that send nothing do not need it.
        if find_spec("apprise") is None:
            raise ImproperlyConfigured(
                'The channel of Apprise needs apprise: pip install "monitio[apprise]"'
            )

    def form(self, user: Any, data: Any = None) -> AppriseForm:
        is_staff = getattr(user, "is_staff", False)
        return AppriseForm(data, choices=settings.APPRISE_URLS if is_staff else {})

    @sensitive_variables()
    def identify(self, address: Any) -> Any:
        kind, text = _checked(address)
        return {kind: text}

    def server(self, address: Any) -> str:
        return str(address.get("name") or service_of(address["url"]))

    @sensitive_variables()
    def send(self, delivery: Delivery) -> None:
        destination = delivery.destination
        if destination is None:
            raise PermanentFailure("Apprise needs a destination.")
        try:
            kind, url = _checked(destination.address)
        except ValueError as error:
            raise PermanentFailure(str(error), is_gone=True) from None
        if kind == "name":
            url = settings.APPRISE_URLS[url]
            url = url() if callable(url) else url
        timeout, content = self.seconds_left(), self.payload(delivery.message)
        with statuses_logged() as statuses:
            is_sent = self.notify(url, timeout, content)
        if is_sent:
            return
        # Apprise itself tells apart no more than sent and not sent.
        if not statuses:
            raise TemporaryFailure("The service was not reached, or did not respond in time.")
        status, text = statuses[-1], f"The service responded with status {statuses[-1]}."
        if 300 <= status < 500 and status not in TEMPORARY:
            raise PermanentFailure(text, is_gone=status in GONE)
        raise TemporaryFailure(text)

    @sensitive_variables()
    def notify(self, url: str, timeout: float, content: Mapping[str, Any]) -> bool:
        """Whether the service has accepted it. Takes ``timeout`` seconds at most."""
        apprise = import_optional("apprise", extra="apprise", needed_by="The channel of Apprise")
        asset = apprise.AppriseAsset(
            app_id=str(settings.BRAND.get("name") or "monitio"),
            async_mode=False,
            http_redirects=False,
            interpret_emojis=False,
            service_timeout=timeout,
            storage_mode="memory",
        )
        service = apprise.Apprise.instantiate(url, asset=asset)
        if service is None:
            raise PermanentFailure("Apprise does not accept the address.", is_gone=True)
        # Of each connection and read: what Apprise does not wait for any more ends, too.
        service.socket_connect_timeout = service.socket_read_timeout = timeout
        sender = apprise.Apprise(asset=asset)
        sender.add(service)
        return bool(sender.notify(**content, body_format="text", timeout=timeout))

    def payload(self, message: Message) -> dict[str, Any]:
        """What Apprise sends: ``title``, ``body`` (plain text) and ``notify_type``."""
        sent, link = serializers.payload(message), links.absolute(message.url)
        body = "\n".join(filter(None, (sent["body"] or sent["title"], link)))
        kind = TYPES.get(sent["level"], "info")
        return {"title": sent["title"], "body": body, "notify_type": kind}


def service_of(url: str) -> str:
    """The name of the service; '' for an address that users may not enter."""
    return next((name for form, name in PATTERNS.items() if form.fullmatch(url)), "")


@sensitive_variables()
def _checked(address: Any) -> tuple[str, str]:
    """ "url" or "name", and its value. Raises ``ValueError``."""
    if isinstance(address, Mapping):
        url, name = address.get("url"), address.get("name")
        if isinstance(url, str) and service_of(url):
            return "url", url
        if isinstance(name, str) and name in settings.APPRISE_URLS:
            return "name", name
    raise ValueError(
        'The address of a service is {"url": "…"}, in one of the forms of docs/apprise.md, or '
        '{"name": "…"}, one of MONITIO_APPRISE_URLS.'
    )


class _Watch(logging.Filter):
    """Reads statuses from what is logged while we send, and drops it: it may show an address."""

    def filter(self, record: logging.LogRecord) -> bool:
        statuses = _statuses.get()
        if statuses is None:
            return True
        statuses.extend(int(status) for status in STATUS.findall(record.getMessage()))
        return False


_filter = _Watch()


@contextmanager
def statuses_logged() -> Iterator[list[int]]:
    """The statuses of the requests in this block; nothing of what they log is kept."""
    for name in ("apprise", "urllib3.connectionpool"):
        # Once: a logger holds each filter only once.
        logging.getLogger(name).addFilter(_filter)
    statuses: list[int] = []
    # Apprise's threads get a copy of this context.
    token = _statuses.set(statuses)
    try:
        yield statuses
    finally:
        _statuses.reset(token)
