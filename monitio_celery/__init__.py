"""Notifies Django users of what happens to the Celery tasks they started.

Most names are resolved lazily: Django and Celery import this package before apps are ready.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitio.integrations.installed import expect
from monitio.utils.lazy import lazy_attributes

if TYPE_CHECKING:
    from monitio.integrations.cancellation import cancelled as cancelled
    from monitio.integrations.context import notify as notify
    from monitio.integrations.decorators import notify_user as notify_user
    from monitio.integrations.files import attach as attach
    from monitio.integrations.progress import progress as progress
    from monitio.integrations.progress import track as track
    from monitio_celery.beat import beat_schedule as beat_schedule
    from monitio_celery.cancellation import Cancelled as Cancelled
    from monitio_celery.groups.notify import notify_group as notify_group

_HOMES = {
    "Cancelled": "monitio_celery.cancellation",
    "beat_schedule": "monitio_celery.beat",
    "attach": "monitio.integrations.files",
    "cancelled": "monitio.integrations.cancellation",
    "notify": "monitio.integrations.context",
    "notify_group": "monitio_celery.groups.notify",
    "notify_user": "monitio.integrations.decorators",
    "progress": "monitio.integrations.progress",
    "track": "monitio.integrations.progress",
}

__all__ = [
    "Cancelled",
    "attach",
    "beat_schedule",
    "cancelled",
    "notify",
    "notify_group",
    "notify_user",
    "progress",
    "track",
]


_import = lazy_attributes(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    if name in ("notify_user", "notify_group"):
        from celery import signals

        expect("monitio_celery", [signals.before_task_publish, signals.task_prerun])
    return _import(name)


def __dir__() -> list[str]:
    return __all__
