"""System checks of the Celery layer. Each has its line in docs/celery.md."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.utils.module_loading import import_string

from monitio_celery.conf import settings
from monitio_celery.middleware import NotifyMiddleware

# A worker stamps its jobs every 30 s; one missed stamp must not look like a death.
SHORTEST_LOST_AFTER = 60


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
    if any(_is_ours(path) for path in django_settings.MIDDLEWARE):
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
    if settings.CELERY_LOST_AFTER >= SHORTEST_LOST_AFTER:
        return []
    return [
        Warning(
            "MONITIO_CELERY_LOST_AFTER is so short that healthy tasks count as interrupted.",
            hint=f"Set it to at least {SHORTEST_LOST_AFTER}: workers give a sign of life each 30 s.",
            id="monitio_celery.W002",
        )
    ]


def _is_ours(path: str) -> bool:
    try:
        middleware = import_string(path)
    except ImportError:
        return False
    return isinstance(middleware, type) and issubclass(middleware, NotifyMiddleware)
