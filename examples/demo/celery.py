from __future__ import annotations

import os
from typing import Any

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "examples.demo.settings")

app = Celery("demo")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@app.on_after_finalize.connect
def schedule(sender: Any, **kwargs: Any) -> None:
    """What beat starts: monitio's own housekeeping."""
    from monitio_celery import beat_schedule

    sender.conf.beat_schedule = beat_schedule()
