"""Metrics for Prometheus (extra ``metrics``): ``"monitio.contrib.prometheus"`` in INSTALLED_APPS.

``path("metrics/", include("monitio.contrib.prometheus.urls"))`` serves them. Several processes
share a folder, PROMETHEUS_MULTIPROC_DIR.
"""
