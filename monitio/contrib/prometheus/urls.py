"""``path("metrics/", include("monitio.contrib.prometheus.urls"))``: for Prometheus alone."""

from __future__ import annotations

import os

import prometheus_client
from django.urls import path
from prometheus_client import multiprocess
from prometheus_client.django import PrometheusDjangoView

from monitio.contrib.prometheus.metrics import Tables
from monitio.views.base import public


class Everything:
    """What all processes of the host have measured, and the tables."""

    def collect(self):  # type: ignore[no-untyped-def] # prometheus-client has no name for it
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            registry = prometheus_client.CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        else:
            registry = prometheus_client.REGISTRY
        yield from registry.collect()
        yield from Tables().collect()


registry = prometheus_client.CollectorRegistry()
registry.register(Everything())

urlpatterns = [
    path("", public(PrometheusDjangoView.as_view(registry=registry)), name="monitio_metrics")
]
