"""Celery's app: celery -A examples.production worker"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "examples.production.settings_production")

app = Celery("contacts")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@app.on_after_finalize.connect
def schedule(sender: Any, **kwargs: Any) -> None:
    from monitio_celery import beat_schedule

    sender.conf.beat_schedule = beat_schedule()


@setup_logging.connect
def keep_logging(**kwargs: Any) -> None:
    """Workers log by the setting LOGGING, and not in Celery's own format."""
    from logging.config import dictConfig

    from django.conf import settings

    dictConfig(settings.LOGGING)
