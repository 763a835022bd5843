"""Addresses that work outside the site."""

from __future__ import annotations

from email.utils import parseaddr
from urllib.parse import urljoin, urlsplit

from django.conf import settings as django_settings
from django.urls import NoReverseMatch, reverse

from monitio import preferences
from monitio.conf import settings
from monitio.models import Message
from monitio.scope import base_url


def absolute(url: str) -> str:
    """``url`` as an address that works outside the site, or '' when the site's own is unknown."""
    if not url or url.startswith(("http://", "https://")):
        return url
    base = base_url()
    return urljoin(base, url) if base else ""


def page(name: str) -> str:
    """The address of one of monitio's own pages, or '' when the site does not have it."""
    try:
        return absolute(reverse(name))
    except NoReverseMatch:
        return ""


def unsubscribe_link(message: Message) -> str:
    """Where one click ends e-mails of the message's category; '' when there is no such place."""
    return preferences.unsubscribe_url(message.user_id, message.category) or ""


def site_name() -> str:
    """What the site calls itself in the address bar; '' when its address is unknown."""
    return urlsplit(base_url()).hostname or ""


def mail_domain() -> str:
    """The domain of the site, else that of the sender of its e-mails."""
    sender = parseaddr(str(settings.EMAIL_FROM or django_settings.DEFAULT_FROM_EMAIL))[1]
    domain = site_name() or sender.rpartition("@")[2]
    try:
        return domain.encode("idna").decode() or "monitio.invalid"
    except UnicodeError:
        return "monitio.invalid"
