"""The URLs of the fault tests' site, with a view that sets its clock back."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from tests.integration.faults.clock import turn_back


def turn_back_here(request: HttpRequest, seconds: int) -> HttpResponse:
    turn_back(seconds)
    return HttpResponse("done")


urlpatterns = [
    path("clock/<int:seconds>/", turn_back_here),
    path("", include("tests.integration.stream.site")),
]
