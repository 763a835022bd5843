"""The icons that a message may have in place of its level's, and the pictures of senders."""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from monitio.conf import settings
from monitio.utils.text import check_url

logger = logging.getLogger("monitio")

# Path data in a box of 24 by 24, drawn with a stroke. Browsers get the path and not the name:
# all of them would double the weight of the script.
ICONS = {
    "archive": "M3.5 4.5h17v4h-17zM5 8.5v11h14v-11M10 12.5h4",
    "bell": "M6 17v-7a6 6 0 0 1 12 0v7zm-3 0h18m-11 4h4",
    "calendar": "M4.5 6h15v14h-15zm0 4.5h15M8.5 3.5V6m7-2.5V6",
    "card": "M3 6h18v12.5H3zm0 4h18M6.5 15H10",
    "cart": "M3 4.5h2.5L7.7 15h9.8l2-7.5H6.3M9 19.5h.1m7.4 0h.1",
    "chart": "M4 4v16h16M8.5 16v-4.5m4 4.5V8m4 8v-6",
    "chat": "M4 5h16v11.5h-8.5L7 20v-3.5H4z",
    "clock": "M12 4a8 8 0 1 0 0 16 8 8 0 1 0 0-16m0 3.5V12l3 2",
    "cloud": "M7 18.5a4 4 0 0 1-.5-8 5.5 5.5 0 0 1 10.7-1 4.5 4.5 0 0 1-.2 9z",
    "database": "M12 4c4 0 7 1.2 7 2.7s-3 2.7-7 2.7-7-1.2-7-2.7S8 4 12 4M5 6.7v10.6C5 18.8 8 20 12"
    " 20s7-1.2 7-2.7V6.7M5 12c0 1.5 3 2.7 7 2.7s7-1.2 7-2.7",
    "download": "M12 4v11m-4.5-4.5L12 15l4.5-4.5M5 19.5h14",
    "file": "M6 3.5h8L18.5 8v12.5H6zM13.5 3.5v5h5",
    "flag": "M6 21V4m0 1h12l-2.5 4 2.5 4H6",
    "gift": "M4 8.5h16V12H4zM5.5 12v8.5h13V12M12 8.5v12m0-12c-3 0-4.5-1.2-4.5-2.7S9 3.5 10 4.2"
    "c1.2.8 2 2.3 2 4.3 0-2 .8-3.5 2-4.3s2.5.1 2.5 1.6S15 8.5 12 8.5",
    "globe": "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 1 0 0-17M3.5 12h17M12 3.5c2.5 2.5 3.5 5.3 3.5"
    " 8.5s-1 6-3.5 8.5c-2.5-2.5-3.5-5.3-3.5-8.5s1-6 3.5-8.5",
    "image": "M4 4.5h16v15H4zM4 16l4.5-4.5 4 4 2.5-2.5 5 5M15 8.5h.1",
    "key": "M15.5 4a4.5 4.5 0 1 0 0 9 4.5 4.5 0 1 0 0-9M12.2 11.8 4.5 19.5m3-3 2.5 2.5",
    "lock": "M5.5 10.5h13v10h-13zm3 0v-3a3.5 3.5 0 0 1 7 0v3m-3.5 4v2",
    "mail": "M3.5 5.5h17v13h-17zm0 1.5 8.5 6 8.5-6",
    "package": "m12 3 8 4.5v9L12 21l-8-4.5v-9zM4 7.5l8 4.5 8-4.5M12 12v9",
    "shield": "m12 3 7.5 3v5.5c0 4.5-3 7.8-7.5 9.5-4.5-1.7-7.5-5-7.5-9.5V6zm-3 9 2 2 4-4",
    "star": "m12 3.5 2.6 5.4 5.9.8-4.3 4.1 1 5.9-5.2-2.8-5.2 2.8 1-5.9-4.3-4.1 5.9-.8z",
    "upload": "M12 15.5v-11M7.5 9 12 4.5 16.5 9M5 19.5h14",
    "user": "M12 4a4 4 0 1 0 0 8 4 4 0 1 0 0-8M4.5 20.5a7.5 7.5 0 0 1 15 0",
}


def check_icon(name: Any) -> str:
    """``name``, or '' for None. Raises ``ValueError`` that names the known ones."""
    if not name:
        return ""
    if name not in ICONS:
        raise ValueError(f"icon= cannot be {name!r}. The icons are {', '.join(ICONS)}.")
    return str(name)


def load_avatar() -> Any:
    """The function of MONITIO_AVATAR, None without one. Raises ``ImproperlyConfigured``."""
    if settings.AVATAR is None:
        return None
    try:
        return import_string(settings.AVATAR)
    except ImportError as error:
        raise ImproperlyConfigured(f"MONITIO_AVATAR: {error}") from error


def avatar_of(user: Any) -> str:
    """The address of the picture of a sender; '' for their initials."""
    picture = load_avatar() if user is not None else None
    if picture is None:
        return ""
    try:
        return check_url(str(picture(user) or ""))
    except Exception:
        # A message without its picture is better than none.
        logger.exception("MONITIO_AVATAR failed for user %s.", user.pk)
        return ""
