"""One Django project for every subject that needs Django: a default site with signed-in users."""

from __future__ import annotations

import os
from typing import Any

FOLDER = os.environ["BENCHMARK_FOLDER"]
REDIS = os.environ["BENCHMARK_REDIS"]
REDIS_PORT = int(os.environ["BENCHMARK_REDIS_PORT"])
SUBJECT = os.environ["BENCHMARK_SUBJECT"]

SECRET_KEY = "benchmark"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "benchmarks.streams.urls"
USE_TZ = True
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": f"{FOLDER}/site.sqlite3",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
        },
    }
}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
]
INSTALLED_APPS += {
    "monitio": ["monitio"],
    "monitio_view": ["monitio"],
    "eventstream": ["django_eventstream"],
}.get(SUBJECT, [])
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
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
if "monitio" in INSTALLED_APPS:
    MESSAGE_STORAGE = "monitio.storage.PersistentMessageStorage"
MONITIO_TRANSPORT = "redis"
MONITIO_REDIS_URL = REDIS
MONITIO_STREAMS_PER_PROCESS = 200_000
MONITIO_STREAMS_PER_ADDRESS = None
MONITIO_STREAM_MAX_AGE = 3600

# redis-py 8 gives up after 5 s of silence by itself.
PEER: dict[str, Any] = {"address": REDIS, "socket_timeout": None}
EVENTSTREAM_REDIS: dict[str, Any] = {"host": "127.0.0.1", "port": REDIS_PORT, "db": 0}
CHANNEL_LAYERS = {
    "default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [PEER]}}
}
