"""Django settings of the tests.

MONITIO_TEST_DATABASE chooses another database than an SQLite file, for example
``postgres://user@/name?host=/run/postgres`` or ``mysql://root@/name?unix_socket=/run/mysql.sock``.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import django

from tests.support.databases import database

BASE = Path(__file__).parent
# One file per process, so that parallel runs share none.
SQLITE = f"sqlite://{tempfile.gettempdir()}/monitio-test-{os.getpid()}.sqlite3"

SECRET_KEY = "only for tests"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.urls"
DATABASES = {"default": database(os.environ.get("MONITIO_TEST_DATABASE") or SQLITE)}
# Tables are created from the models, in a quarter of the time that migrations take.
DATABASES["default"].setdefault("TEST", {})["MIGRATE"] = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Hashing that resists attacks takes a quarter of a second for each test user.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "monitio",
    "monitio_celery",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "monitio_celery.middleware.NotifyMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE / "templates"],
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
STATIC_URL = "static/"
USE_TZ = True
LANGUAGES = [("en", "English"), ("pl", "Polski")]
LOGIN_REDIRECT_URL = "/"
MONITIO_BASE_URL = "https://example.com"
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
else:
    EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
