"""What uvicorn and gunicorn serve. nginx serves the static files."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

import monitio.asgi

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "examples.production.settings_production")

# Open streams hold no thread.
application = monitio.asgi.application(get_asgi_application())
