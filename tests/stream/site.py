"""The URLs of the site that real servers serve: the tests' own, and a count of its open streams."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from monitio.stream.hub import get_hub


def open_streams(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(get_hub().open_streams()))


urlpatterns = [path("open/", open_streams), path("", include("tests.urls"))]
