"""The tests' pages, and a view that starts a task inside an event loop."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import include, path


async def start(request: HttpRequest) -> HttpResponse:
    from tests.integration.tenants.process import work

    return HttpResponse(work.delay().id)


urlpatterns = [path("start/", start), path("", include("tests.urls"))]
