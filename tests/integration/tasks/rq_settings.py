"""The same site with django-tasks-rq: ``manage.py rqworker`` runs tasks from Redis."""

from __future__ import annotations

import os

from tests.integration.tasks.settings import *  # noqa: F403
from tests.integration.tasks.settings import INSTALLED_APPS, TASKS

INSTALLED_APPS = [*INSTALLED_APPS, "django_rq", "django_tasks_rq"]
RQ_QUEUES = {"default": {"URL": os.environ.get("TEST_REDIS", "redis://127.0.0.1")}}
TASKS = {**TASKS, "default": {"BACKEND": "django_tasks_rq.RQBackend"}}
