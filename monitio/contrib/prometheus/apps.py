from __future__ import annotations

from django.apps import AppConfig


class PrometheusConfig(AppConfig):
    name = "monitio.contrib.prometheus"
    label = "monitio_prometheus"

    def ready(self) -> None:
        from monitio.contrib.prometheus import metrics
        from monitio.signals import job_ended
        from monitio.utils.measure import add_recorder

        add_recorder(metrics.record)
        job_ended.connect(metrics.observe_job, dispatch_uid="monitio.contrib.prometheus")
