"""System checks of the layer over ``django.tasks``. Each has its line in docs/tasks.md."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, Warning, register

from monitio.integrations.middleware import is_installed
from monitio_tasks import compat


@register()
def check_tasks(**_: Any) -> list[CheckMessage]:
    if compat.signals is not None:
        return []
    return [
        Error(
            "This Django has no django.tasks, which is part of Django 6.0 and later.",
            hint="Upgrade Django, or install its backport: pip install django-tasks.",
            id="monitio_tasks.E002",
        )
    ]


@register()
def check_middleware(**_: Any) -> list[CheckMessage]:
    if is_installed():
        return []
    return [
        Warning(
            "Tasks do not record who started them: NotifyMiddleware is missing.",
            hint='Add "monitio_tasks.middleware.NotifyMiddleware" to MIDDLEWARE.',
            id="monitio_tasks.W001",
        )
    ]
