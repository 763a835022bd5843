"""System checks of the Celery layer. Each has its line in docs/celery.md."""

from __future__ import annotations

from typing import Any

from celery import _state
from django.apps import apps
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Warning, register

from monitio.integrations.middleware import is_installed
from monitio_celery.conf import settings


@register()
def check_middleware(**_: Any) -> list[CheckMessage]:
    if is_installed():
        return []
    return [
        Warning(
            "Tasks do not record who started them: NotifyMiddleware is missing.",
            hint='Add "monitio_celery.middleware.NotifyMiddleware" to MIDDLEWARE.',
            id="monitio_celery.W001",
        )
    ]


@register()
def check_settings(**_: Any) -> list[CheckMessage]:
    """No setting is misspelt, and each has a value of its kind."""
    return settings.check(misspelt="monitio_celery.W005", wrong="monitio_celery.E006")


@register()
def check_broker(**_: Any) -> list[CheckMessage]:
    """Tasks have a broker."""
    missing = missing_broker()
    if missing is None:
        return []
    text, hint = missing
    return [Warning(text, hint=hint, id="monitio_celery.W004")]


@register()
def check_beat(**_: Any) -> list[CheckMessage]:
    """In production, the schedule of the site's app has monitio's entries."""
    if django_settings.DEBUG or missing_broker() or apps.is_installed("django_celery_beat"):
        return []
    app = _current_app()
    # Sites may fill the schedule as late as this.
    app.finalize()
    names = [str(entry.get("task")) for entry in app.conf.beat_schedule.values()]
    if any(name.startswith("monitio_celery.") for name in names):
        return []
    return [
        Warning(
            "Beat does not start monitio's tasks: no digest is sent, no e-mail is retried, and a "
            "task whose worker crashed stays unfinished.",
            hint="app.conf.beat_schedule |= monitio_celery.beat_schedule() (docs/celery.md), or "
            "run the management commands with cron.",
            id="monitio_celery.W007",
        )
    ]


@register()
def check_lost_after(**_: Any) -> list[CheckMessage]:
    """A running task may miss a heartbeat."""
    if any(settings.mistakes()):
        return []  # check_settings reports them
    # One late heartbeat must not mark a running task as lost.
    shortest = 2 * settings.CELERY_ALIVE_INTERVAL
    if shortest <= settings.CELERY_LOST_AFTER:
        return []
    return [
        Warning(
            "MONITIO_CELERY_LOST_AFTER is so short that healthy tasks are reported as interrupted.",
            hint=f"Set it to at least {shortest}, twice MONITIO_CELERY_ALIVE_INTERVAL.",
            id="monitio_celery.W002",
        )
    ]


@register()
def check_waiting_lost_after(**_: Any) -> list[CheckMessage]:
    """A task may wait for a worker at least as long as one may be silent."""
    if any(settings.mistakes()):
        return []
    limit, shortest = settings.CELERY_WAITING_LOST_AFTER, settings.CELERY_LOST_AFTER
    if limit is None or limit >= shortest:
        return []
    return [
        Warning(
            "MONITIO_CELERY_WAITING_LOST_AFTER is so short that tasks in a busy queue are "
            "reported as interrupted.",
            hint=f"Set it to at least {shortest}, as MONITIO_CELERY_LOST_AFTER; a day is usual.",
            id="monitio_celery.W008",
        )
    ]


def missing_broker() -> tuple[str, str] | None:
    """Why tasks go to amqp://localhost, and a hint; None when a broker is configured."""
    app = _current_app()
    if app is not None and (app.conf.broker_write_url or app.conf.task_always_eager):
        return None
    if app is None or app.main == "default":
        hint = (
            "Import your Celery app in the package of your settings, in __init__.py: "
            "from .celery import app (docs/celery.md)."
        )
        return "No Celery app is imported, so tasks go to amqp://localhost.", hint
    hint = (
        "Set CELERY_BROKER_URL, and let the app load it: "
        'app.config_from_object("django.conf:settings", namespace="CELERY").'
    )
    return f"The Celery app {app.main!r} has no broker, so tasks go to amqp://localhost.", hint


def _current_app() -> Any:
    """The app, or None; celery.current_app would create one."""
    state: Any = _state
    return state._tls.current_app or state.default_app
