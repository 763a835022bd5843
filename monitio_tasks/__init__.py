"""Notifies Django users of what happens to the ``django.tasks`` they started.

Names are resolved lazily: Django imports this package before apps are ready.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitio.integrations.installed import expect
from monitio.utils.lazy import lazy_attributes

if TYPE_CHECKING:
    from monitio.integrations.cancellation import Cancelled as Cancelled
    from monitio.integrations.cancellation import cancelled as cancelled
    from monitio.integrations.context import notify as notify
    from monitio.integrations.decorators import notify_user as notify_user
    from monitio.integrations.files import attach as attach
    from monitio.integrations.progress import progress as progress
    from monitio.integrations.progress import track as track

_HOMES = {
    "Cancelled": "monitio.integrations.cancellation",
    "attach": "monitio.integrations.files",
    "cancelled": "monitio.integrations.cancellation",
    "notify": "monitio.integrations.context",
    "notify_user": "monitio.integrations.decorators",
    "progress": "monitio.integrations.progress",
    "track": "monitio.integrations.progress",
}

__all__ = ["Cancelled", "attach", "cancelled", "notify", "notify_user", "progress", "track"]


_import = lazy_attributes(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    if name == "notify_user":
        from monitio_tasks import compat

        expect("monitio_tasks", [compat.signals.task_enqueued] if compat.signals else [])
    return _import(name)


def __dir__() -> list[str]:
    return __all__
