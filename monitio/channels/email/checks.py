"""What ``manage.py check`` finds about e-mails."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from monitio import scope
from monitio.conf import settings


def check_links() -> list[checks.CheckMessage]:
    """E-mails can link to the site."""
    hint = 'Set MONITIO_BASE_URL, for example "https://example.com".'
    url = settings.BASE_URL
    if not url:
        with suppress(ImproperlyConfigured):  # check_scope reports it
            if hasattr(scope.backend(), "base_url"):
                return []
        # Developers see it in the e-mails; in production it must not go unnoticed.
        missing = checks.Warning(
            "E-mails have no links: the site's address is not set.",
            hint=f'{hint} If the site sends no e-mails, remove "email" from MONITIO_CHANNELS.',
            id="monitio.W011",
        )
        return [] if django_settings.DEBUG else [missing]
    with suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname:
            return []
    return [
        checks.Error(
            f"MONITIO_BASE_URL = {url!r} is not a URL: links in e-mails would not work.",
            hint=hint,
            id="monitio.E014",
        )
    ]
