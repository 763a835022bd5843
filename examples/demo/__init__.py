"""A small address book that imports contacts in the background."""

from __future__ import annotations

# Celery's shared tasks belong to this app, in the site as in the worker.
from examples.demo.celery import app as celery_app

__all__ = ["celery_app"]
