from __future__ import annotations

import os

from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application

import monitio.asgi

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "examples.demo.settings")

# The handler serves static files for the demo; nginx does it in production.
application = monitio.asgi.application(ASGIStaticFilesHandler(get_asgi_application()))
