"""Keeps the current request, so that a task notifies the user who started it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from monitio.integrations.context import current_request
from monitio.recipients import update_marker
from monitio.utils.middleware import has_middleware

logger = logging.getLogger("monitio")


class NotifyMiddleware:
    """Add it anywhere in ``MIDDLEWARE``: the user is looked up when a task is started.

    The response also sets, or removes, the cookie by which pages see that a visitor has a token.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self.__acall__(request)
        # Set outside of the view's ATOMIC_REQUESTS block: its on_commit callbacks still see it.
        token = current_request.set(request)
        try:
            response: HttpResponseBase = self.get_response(request)
        finally:
            # Threads are pooled: the next request must not find this one.
            current_request.reset(token)
        update_marker(request, response)
        return response

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        token = current_request.set(request)
        try:
            response: HttpResponseBase = await self.get_response(request)
        finally:
            current_request.reset(token)
        update_marker(request, response)
        return response


@cache
def warn_once_if_missing() -> None:
    """Log that a task was started whose user is unknown."""
    if not is_installed():
        logger.warning(
            "A task with @notify_user was started, but no user is notified: NotifyMiddleware is "
            "missing, so its starter is unknown. Add NotifyMiddleware of monitio_celery.middleware "
            "(or of monitio_tasks.middleware) to MIDDLEWARE, or name the recipients with user=."
        )


def is_installed() -> bool:
    """Whether ``MIDDLEWARE`` names it, or a class made of it."""
    return has_middleware(NotifyMiddleware)
