"""What monitio hears from Django: log-ins and log-outs."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.http import HttpRequest

from monitio import dispatch, visitors
from monitio.recipients import Recipient, take_token

logger = logging.getLogger("monitio")


def connect() -> None:
    user_logged_in.connect(keep_visitors_messages, dispatch_uid="monitio.logged_in")
    user_logged_out.connect(end_streams, dispatch_uid="monitio.logged_out")


def keep_visitors_messages(
    *, request: HttpRequest | None = None, user: Any, **kwargs: object
) -> None:
    """At log-in a visitor's messages become the user's."""
    token = take_token(getattr(request, "session", None))
    if token:
        visitors.log_in(token, user)
        dispatch.announce_recheck(Recipient.for_visitor(token))


def end_streams(*, user: Any = None, **kwargs: object) -> None:
    """At log-out the streams of that session end at once; others find theirs unchanged."""
    if user is not None:
        dispatch.announce_recheck(Recipient.for_user(user))
