"""``django.tasks`` of Django 6.0 and newer, or its backport ``django-tasks`` before that."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

_installed = [name for name in ("django.tasks", "django_tasks") if find_spec(name)]
# The module with task_enqueued, task_started and task_finished; None without django.tasks.
signals: Any = import_module(f"{_installed[0]}.signals") if _installed else None
# The decorator @task.
task: Any = import_module(_installed[0]).task if _installed else None


def signal_modules() -> list[Any]:
    """The modules whose signals the backends of this site may send.

    django-tasks-rq sends those of the backport on Django 6.0, too.
    """
    used = [name for name in _installed[1:] if name in sys.modules]
    return [import_module(f"{name}.signals") for name in (*_installed[:1], *used)]
