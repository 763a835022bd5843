"""``MONITIO_AUTHENTICATION``: who sends a request that a token identifies, and not a session."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest
from django.utils.module_loading import import_string

from monitio.conf import settings
from monitio.utils.replay import without_cookies

# A browser adds these by itself, also to a form that another site has sent it.
SENT_BY_BROWSERS = frozenset({"basic", "digest", "negotiate", "ntlm"})
_IDENTIFIED = "_monitio_identified"


def identify(request: HttpRequest) -> None:
    """Set ``request.user`` to the user whom a callable names; without one, leave it as it is.

    Raises ``PermissionDenied`` for an inactive user, and for a token that names no user.
    """
    callables = load()
    if not callables:
        return
    # Cookies identify a user by the session alone, which is protected against forged requests.
    bare = without_cookies(request)
    user = next((user for ask in callables if (user := ask(bare))), None)
    if user is not None and not (user.is_authenticated and getattr(user, "is_active", True)):
        raise PermissionDenied("This user may not sign in.")
    if user is None:
        if _has_token(request):
            raise PermissionDenied("The Authorization header names no user.")
        return
    request.user = user
    setattr(request, _IDENTIFIED, True)


def is_identified(request: HttpRequest) -> bool:
    """Whether ``identify`` has found the user, and not the session."""
    return hasattr(request, _IDENTIFIED)


def is_by_token(request: HttpRequest) -> bool:
    """Whether only the client itself can have sent this request, so that no CSRF token is due."""
    return is_identified(request) and _has_token(request)


def load() -> list[Callable[[HttpRequest], Any]]:
    """The callables of MONITIO_AUTHENTICATION. Raises ``ImproperlyConfigured``."""
    found = []
    for path in settings.AUTHENTICATION:
        try:
            ask = import_string(path)
        except ImportError as error:
            raise ImproperlyConfigured(f"MONITIO_AUTHENTICATION: {error}") from error
        if inspect.isclass(ask) or not callable(ask) or inspect.iscoroutinefunction(ask):
            raise ImproperlyConfigured(
                f"MONITIO_AUTHENTICATION: {path!r} is no plain function of a request."
            )
        found.append(ask)
    return found


def _has_token(request: HttpRequest) -> bool:
    scheme = request.headers.get("Authorization", "").partition(" ")[0].lower()
    return bool(scheme) and scheme not in SENT_BY_BROWSERS
