"""The URLs of the site that real servers serve: the tests' own, and what tests ask of it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from monitio.stream.hub import get_hub
from monitio.transports import Bell
from monitio.transports.base import MESSAGE


def open_streams(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(get_hub().open_streams()))


def flood(request: HttpRequest, topic: str, count: int) -> HttpResponse:
    """This many bells of 6 kB each, each of another message, as if the transport brought them."""
    for number in range(count):
        data = {"id": -number, "version": 1, "body": "x" * 6_000}
        get_hub().hear(Bell(topic, MESSAGE, data))
    return HttpResponse(str(count))


urlpatterns = [
    path("open/", open_streams),
    path("flood/<str:topic>/<int:count>/", flood),
    path("", include("tests.urls")),
]
