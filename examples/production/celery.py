"""The demo's Celery app on the settings of production: celery -A examples.production worker"""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "examples.production.settings_production")

from examples.demo.celery import app

__all__ = ["app"]
