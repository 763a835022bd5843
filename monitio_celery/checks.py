"""System checks of the Celery layer. Each has its line in docs/celery.md."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, Warning, register

from monitio.integrations.middleware import is_installed
from monitio_celery.conf import settings


@register()
def check_apps(**_: Any) -> list[CheckMessage]:
    if apps.is_installed("monitio"):
        return []
    return [
        Error(
            '"monitio_celery" is installed without "monitio".',
            hint='Add "monitio" to INSTALLED_APPS.',
            id="monitio_celery.E001",
        )
    ]


@register()
def check_middleware(**_: Any) -> list[CheckMessage]:
    if is_installed():
        return []
    return [
        Warning(
            "Tasks do not know who started them: NotifyMiddleware is missing.",
            hint='Add "monitio_celery.middleware.NotifyMiddleware" to MIDDLEWARE.',
            id="monitio_celery.W001",
        )
    ]


@register()
def check_lost_after(**_: Any) -> list[CheckMessage]:
    # One stamp that comes late must not look like a death.
    shortest = 2 * settings.CELERY_ALIVE_INTERVAL
    if shortest <= settings.CELERY_LOST_AFTER:
        return []
    return [
        Warning(
            "MONITIO_CELERY_LOST_AFTER is so short that healthy tasks count as interrupted.",
            hint=f"Set it to at least {shortest}, twice MONITIO_CELERY_ALIVE_INTERVAL.",
            id="monitio_celery.W002",
        )
    ]
