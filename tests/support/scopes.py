"""Tenants that share every table; a context variable holds the current one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponse

PATH = f"{__name__}.ContextScope"
MIDDLEWARE = f"{__name__}.by_header"

_current: ContextVar[str] = ContextVar("test_scope", default="")


class ContextScope:
    """The tenants ``a`` and ``b``; outside of both the scope is ``''``."""

    def current(self) -> str:
        return _current.get()

    @contextmanager
    def activate(self, scope: str) -> Iterator[None]:
        token = _current.set(scope)
        try:
            yield
        finally:
            _current.reset(token)

    def all(self) -> list[str]:
        return ["a", "b"]

    def base_url(self) -> str:
        return f"https://{_current.get()}.example.com"


def by_header(get_response: Callable[[HttpRequest], HttpResponse]) -> object:
    """Middleware that takes the tenant from the header ``X-Scope``."""

    def middleware(request: HttpRequest) -> HttpResponse:
        with ContextScope().activate(request.headers.get("X-Scope", "")):
            return get_response(request)

    return middleware
