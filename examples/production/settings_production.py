"""The settings of a site in production, complete. Every secret comes from the environment.

/etc/contacts.env holds them; contacts.env beside this file names each.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import django
from django.utils.translation import gettext_lazy as _

ROOT = Path(os.environ.get("CONTACTS_ROOT", "/srv/contacts"))

DEBUG = False
SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = os.environ["ALLOWED_HOSTS"].split()
ROOT_URLCONF = "examples.demo.urls"
ASGI_APPLICATION = "examples.production.asgi.application"

# Behind nginx, which ends TLS (nginx.conf).
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    # Of this site.
    "corsheaders",
    "django_celery_results",
    "examples.demo.contacts",
    "monitio",
    "monitio_celery",
]
MIDDLEWARE = [
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
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

# A pool of connections, because under ASGI each thread would keep one of its own. With pgbouncer
# in front remove "pool", and give monitio's postgres transport, if you use it, the address of
# PostgreSQL itself in MONITIO_POSTGRES_DSN: a pooler drops LISTEN.
DATABASES: dict[str, Any] = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ.get("POSTGRES_DB", "contacts"),
        "USER": os.environ.get("POSTGRES_USER", "contacts"),
        "PASSWORD": os.environ.get("POSTGRES_PASSWORD", ""),
        # "": the socket of this machine, where the user of the system is the user of the database.
        "HOST": os.environ.get("POSTGRES_HOST", ""),
        "CONN_MAX_AGE": 0,
        "OPTIONS": {"pool": {"min_size": 1, "max_size": 8, "timeout": 10}},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# One Redis, two databases.
CELERY_BROKER_URL = os.environ.get("BROKER_URL", "redis://127.0.0.1:6379/0")
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Longer than the longest task or countdown: what runs longer would be started again.
    "visibility_timeout": 6 * 60 * 60,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_RESULT_BACKEND = "django-db"
CELERY_RESULT_EXTENDED = True
CELERY_TASK_TRACK_STARTED = True
CELERY_TIMEZONE = "UTC"

MESSAGE_STORAGE = "monitio.storage.PersistentMessageStorage"
MONITIO_TRANSPORT = "redis"
MONITIO_REDIS_URL = os.environ.get("MONITIO_REDIS_URL", "redis://127.0.0.1:6379/1")
# Two sites on one Redis need two prefixes.
MONITIO_REDIS_PREFIX = "contacts"
# Where the links in e-mails lead.
MONITIO_BASE_URL = f"https://{ALLOWED_HOSTS[0]}"
# nginx sends the client's address: for the limit on streams per address.
MONITIO_CLIENT_ADDRESS = "HTTP_X_FORWARDED_FOR"
MONITIO_CHANNELS = {
    "email": "monitio.channels.email.channel.EmailChannel",
    "push": "monitio.channels.webpush.WebPushChannel",
    "apprise": "monitio.channels.apprise.AppriseChannel",
}
# Addresses of users' services and devices are secrets: they are stored encrypted.
MONITIO_ENCRYPTION = "examples.production.encryption.FernetEncryption"
# Browsers subscribe with this key: a new one would lose every device.
MONITIO_VAPID_PRIVATE_KEY = os.environ["VAPID_PRIVATE_KEY"]
MONITIO_VAPID_CONTACT = f"mailto:admin@{ALLOWED_HOSTS[0]}"
MONITIO_BRAND = {"name": "Contacts", "color": "#2d5bd7"}
MONITIO_ADMIN_BELL = True
# Read messages go after a year; unread ones stay.
MONITIO_KEEP_READ_DAYS = 365
MONITIO_CATEGORIES: dict[str, Any] = {
    "imports": {"title": _("Imports, exports")},
    "billing": {"title": _("Billing")},
    "system": {"title": _("System")},
}

DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL", f"contacts@{ALLOWED_HOSTS[0]}")
SMTP: dict[str, Any] = {
    "host": os.environ.get("EMAIL_HOST", "localhost"),
    "port": int(os.environ.get("EMAIL_PORT", "25")),
    "username": os.environ.get("EMAIL_HOST_USER", ""),
    "password": os.environ.get("EMAIL_HOST_PASSWORD", ""),
    "timeout": 10,
}
SMTP["use_tls"] = bool(SMTP["username"])
if django.VERSION >= (6, 1):
    MAILERS = {
        "default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": SMTP}
    }
else:
    EMAIL_HOST, EMAIL_PORT = SMTP["host"], SMTP["port"]
    EMAIL_USE_TLS, EMAIL_TIMEOUT = SMTP["use_tls"], SMTP["timeout"]
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = SMTP["username"], SMTP["password"]

STATIC_URL = "static/"
STATIC_ROOT = ROOT / "static"
MEDIA_ROOT = ROOT / "media"
MAX_UPLOAD_SIZE = 200 * 1024 * 1024
STORAGES: dict[str, Any] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    # A file's name has its hash, so browsers keep it for a year (nginx.conf).
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
    # The files of tasks. The site and its workers share this folder, and no URL leads to it.
    "monitio": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": ROOT / "private"},
    },
}

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGES = [("en", "English"), ("pl", "Polski")]
LOCALE_PATHS = [Path(__file__).resolve().parents[1] / "demo" / "locale"]
LOGIN_URL = LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "home"

# One JSON object a line, for the journal.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "examples.production.json_lines.JSONFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
