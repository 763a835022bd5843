from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse

from monitio.integrations.context import current_request
from monitio_celery.middleware import NotifyMiddleware


def test_the_request_is_current_only_while_it_is_served() -> None:
    seen: list[Any] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(current_request.get())
        return HttpResponse()

    request = HttpRequest()
    NotifyMiddleware(view)(request)
    assert seen == [request]
    assert current_request.get() is None


def test_the_request_is_removed_after_an_error() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        raise ValueError

    with pytest.raises(ValueError):
        NotifyMiddleware(view)(HttpRequest())
    assert current_request.get() is None


def test_an_async_view() -> None:
    seen: list[Any] = []

    async def view(request: HttpRequest) -> HttpResponse:
        seen.append(current_request.get())
        return HttpResponse()

    async def serve(request: HttpRequest) -> Any:
        await NotifyMiddleware(view)(request)  # type: ignore[misc]
        return current_request.get()

    request = HttpRequest()
    assert asyncio.run(serve(request)) is None
    assert seen == [request]
