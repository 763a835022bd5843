from __future__ import annotations

import os
import time

from celery import Celery
from celery.concurrency.asynpool import AsynPool

from monitio_celery import beat_schedule

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.integration.celery.project.settings")

if "TEST_CLOCK" in os.environ:
    # Simulates a machine whose clock is wrong.
    clock, error = time.time, float(os.environ["TEST_CLOCK"])
    time.time = lambda: clock() + error

# A worker checks for dead children every five seconds, and there is no setting for it.
AsynPool.timers = property(lambda pool: {pool.maintain_pool: 0.5})

app = Celery("project")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["tests.integration.celery.project", "monitio_celery"])
app.autodiscover_tasks(["tests.integration.celery.project"], related_name="release")
app.conf.beat_schedule = beat_schedule()
