"""The fields of a message beside its recipient, level and text.

A new field touches at most six code files: this one, ``api`` and ``storage`` (the signatures of
``create_message``, ``add_message`` and ``add``), ``messages/create`` (``build_message``),
``models/messages`` (the column; and a migration) and ``serializers`` (if browsers need it).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict

from monitio.channels.policy import Delay, Email, Via
from monitio.utils.text import AnyString


class MessageFields(TypedDict, total=False):
    # The user who sent it, and who gets the replies; None: the site.
    from_user: Any
    # CSS classes, separated by spaces, as in Django's messages. 255 characters at most.
    extra_tags: str
    # Plain text above the message. 255 characters at most.
    subject: AnyString
    # When it disappears. A naive moment is in the current time zone.
    expires: datetime | None
    # Seconds that its pop-up stays open; None: as the page's options.
    close_timeout: int | None
    # Whether open pages show it at once; False: it waits for the next page.
    sse: bool
    # Whether to e-mail it: always (True), "unless_read" or "unless_seen".
    email: Email
    # What it links to: a path, or an http(s) URL. 2048 characters at most.
    url: str | None
    # The text of that link; '': a default text. 255 characters at most.
    url_label: AnyString
    # The kind of message that users' preferences apply to. 100 characters at most.
    category: str
    # One of monitio.utils.icons in place of the level's; '': the level's.
    icon: str
    # Seconds or a timedelta that a conditional e-mail waits; None: MONITIO_EMAIL_DELAY.
    email_delay: Delay
    # Further channels: {"push": True, "email": after(300, unless="seen")}.
    via: Via | None


def check_names(function: str, fields: MessageFields) -> None:
    """Raise ``TypeError``, as Python does, for names that are no fields."""
    for name in fields:
        if name not in MessageFields.__annotations__:
            known = ", ".join(MessageFields.__annotations__)
            raise TypeError(f"{function}() has no argument {name!r}. Its fields are {known}.")
