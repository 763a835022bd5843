"""The URLs of a site that Prometheus scrapes."""

from __future__ import annotations

from django.urls import include, path

from tests.integration.stream import site

urlpatterns = [*site.urlpatterns, path("metrics/", include("monitio.contrib.prometheus.urls"))]
