"""What a real site has in place of the demo's embedded parts. Every secret comes from outside."""

from __future__ import annotations

import os
from pathlib import Path

from examples.demo.settings import *  # noqa: F403 - everything else is as in the demo

DEBUG = False
SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = os.environ["ALLOWED_HOSTS"].split()
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS]

# Behind nginx, which ends TLS (nginx.conf).
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# nginx says where a client comes from, for the limit on streams per address.
MONITIO_CLIENT_ADDRESS = "HTTP_X_FORWARDED_FOR"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
SECURE_HSTS_SECONDS = 3600

# In place of SQLite. No persistent connections under ASGI: each thread would keep one.
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ.get("POSTGRES_DB", "contacts"),
        "USER": os.environ.get("POSTGRES_USER", "contacts"),
        "PASSWORD": os.environ.get("POSTGRES_PASSWORD", ""),
        "HOST": os.environ.get("POSTGRES_HOST", ""),
        "CONN_MAX_AGE": 0,
    }
}

# In place of the embedded Valkey: one server, two databases.
CELERY_BROKER_URL = os.environ.get("BROKER_URL", "redis://127.0.0.1:6379/0")
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Longer than the longest task or countdown: what runs longer would be started again.
    "visibility_timeout": 6 * 60 * 60,
}
MONITIO_TRANSPORT = "redis"
MONITIO_REDIS_URL = os.environ.get("MONITIO_REDIS_URL", "redis://127.0.0.1:6379/1")
# Two sites on one Redis need two prefixes.
MONITIO_REDIS_PREFIX = "contacts"

# Where the links in e-mails lead.
MONITIO_BASE_URL = f"https://{ALLOWED_HOSTS[0]}"

# In place of the folder of e-mails.
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST = os.environ.get("EMAIL_HOST", "localhost")
EMAIL_HOST_USER = os.environ.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = "EMAIL_HOST_USER" in os.environ
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL", f"contacts@{ALLOWED_HOSTS[0]}")

# nginx serves what `manage.py collectstatic` lays here.
STATIC_ROOT = Path(os.environ.get("STATIC_ROOT", "/srv/contacts/static"))
MEDIA_ROOT = Path(os.environ.get("MEDIA_ROOT", "/srv/contacts/media"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    # The files of tasks. The site and its workers share this folder, and no URL leads to it.
    "monitio": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": os.environ.get("PRIVATE_ROOT", "/srv/contacts/private")},
    },
}
