"""Addresses of the original django-monitio: answers that name their successors."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

GONE = "{name} of django-monitio is gone. Use {cure}; see docs/upgrade.md.\n"


def _gone(name: str, cure: str) -> HttpResponse:
    # Django logs "Gone: /messages/…" as a warning.
    return HttpResponse(GONE.format(name=name, cure=cure), status=410, content_type="text/plain")


def sse(request: HttpRequest, channel: str = "") -> HttpResponse:
    cure = "{% load monitio %}{% monitio %}, which opens the stream itself (message_stream)"
    return _gone("persistent-messages-sse", cure)


def catalog(request: HttpRequest) -> HttpResponse:
    return _gone("js_i18n", "{% load monitio %}{% monitio %}, which brings its translations")
