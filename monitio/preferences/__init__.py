"""The users' preferences: read, change, apply, and unsubscribe."""

from monitio.preferences.choices import (
    Category,
    Frequency,
    Mode,
    categories_of,
    change,
    filter_by_preference,
    for_user,
    get,
    held_until,
    resubscribe,
    unsubscribe,
    unsubscribe_url,
)

__all__ = [
    "Category",
    "Frequency",
    "Mode",
    "categories_of",
    "change",
    "filter_by_preference",
    "for_user",
    "get",
    "held_until",
    "resubscribe",
    "unsubscribe",
    "unsubscribe_url",
]
