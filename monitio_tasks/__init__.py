"""Django users are told what happens to the ``django.tasks`` they started.

Names are resolved lazily: Django imports this package before apps are ready.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monitio.queues.cancelling import Cancelled as Cancelled
    from monitio.queues.cancelling import cancelled as cancelled
    from monitio.queues.context import notify as notify
    from monitio.queues.decorators import notify_user as notify_user
    from monitio.queues.progress import progress as progress
    from monitio.queues.progress import track as track

_HOMES = {
    "Cancelled": "monitio.queues.cancelling",
    "cancelled": "monitio.queues.cancelling",
    "notify": "monitio.queues.context",
    "notify_user": "monitio.queues.decorators",
    "progress": "monitio.queues.progress",
    "track": "monitio.queues.progress",
}

__all__ = ["Cancelled", "cancelled", "notify", "notify_user", "progress", "track"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
