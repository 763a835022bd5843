"""Tell a Django user what became of the work they started.

Names are resolved on first use: Django imports this package before apps are ready.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitio.constants import DEBUG, ERROR, INFO, PERSISTENT_MESSAGE_LEVELS, SUCCESS, WARNING
from monitio.utils import renamed
from monitio.utils.lazy import lazy_attributes

if TYPE_CHECKING:
    from monitio.api import (
        acreate_message,
        add_message,
        anotify_each,
        anotify_many,
        create_message,
        debug,
        error,
        info,
        notify_each,
        notify_many,
        success,
        warning,
    )
    from monitio.channels.policy import after
    from monitio.exceptions import UserFacingError
    from monitio.recipients import Recipient

__version__ = "1.0.0b1"

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
    "after",
    "anotify_each",
    "anotify_many",
    "create_message",
    "debug",
    "error",
    "info",
    "notify_each",
    "notify_many",
    "success",
    "warning",
]

__getattr__ = lazy_attributes(
    __name__,
    {
        **dict.fromkeys(__all__, "monitio.api"),
        "Recipient": "monitio.recipients",
        "after": "monitio.channels.policy",
        "UserFacingError": "monitio.exceptions",
    },
)

renamed.install()


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
