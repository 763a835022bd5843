from __future__ import annotations

from celery import Celery

app = Celery("overhead")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["benchmarks.overhead", "monitio_celery"])
