"""``django.tasks`` of Django 6.0 and newer, or its backport ``django-tasks`` before that."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

_installed = [name for name in ("django.tasks", "django_tasks") if find_spec(name)]
# The module with task_enqueued, task_started and task_finished; None without django.tasks.
signals: Any = import_module(f"{_installed[0]}.signals") if _installed else None
# The decorator @task.
task: Any = import_module(_installed[0]).task if _installed else None
