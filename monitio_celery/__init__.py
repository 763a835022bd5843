"""Django users are told what happens to the Celery tasks they started.

Most names are resolved lazily: Django and Celery import this package before apps are ready.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monitio.queues.cancelling import cancelled as cancelled
    from monitio.queues.context import notify as notify
    from monitio.queues.decorators import notify_user as notify_user
    from monitio.queues.progress import progress as progress
    from monitio.queues.progress import track as track
    from monitio_celery.cancelling import Cancelled as Cancelled
    from monitio_celery.canvas import notify_group as notify_group
    from monitio_celery.schedule import beat_schedule as beat_schedule

_HOMES = {
    "Cancelled": "monitio_celery.cancelling",
    "beat_schedule": "monitio_celery.schedule",
    "cancelled": "monitio.queues.cancelling",
    "notify": "monitio.queues.context",
    "notify_group": "monitio_celery.canvas",
    "notify_user": "monitio.queues.decorators",
    "progress": "monitio.queues.progress",
    "track": "monitio.queues.progress",
}

__all__ = [
    "Cancelled",
    "beat_schedule",
    "cancelled",
    "notify",
    "notify_group",
    "notify_user",
    "progress",
    "track",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
