"""Whether the site would still answer the request of an open stream with the same recipient.

While the session and the account are what they were, two reads say yes. When the session has
changed, or when it is not the session that names the user (a middleware, a token, the web server),
the request goes through the site's middleware once more, up to the view.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextvars import copy_context
from functools import cache
from io import BytesIO
from typing import Any

from django.contrib.auth import SESSION_KEY, get_user
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.base import BaseHandler
from django.core.handlers.wsgi import WSGIRequest
from django.core.signals import setting_changed
from django.http import HttpRequest

from monitio.recipients import Recipient, accounts
from monitio.stream.protocol import SiteUnavailable

_QUESTION = "_monitio_who_asks"


class Identity:
    """Who opened a stream. Keeps nothing of the request that holds its thread or connection."""

    def __init__(self, request: HttpRequest, recipient: Recipient) -> None:
        session: Any = getattr(request, "session", None)
        self.recipient = recipient
        self.session_key: str | None = getattr(session, "session_key", None)
        self._store = type(session)
        self._build = _rebuilder(request)
        self._is_in_session = self.session_key is not None and (
            recipient.is_visitor or session.get(SESSION_KEY) == recipient.user_pk
        )
        self._state = _state_of(session) if self._is_in_session else b""

    def is_valid(self) -> bool:
        """Look again: log-out, another log-in, impersonation, new password, deactivation, expiry.

        Raises ``SiteUnavailable`` when a middleware answers in place of the view.
        """
        if not self._is_in_session:
            return self._site_agrees() and (self.recipient.is_visitor or self._is_active())
        fresh: Any = HttpRequest()
        fresh.session = self._store(self.session_key)
        state = _state_of(fresh.session)
        if state != self._state:
            if not self._site_agrees():
                return False
            self._state = state
        if not self.recipient.is_visitor:
            # Compares the password's hash and asks the backend, which refuses inactive users.
            fresh.user = get_user(fresh)
        return Recipient.existing(fresh) == self.recipient

    def _site_agrees(self) -> bool:
        # What the middleware activates (language, time zone) ends with the question.
        return copy_context().run(_who_asks, self._build()) == self.recipient

    def _is_active(self) -> bool:
        user: Any = accounts().filter(pk=self.recipient.user_id).first()
        return user is not None and user.is_active


def answer_who_asks(request: HttpRequest, recipient: Recipient | None) -> None:
    """To be called by the view: it goes no further when only this was the question."""
    if hasattr(request, _QUESTION):
        raise _Answer(recipient)


class _Answer(BaseException):
    """Leaves the middleware as it stands: nothing is saved, counted or logged for a question.

    No ``Exception``, or the innermost middleware would make a response of it.
    """

    def __init__(self, recipient: Recipient | None) -> None:
        super().__init__()
        self.recipient = recipient


def _who_asks(request: HttpRequest) -> Recipient | None:
    setattr(request, _QUESTION, True)
    try:
        status = _site().get_response(request).status_code
    except _Answer as answer:
        return answer.recipient
    finally:
        request.close()
    raise SiteUnavailable(f"a middleware answers with {status}")


@cache
def _site() -> BaseHandler:
    handler = BaseHandler()
    handler.load_middleware()
    return handler


def _forget_site(*, setting: str, **kwargs: object) -> None:
    if setting in {"MIDDLEWARE", "ROOT_URLCONF"}:
        _site.cache_clear()


setting_changed.connect(_forget_site, dispatch_uid="monitio.identity")


def _rebuilder(request: HttpRequest) -> Callable[[], HttpRequest]:
    """Makes requests like this one, as the server's handler makes them."""
    if isinstance(request, ASGIRequest):
        scope = {key: value for key, value in request.scope.items() if _is_plain(value)}
        return lambda: ASGIRequest(dict(scope), BytesIO())
    environ = {key: value for key, value in request.META.items() if _is_plain(value)}
    # Django has decoded these two.
    environ["SCRIPT_NAME"] = _as_wsgi(request.META.get("SCRIPT_NAME", ""))
    environ["PATH_INFO"] = _as_wsgi(request.path_info)
    environ.setdefault("REQUEST_METHOD", "GET")
    return lambda: WSGIRequest({**environ, "wsgi.input": BytesIO()})


def _is_plain(value: object) -> bool:
    return isinstance(value, str | bytes | list | tuple)


def _as_wsgi(text: str) -> str:
    return text.encode().decode("latin-1")


def _state_of(session: Any) -> bytes:
    """A digest of what the session holds; loads it."""
    return hashlib.blake2b(repr(dict(session.items())).encode(), digest_size=16).digest()
