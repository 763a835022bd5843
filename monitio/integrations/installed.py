"""Reports tasks that ask for notifications although the app of their queue is not installed.

``notify_user`` itself only marks a task. Without the app no signal is handled, so nothing else
could report it. No models here: tasks are declared before apps are ready.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from django.apps import AppConfig, apps
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

logger = logging.getLogger("monitio")

_expected: set[str] = set()


def expect(app: str, signals: Iterable[Any]) -> None:
    """A check and, at the first of these signals, a log line report ``app`` if it is missing."""
    if app in _expected:
        return
    _expected.add(app)
    text = f'Tasks have @notify_user, but "{app}" is not installed: no user is notified.'
    cure = f'Add "monitio" and "{app}" to INSTALLED_APPS.'

    def check_installed(**_: Any) -> list[checks.CheckMessage]:
        if apps.is_installed(app):
            return []
        return [checks.Warning(text, hint=cure, id=f"{app}.W003")]

    def warn_once(**_: Any) -> None:
        for signal in signals:
            signal.disconnect(warn_once)
        if not (apps.ready and apps.is_installed(app)):
            logger.warning("%s %s", text, cure)

    checks.register(check_installed)
    for signal in signals:
        signal.connect(warn_once, weak=False)


class QueueAppConfig(AppConfig):
    """The app of an integration, which needs the models of ``monitio``."""

    def import_models(self) -> None:
        if not apps.is_installed("monitio"):
            raise ImproperlyConfigured(
                f'"{self.name}" needs "monitio" beside it in INSTALLED_APPS.'
            )
        super().import_models()
