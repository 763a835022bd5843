"""``django.tasks`` of Django 6.0 and newer, or its backport ``django-tasks`` before that."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any


def _signals() -> Any:
    for package in ("django.tasks", "django_tasks"):
        if find_spec(package) is not None:
            return import_module(f"{package}.signals")
    return None


# The module with task_enqueued, task_started and task_finished; None without django.tasks.
signals: Any = _signals()
