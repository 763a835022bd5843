"""Sessions and users of requests that wait together, by one query each.

When many pages connect again at once, Django's two queries for each request are a third of the work
of opening its stream. What is found here is what Django would read itself a moment later; where
anything is unusual, nothing is given, and Django reads. A log-out between the two is found by the
first check of the stream, as one between the request and the subscription is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import Any

from django.conf import settings as django_settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
    load_backend,
)
from django.contrib.auth.backends import ModelBackend
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.core.handlers.asgi import ASGIRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from monitio.conf import settings, when_overridden

# Requests in one query.
TOGETHER = 100


class StreamRequest(ASGIRequest):
    """A request whose session and user may have been read together with those of others.

    Every middleware runs as ever: Django's own find what they would have read.
    """

    # The key and the data of the session, and its user, as read from the database.
    found: tuple[str, dict[str, Any], Any] | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "session" and self.found is not None and type(value) is _store():
            key, data, _ = self.found
            if value.session_key == key and not hasattr(value, "_session_cache"):
                value._session_cache = data  # what its load() would return

    def __getattr__(self, name: str) -> Any:
        # Where Django keeps the user of the session; when it is missing, Django reads the user.
        if name == "_cached_user" and self.found is not None:
            user, session = self.found[2], self.__dict__.get("session")
            if user is not None and session is not None and _is_user_of(session, user):
                self._cached_user = user
                return user
        raise AttributeError(name)


class Waiting:
    """Requests that wait for a thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: dict[StreamRequest, None] = {}

    def add(self, request: StreamRequest) -> None:
        with self._lock:
            self._requests[request] = None

    def look_up(self, request: StreamRequest) -> None:
        """Call it before the request is handled: reads for it and those that wait behind it."""
        with self._lock:
            if request not in self._requests:
                return  # another thread has read for it, or is about to
            together = [request]
            del self._requests[request]
            while self._requests and len(together) < TOGETHER:
                other = next(iter(self._requests))
                del self._requests[other]
                together.append(other)
        # One alone is Django's. In another scope, or with a router, the tables may be others than
        # those that a middleware is about to choose.
        if len(together) > 1 and not (settings.SCOPE or django_settings.DATABASE_ROUTERS):
            _look_up(together)


def _look_up(requests: Iterable[StreamRequest]) -> None:
    store = _store()
    if store is None:
        return
    keys = {one: one.COOKIES.get(django_settings.SESSION_COOKIE_NAME) for one in requests}
    try:
        rows = store.get_model_class().objects.filter(
            session_key__in={key for key in keys.values() if key}, expire_date__gt=timezone.now()
        )
        texts = dict(rows.values_list("session_key", "session_data"))
        # Decoded for each: a middleware may change the data of its own request.
        decode = store().decode
        found = {one: decode(texts[key]) for one, key in keys.items() if key in texts}
        wanted = {data[SESSION_KEY] for data in found.values() if SESSION_KEY in data}
        users = get_user_model()._default_manager.in_bulk(wanted)
    except Exception:
        return  # each request meets the error itself, where Django answers it
    by_text = {str(pk): user for pk, user in users.items()}
    for one, data in found.items():
        # A user object belongs to one request.
        one.found = (keys[one] or "", data, by_text.pop(data.get(SESSION_KEY, ""), None))


@cache
def _store() -> Any:
    """The site's class of sessions, if it reads them as Django's own in the database does."""
    store = import_module(django_settings.SESSION_ENGINE).SessionStore
    is_known = issubclass(store, DatabaseStore) and all(
        getattr(store, name) is getattr(DatabaseStore, name)
        for name in ("load", "_get_session_from_db", "_get_session")
    )
    return store if is_known else None


when_overridden(_store.cache_clear, "SESSION_ENGINE")


def _is_user_of(session: Any, user: Any) -> bool:
    """Whether ``get_user`` would read this user now, and change nothing."""
    path = session.get(BACKEND_SESSION_KEY)
    if path not in django_settings.AUTHENTICATION_BACKENDS:
        return False
    backend: Any = load_backend(path)
    return (
        session.get(SESSION_KEY) == str(user.pk)
        and type(backend).get_user is ModelBackend.get_user
        and backend.user_can_authenticate(user)
        and constant_time_compare(session.get(HASH_SESSION_KEY) or "", user.get_session_auth_hash())
    )
