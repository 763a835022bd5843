from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("examples.demo.contacts.urls")),
    path("messages/", include("monitio.urls")),
    path("health/", include("monitio.contrib.health")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
]
