"""Settings of the demo. What a real site does differently stands in examples/production/."""

from __future__ import annotations

import os
import secrets
from base64 import urlsafe_b64encode
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.utils.translation import gettext_lazy as _

HERE = Path(__file__).resolve().parent
# Everything the demo writes; `make clean` removes it.
VAR = Path(os.environ.get("DEMO_VAR") or HERE / "var")


def vapid_private_key() -> str:
    """The demo's own, made by its first start: browsers subscribe with it. A real site makes one
    with manage.py monitio_vapid.
    """
    path = VAR / "vapid_private_key"
    VAR.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError), path.open("x") as file:
        file.write(urlsafe_b64encode(secrets.token_bytes(32)).decode())
    return path.read_text()


DEBUG = True
SECRET_KEY = "a demo has no secrets"
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
ROOT_URLCONF = "examples.demo.urls"
ASGI_APPLICATION = "examples.demo.asgi.application"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "corsheaders",
    "django_celery_results",
    # Before monitio: its template monitio/base.html gives monitio's pages the look of the site.
    "examples.demo.contacts",
    "monitio",
    "monitio_celery",
]
MIDDLEWARE = [
    # Before anything that answers by itself, so that every answer gets its headers.
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # Remembers who starts a task.
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

# SQLite for several processes: writers wait for each other instead of failing.
DATABASES: dict[str, Any] = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": VAR / "db.sqlite3",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# monitio: the storage makes messages persistent, the transport carries news between processes.
MESSAGE_STORAGE = "monitio.storage.PersistentMessageStorage"
REDIS_URL = os.environ.get("DEMO_REDIS_URL", "")
MONITIO_TRANSPORT = "redis" if REDIS_URL else "polling"
if REDIS_URL:
    MONITIO_REDIS_URL = REDIS_URL
# Where links in e-mails lead.
MONITIO_BASE_URL = os.environ.get("DEMO_BASE_URL", "http://127.0.0.1:8000")
MONITIO_CATEGORIES: dict[str, Any] = {
    "imports": {"title": _("Imports, exports")},
    "billing": {"title": _("Billing")},
    "system": {"title": _("System")},
}
MONITIO_BRAND = {"name": "Contacts", "color": "#2d5bd7"}
# The bell in the admin, too.
MONITIO_ADMIN_BELL = True

# Push notifications and services: the preferences page has the button "Notify me on this device",
# and a form that adds a service.
MONITIO_CHANNELS = {
    "email": "monitio.channels.email.channel.EmailChannel",
    "push": "monitio.channels.webpush.WebPushChannel",
    "apprise": "monitio.channels.apprise.AppriseChannel",
}
MONITIO_VAPID_PRIVATE_KEY = vapid_private_key()
MONITIO_VAPID_CONTACT = "mailto:contacts@example.com"

# Celery: results in the database, as django-celery-results does it.
CELERY_RESULT_BACKEND = "django-db"
CELERY_RESULT_EXTENDED = True
CELERY_TASK_TRACK_STARTED = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"
if REDIS_URL:
    CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://").replace(
        "?db=", "?virtual_host="
    )
else:
    # No server at all: a folder is the queue. It loses the tasks that run while a worker is killed.
    BROKER_FOLDER = VAR / "broker"
    CELERY_BROKER_URL = "filesystem://localhost"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(BROKER_FOLDER),
        "data_folder_out": str(BROKER_FOLDER),
        "control_folder": str(BROKER_FOLDER / "control"),
        "polling_interval": 0.1,
    }

# Let a page of another origin open the live stream with the visitor's cookies.
CORS_ALLOWED_ORIGINS: list[str] = os.environ.get("DEMO_CORS_ORIGINS", "").split()
CORS_ALLOW_CREDENTIALS = True

# The demo mails into a folder; the page "E-mails" shows what is in it.
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = VAR / "mail"
DEFAULT_FROM_EMAIL = "Contacts <contacts@example.com>"

MEDIA_ROOT = VAR / "media"
STORAGES: dict[str, Any] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    # What tasks attach: outside MEDIA_ROOT, because only the readers of its message get a file.
    "monitio": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": VAR / "private"},
    },
}
# Above this Django stores an upload in a file while it arrives.
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
MAX_UPLOAD_SIZE = 200 * 1024 * 1024
STATIC_URL = "static/"

USE_TZ = True
TIME_ZONE = os.environ.get("TZ") or "UTC"
USE_THOUSAND_SEPARATOR = True
LANGUAGES = [
    ("ar", "العربية"),
    ("de", "Deutsch"),
    ("en", "English"),
    ("es", "Español"),
    ("fr", "Français"),
    ("ja", "日本語"),
    ("pl", "Polski"),
    ("pt-br", "Português (Brasil)"),
]
LOCALE_PATHS = [HERE / "locale"]
LOGIN_URL = LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "home"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
