"""A whole site in one file. `make run-minimal` starts it; then open http://127.0.0.1:8000/."""

import os
from pathlib import Path

import django
from django.conf import settings

HERE = Path(__file__).parent
DIRS = ("data_folder_in", "data_folder_out", "control_folder")
SQLITE = {"ENGINE": "django.db.backends.sqlite3", "NAME": HERE / "var/db"}
os.environ.setdefault("DJANGO_SETTINGS_MODULE", __name__)  # Celery asks for it
settings.configure(
    DEBUG=True,
    SECRET_KEY="an example has no secrets",
    ROOT_URLCONF=__name__,
    STATIC_URL="static/",
    DATABASES={"default": {**SQLITE, "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20}}},
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "django.contrib.staticfiles",
        "monitio",
        "monitio_celery",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "monitio_celery.middleware.NotifyMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "DIRS": [HERE / "templates"],
            "APP_DIRS": True,
            "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
        }
    ],
    MESSAGE_STORAGE="monitio.storage.PersistentMessageStorage",
    CELERY_BROKER_URL="filesystem://localhost",  # a folder; a real site has Redis or RabbitMQ
    CELERY_BROKER_TRANSPORT_OPTIONS={**dict.fromkeys(DIRS, HERE / "var"), "polling_interval": 0.1},
)
django.setup()

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import include, path

from examples.minimal.tasks import app, count_sheep  # noqa: F401 - Celery looks for `app`


def home(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        count_sheep.delay(50)
        return redirect("/")
    return render(request, "home.html")


urlpatterns = [path("", home), path("messages/", include("monitio.urls"))]
