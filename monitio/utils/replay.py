"""Requests like one that was made before, as the server's handler makes them."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest

# What a request without cookies keeps of its scope or environment, beside other headers. No more:
# a server or a middleware may have read the user from a cookie, and left it under any name.
BARE = frozenset(
    "type http_version method path raw_path root_path query_string client server scheme "
    "REQUEST_METHOD SCRIPT_NAME PATH_INFO QUERY_STRING REMOTE_ADDR SERVER_NAME SERVER_PORT "
    "SERVER_PROTOCOL wsgi.url_scheme".split()
)


def rebuilder(request: HttpRequest) -> Callable[[], HttpRequest]:
    """Makes requests like this one, without its body."""
    if isinstance(request, ASGIRequest):
        scope = {key: value for key, value in request.scope.items() if _is_plain(value)}
        return lambda: ASGIRequest(dict(scope), BytesIO())
    environ = {key: value for key, value in request.META.items() if _is_plain(value)}
    return lambda: _from_environ(request.path_info, environ)


def without_cookies(request: HttpRequest) -> HttpRequest:
    """A request like this one in which nothing comes from a cookie, a session or a middleware."""
    if isinstance(request, ASGIRequest):
        scope = {key: value for key, value in request.scope.items() if key in BARE}
        headers = [pair for pair in request.scope["headers"] if pair[0].lower() != b"cookie"]
        return ASGIRequest({**scope, "headers": headers}, BytesIO())
    environ = {
        key: value
        for key, value in request.META.items()
        if key in BARE or (key.startswith("HTTP_") and key != "HTTP_COOKIE")
    }
    return _from_environ(request.path_info, environ)


def _from_environ(path_info: str, environ: dict[str, Any]) -> WSGIRequest:
    # Django has decoded these two.
    decoded = {"SCRIPT_NAME": environ.get("SCRIPT_NAME", ""), "PATH_INFO": path_info}
    paths = {name: text.encode().decode("latin-1") for name, text in decoded.items()}
    method = environ.get("REQUEST_METHOD", "GET")
    return WSGIRequest({**environ, **paths, "REQUEST_METHOD": method, "wsgi.input": BytesIO()})


def _is_plain(value: object) -> bool:
    return isinstance(value, str | bytes | list | tuple)
