"""Settings of the test project, whose processes share a database and a broker."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

from tests.support.databases import database

SECRET_KEY = os.environ.get("TEST_SECRET_KEY", "only for tests")
MONITIO_REDIS_PREFIX = os.environ.get("TEST_PREFIX", "monitio")
ALLOWED_HOSTS = ["*"]
USE_TZ = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ROOT_URLCONF = "tests.integration.celery.project.urls"
LANGUAGES = [("en", "English"), ("pl", "Polski")]
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "monitio",
    "monitio_celery",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "monitio_celery.middleware.NotifyMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
MESSAGE_STORAGE = "monitio.storage.PersistentMessageStorage"
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = os.environ.get("TEST_MAIL", "/tmp")
DEFAULT_FROM_EMAIL = "site@example.com"


# With ATOMIC_REQUESTS, as many sites have it.
DATABASES = {
    "default": {
        **database(os.environ.get("TEST_DATABASE", "sqlite:///tmp/monitio-celery.sqlite3")),
        "ATOMIC_REQUESTS": True,
    }
}

CELERY_BROKER_URL = os.environ.get("TEST_BROKER", "memory://")
CELERY_RESULT_BACKEND = os.environ.get("TEST_RESULTS", CELERY_BROKER_URL) or None
if CELERY_RESULT_BACKEND == "django-db":
    INSTALLED_APPS.append("django_celery_results")
# Keeps tests with a result backend that is down from waiting for twenty retries.
CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS = {"retry_policy": {"max_retries": 1}}
if "TEST_VISIBILITY" in os.environ and CELERY_BROKER_URL.startswith("redis"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": int(os.environ["TEST_VISIBILITY"])}
if "TEST_EVENTS" in os.environ:
    MONITIO_TRANSPORT = os.environ.get("TEST_TRANSPORT", "redis")
    MONITIO_REDIS_URL = os.environ["TEST_EVENTS"]
if "TEST_SCOPE" in os.environ:
    MONITIO_SCOPE = os.environ["TEST_SCOPE"]
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = "TEST_CANCEL_ON_LOSS" in os.environ
CELERY_TASK_ALWAYS_EAGER = "TEST_EAGER" in os.environ
CELERY_TASK_EAGER_PROPAGATES = os.environ.get("TEST_EAGER") == "propagate"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# The default would make tests wait for half a minute.
MONITIO_CELERY_ALIVE_INTERVAL = 0.5
MONITIO_CELERY_SWEEP_INTERVAL = int(os.environ.get("TEST_SWEEP_INTERVAL", "60"))
if "TEST_BEAT_IN_DATABASE" in os.environ:
    # django-celery-beat needs the module of python-crontab, which is hidden by the package of the
    # same name that django-tasks-rq installs.
    beside = Path(find_spec("crontabs").origin)
    spec = spec_from_file_location("crontab", beside.with_name("crontab.py"))
    sys.modules["crontab"] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules["crontab"])
    INSTALLED_APPS.append("django_celery_beat")
# Failures are tested one by one.
MONITIO_COLLAPSE_WITHIN = None
if "TEST_CANCEL_SIGNAL" in os.environ:
    MONITIO_CELERY_CANCEL_SIGNAL = None
# Tasks without recipients are logged at debug level.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"monitio": {"handlers": ["console"], "level": "DEBUG", "propagate": False}},
}
