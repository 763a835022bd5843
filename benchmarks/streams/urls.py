from __future__ import annotations

from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = (
    [path("messages/", include("monitio.urls"))]
    if "monitio" in settings.INSTALLED_APPS
    else [
        path(
            "events/<user>/",
            include("django_eventstream.urls"),
            {"format-channels": ["user-{user}"]},
        )
    ]
)
