"""Scopes: the tenants or sites of a process that serves several of them.

``MONITIO_SCOPE`` names an object that lists them. Without it there is one scope, ``''``.
A recipient, and with it a topic, a token or a count, belongs to exactly one scope. Code that runs
outside of a request activates the scope that it works for.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import cache, wraps
from typing import Any, ParamSpec, Protocol, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.utils.module_loading import import_string

from monitio.conf import settings, when_overridden
from monitio.exceptions import ScopesFailed

__all__ = ["ScopeBackend", "activate", "all", "bind", "current", "in_each", "key_in", "scope_of"]

P = ParamSpec("P")
T = TypeVar("T")
Method = TypeVar("Method", bound=Callable[..., Any])

logger = logging.getLogger("monitio")

LENGTH = 64
_PLAIN = re.compile(rf"[a-z0-9_.-]{{0,{LENGTH}}}")
# ":" and "/" are separators in keys; no database stores the others.
_ANY = re.compile(rf"[^\s/:\x00-\x1f\x7f\ud800-\udfff]{{0,{LENGTH}}}")


class ScopeBackend(Protocol):
    """What ``MONITIO_SCOPE`` names: an object with these methods, or its class.

    A scope is text of up to 64 characters without spaces, ``/`` and ``:`` (on MySQL out of
    ``a-z 0-9 _ . -``); ``''`` belongs to no tenant. A method ``base_url() -> str`` is not required:
    where links in e-mails of the current scope begin.
    """

    def current(self) -> str:
        """The scope of the running code."""

    def activate(self, scope: str) -> AbstractContextManager[Any]:
        """Make ``scope`` the current one inside the block, in this thread or context."""

    def all(self) -> Iterable[str]:
        """Every scope, for periodic work."""


class _OneScope:
    """The default: the one scope is ``''``."""

    def current(self) -> str:
        return ""

    def activate(self, scope: str) -> AbstractContextManager[Any]:
        return nullcontext()

    def all(self) -> Iterable[str]:
        return [""]


@cache  # each recipient needs it
def backend() -> ScopeBackend:
    """The object of ``MONITIO_SCOPE``. Raises ``ImproperlyConfigured``."""
    path = settings.SCOPE
    if not path:
        return _OneScope()
    try:
        named = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(
            f"MONITIO_SCOPE = {path!r} cannot be imported: {error}."
        ) from error
    found: Any = named() if isinstance(named, type) else named
    missing = [name for name in ("current", "activate", "all") if not hasattr(found, name)]
    if missing:
        raise ImproperlyConfigured(
            f"MONITIO_SCOPE = {path!r} has no {' and no '.join(missing)}(): it needs current(), "
            "activate(scope) and all(), as monitio.scope.ScopeBackend describes them."
        )
    return found  # type: ignore[no-any-return]


when_overridden(backend.cache_clear, "MONITIO_SCOPE")


def current() -> str:
    """The scope of the running code. Raises ``ImproperlyConfigured`` for an invalid one."""
    scope = backend().current()
    return scope if scope == "" else valid(scope)


def activate(scope: str) -> AbstractContextManager[Any]:
    """Make ``scope`` the current one inside the block."""
    return backend().activate(scope if scope == "" else valid(scope))


def all() -> list[str]:  # noqa: A001 - as the backend calls it
    """Every scope, each once."""
    return list(dict.fromkeys(map(valid, backend().all())))


def valid(scope: Any) -> str:
    """``scope`` if it can be one. Raises ``ImproperlyConfigured``."""
    if isinstance(scope, str):
        if not scope or _PLAIN.fullmatch(scope):
            return scope
        # To MySQL, A equals a and é equals e: two tenants would be one.
        is_mysql_used = any(connections[alias].vendor == "mysql" for alias in connections)
        if _ANY.fullmatch(scope) and not is_mysql_used:
            return scope
    raise ImproperlyConfigured(
        f"{scope!r} cannot be a scope. MONITIO_SCOPE gives text of up to {LENGTH} characters "
        "without spaces, / and :; on MySQL out of a-z, 0-9, _, . and -."
    )


def base_url() -> str:
    """Where absolute links of the current scope begin; '' when that is unknown.

    ``MONITIO_BASE_URL``, unless the backend has a ``base_url()``.
    """
    own = getattr(backend(), "base_url", None)
    return str(own() if own is not None else settings.BASE_URL)


def key_in(scope: str, key: str) -> str:
    """``key`` with its scope, which makes it unique in the process."""
    return f"{scope}/{key}" if scope else key


def scope_of(key: str) -> str:
    """The scope of a recipient's key or topic."""
    # Before the kind: neither a scope nor a kind holds a colon.
    head = key.partition(":")[0]
    return head.rpartition("/")[0]


def by_scope(keys: Iterable[str]) -> dict[str, list[str]]:
    """Keys of recipients, or topics, grouped by their scope."""
    groups: dict[str, list[str]] = {}
    for key in keys:
        groups.setdefault(scope_of(key), []).append(key)
    return groups


def bind(call: Callable[P, T]) -> Callable[P, T]:
    """``call`` in the present scope, whenever and wherever it is called."""
    scope = current()

    @wraps(call)
    def bound(*args: P.args, **kwargs: P.kwargs) -> T:
        with activate(scope):
            return call(*args, **kwargs)

    return bound


def in_own_scope(method: Method) -> Method:
    """A method that runs in the scope of its object, ``self.scope``."""

    @wraps(method)
    def inside(self: Any, *args: Any, **kwargs: Any) -> Any:
        with activate(self.scope):
            return method(self, *args, **kwargs)

    return inside  # type: ignore[return-value]


def in_each(work: Callable[[], T]) -> dict[str, T]:
    """Call ``work`` in every scope; returns its results by scope.

    A scope that fails is logged and does not stop the others. Raises ``ScopesFailed`` after the
    last one; without ``MONITIO_SCOPE`` the exception of ``work``.
    """
    if not settings.SCOPE:
        return {"": work()}
    results: dict[str, T] = {}
    failed: list[str] = []
    for scope in all():
        try:
            with activate(scope):
                results[scope] = work()
        except Exception:
            logger.exception("Scope %r failed; the other scopes follow.", scope)
            failed.append(scope)
    if failed:
        raise ScopesFailed(f"Failed in {', '.join(map(repr, failed))}; the log has the errors.")
    return results
