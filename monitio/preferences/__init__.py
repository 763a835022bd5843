"""How users want to be notified: read, change, apply, and unsubscribe."""

from monitio.preferences.choices import (
    Category,
    Frequency,
    Mode,
    admit,
    categories_of,
    change,
    for_user,
    get,
    resubscribe,
    unsubscribe,
    unsubscribe_url,
)

__all__ = [
    "Category",
    "Frequency",
    "Mode",
    "admit",
    "categories_of",
    "change",
    "for_user",
    "get",
    "resubscribe",
    "unsubscribe",
    "unsubscribe_url",
]
