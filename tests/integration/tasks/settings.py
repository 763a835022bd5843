"""A site whose tasks ``manage.py db_worker`` runs from the database."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, MIDDLEWARE

PACKAGE = "django.tasks" if find_spec("django.tasks") else "django_tasks"

# This site does not use Celery.
INSTALLED_APPS = [app for app in INSTALLED_APPS if app != "monitio_celery"]
INSTALLED_APPS += ["monitio_tasks", "django_tasks_db"]
INSTALLED_APPS += ["django_tasks"] if PACKAGE == "django_tasks" else []
MIDDLEWARE = [path.replace("monitio_celery", "monitio_tasks") for path in MIDDLEWARE]
ROOT_URLCONF = "tests.integration.tasks.site"
TASKS: dict[str, Any] = {
    "default": {"BACKEND": "django_tasks_db.DatabaseBackend"},
    "at_once": {"BACKEND": f"{PACKAGE}.backends.immediate.ImmediateBackend"},
}
# The default would make tests wait.
MONITIO_JOB_HEARTBEAT_INTERVAL = 0.2
