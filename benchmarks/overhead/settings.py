"""A site whose worker is measured; the processes share a database and a Redis."""

from __future__ import annotations

import os

from tests.support.databases import database

SECRET_KEY = "only for benchmarks"
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "monitio",
    "monitio_celery",
    "benchmarks.overhead",
]
DATABASES = {"default": database(os.environ["BENCHMARK_DATABASE"])}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS = os.environ["BENCHMARK_REDIS"]
MONITIO_TRANSPORT, MONITIO_REDIS_URL = "redis", REDIS
CELERY_BROKER_URL = CELERY_RESULT_BACKEND = REDIS
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# None, Celery's default: its Django fixup closes the connection before and after every task.
CELERY_DB_REUSE_MAX = int(os.environ.get("BENCHMARK_DB_REUSE_MAX", "0")) or None
