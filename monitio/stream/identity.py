"""Whether the site would still answer the request of an open stream with the same recipient.

While session and account are unchanged, two queries confirm it, for many streams at once. When the
session has changed, or when it is not the session that identifies the user (but a middleware, a
token, the web server), the request goes through the site's middleware again, up to the view.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from contextvars import copy_context
from functools import cache
from typing import Any

from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user,
    load_backend,
)
from django.contrib.auth.backends import ModelBackend
from django.contrib.sessions.backends.cache import SessionStore as CacheStore
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.core.cache import caches
from django.core.handlers.base import BaseHandler
from django.db import router
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from monitio.conf import when_overridden
from monitio.recipients import Recipient, accounts, session_mark
from monitio.scope import activate
from monitio.utils.authentication import is_identified
from monitio.utils.replay import rebuilder

# Sessions in one query.
CHUNK = 500
_QUESTION = "_monitio_who_asks"


class SiteUnavailable(Exception):
    """The site cannot identify the user of a stream now: the page has to connect again."""


class Identity:
    """Who opened a stream, without a reference to the request, its thread and its connection."""

    # There is one for each open stream.
    __slots__ = (
        "_backend", "_build", "_is_in_session", "_password", "_row", "_state", "recipient",
        "session_key", "session_mark", "store",
    )  # fmt: skip

    def __init__(self, request: HttpRequest, recipient: Recipient) -> None:
        session: Any = getattr(request, "session", None)
        self.recipient = recipient
        self.session_key: str = getattr(session, "session_key", None) or ""
        # Identifies the session between processes.
        self.session_mark = session_mark(self.session_key)
        self.store = type(session)
        self._build = rebuilder(request)
        # A token may expire before the session, also one of the same user.
        self._is_in_session = (
            bool(self.session_key)
            and not is_identified(request)
            and (recipient.is_visitor or session.get(SESSION_KEY) == recipient.user_pk)
        )
        # Digests of the session's data, and of the row that held it.
        self._state = self._row = b""
        self._backend = self._password = ""
        if self._is_in_session:
            self._state = _digest(session)
            self._backend = sys.intern(str(session.get(BACKEND_SESSION_KEY, "")))
            self._password = session.get(HASH_SESSION_KEY, "")

    def is_valid(self) -> bool:
        """Check again: log-out, another log-in, impersonation, new password, deactivation, expiry.

        Raises ``SiteUnavailable`` when a middleware answers in place of the view.
        """
        with activate(self.recipient.scope):
            return self._is_valid()

    def _is_valid(self) -> bool:
        if not self._is_in_session:
            if not self._site_agrees():
                return False
            user: Any = accounts().filter(pk=self.recipient.user_id).first()
            return self.recipient.is_visitor or (user is not None and user.is_active)
        fresh: Any = HttpRequest()
        fresh.session = self.store(self.session_key)
        state = _digest(fresh.session)
        if state != self._state:
            if not self._site_agrees():
                return False
            self._state, self._row = state, b""
            return True
        if not self.recipient.is_visitor:
            # Compares the password's hash and asks the backend, which refuses inactive users.
            fresh.user = get_user(fresh)
        return Recipient.existing(fresh) == self.recipient

    @property
    def is_comparable(self) -> bool:
        """Whether it suffices to compare the rows of session and account."""
        return (
            bool(self._backend)
            and issubclass(self.store, (DatabaseStore, CacheStore))
            and type(load_backend(self._backend)).get_user is ModelBackend.get_user
        )

    def is_session(self, session: Any) -> bool:
        """Whether the session is unchanged; None is one that has ended."""
        return session is not None and _digest(session) == self._state

    def is_row(self, row: str | None) -> bool:
        """``is_session`` for a row's ``session_data``, which is decoded once."""
        if row is None:
            return False
        mark = _hash(row)
        if mark != self._row:
            if not self.is_session(self.store().decode(row)):
                return False
            self._row = mark
        return True

    def is_account(self, user: Any) -> bool:
        """Whether ``get_user`` would accept this account for the unchanged session."""
        backend: Any = load_backend(self._backend)
        password = getattr(user, "get_session_auth_hash", None)
        return (
            password is not None
            and backend.user_can_authenticate(user)
            and constant_time_compare(self._password, password())
        )

    def _site_agrees(self) -> bool:
        # In its own context: the middleware activates a language and a time zone.
        return copy_context().run(_who_asks, self._build()) == self.recipient


def unchanged(identities: Iterable[Identity]) -> set[Identity]:
    """The valid ones: one query for all sessions, and one for all accounts."""
    stores: dict[Any, list[Identity]] = {}
    for identity in identities:
        if identity.is_comparable:
            stores.setdefault(identity.store, []).append(identity)
    same = [one for store, some in stores.items() for one in _in_same_session(store, some)]
    owners = {one: one.recipient.user_id for one in same}
    users = accounts().in_bulk(set(owners.values())) if owners else {}
    return {one for one, owner in owners.items() if one.is_account(users.get(owner))}


def _in_same_session(store: Any, identities: list[Identity]) -> list[Identity]:
    keys = list({identity.session_key for identity in identities})
    if issubclass(store, CacheStore):
        names = {key: store(key).cache_key for key in keys}
        found = caches[settings.SESSION_CACHE_ALIAS].get_many(names.values())
        return [one for one in identities if one.is_session(found.get(names[one.session_key]))]
    model = store.get_model_class()
    rows = model._default_manager.using(router.db_for_write(model))
    valid: dict[str, str] = {}
    for start in range(0, len(keys), CHUNK):
        some = rows.filter(
            session_key__in=keys[start : start + CHUNK], expire_date__gt=timezone.now()
        )
        valid |= dict(some.values_list("session_key", "session_data"))
    return [one for one in identities if one.is_row(valid.get(one.session_key))]


def answer_who_asks(request: HttpRequest, recipient: Recipient | None) -> None:
    """Called by the view: ends a request of ``_who_asks`` here, with the recipient."""
    if hasattr(request, _QUESTION):
        raise _Answer(recipient)


class _Answer(BaseException):
    """Passes through the middleware, so that it saves, counts and logs nothing.

    Not an ``Exception``, which the innermost middleware would turn into a response.
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


when_overridden(_site.cache_clear, "MIDDLEWARE", "ROOT_URLCONF")


def _digest(session: Any) -> bytes:
    """The digest of the session's data; loads it."""
    return _hash(repr(dict(session.items())))


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
