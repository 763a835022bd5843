"""The users' e-mail preferences: read, change, apply, and unsubscribe."""

from monitio.preferences.choices import (
    Category,
    Frequency,
    Mode,
    categories_of,
    change,
    filter_by_preference,
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
    "categories_of",
    "change",
    "filter_by_preference",
    "for_user",
    "get",
    "resubscribe",
    "unsubscribe",
    "unsubscribe_url",
]
