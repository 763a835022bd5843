"""Tell a Django user what became of the work they started.

Names are resolved on first use: Django imports this package before apps are ready.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from monitio.constants import DEBUG, ERROR, INFO, PERSISTENT_MESSAGE_LEVELS, SUCCESS, WARNING

if TYPE_CHECKING:
    from monitio.api import (
        acreate_message,
        add_message,
        anotify_many,
        create_message,
        debug,
        error,
        info,
        notify_many,
        success,
        warning,
    )
    from monitio.exceptions import UserFacingError
    from monitio.recipients import Recipient

__version__ = "1.0.0a1"

__all__ = [
    "DEBUG",
    "ERROR",
    "INFO",
    "PERSISTENT_MESSAGE_LEVELS",
    "SUCCESS",
    "WARNING",
    "Recipient",
    "UserFacingError",
    "acreate_message",
    "add_message",
    "anotify_many",
    "create_message",
    "debug",
    "error",
    "info",
    "notify_many",
    "success",
    "warning",
]

_HOMES = {"Recipient": "monitio.recipients", "UserFacingError": "monitio.exceptions"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'monitio' has no attribute {name!r}")
    value = getattr(import_module(_HOMES.get(name, "monitio.api")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
