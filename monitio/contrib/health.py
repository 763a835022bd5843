"""Health checks: ``path("health/", include("monitio.contrib.health"))``.

``live/`` answers as long as the process works, without database and session. ``ready/`` answers 503
while the database or the transport's settings are wrong, or the process is about to stop.
"""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connections
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from monitio import dispatch
from monitio.stream import shutdown
from monitio.transports import get_transport
from monitio.views.base import public


@public
def live(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", content_type="text/plain")


@public
def ready(request: HttpRequest) -> JsonResponse:
    """``{"database": true, "transport": true, "serving": true}``. Shows no errors: it is public."""
    found = {"database": True, "transport": True, "serving": not shutdown.stopping()}
    try:
        with connections[dispatch.database()].cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        found["database"] = False
    try:
        # A transport that is down delays events alone: pages work.
        get_transport()
    except ImproperlyConfigured:
        found["transport"] = False
    return JsonResponse(found, status=200 if all(found.values()) else 503)


urlpatterns = [
    path("live/", live, name="monitio_live"),
    path("ready/", ready, name="monitio_ready"),
]
