"""Modules of the original django-monitio that are gone: their import names the successor."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from typing import Any

MODULES = {
    "monitio.notify": "monitio.create_message() publishes and mails",
    "monitio.tasks": "monitio.create_message(…, email=True) and beat_schedule() of monitio_celery",
    "monitio.testutil": "monitio.testing.capture_events()",
    "monitio.themes": "MONITIO_THEME and the custom properties of docs/browser.md",
}


class RenamedModules(MetaPathFinder):
    """Raises ``ModuleNotFoundError`` that names the successor of a module of the original.

    It is the last finder: only a module that does not exist gets here.
    """

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> None:
        if name in MODULES:
            # As an import does that finds nothing: Celery looks for `tasks` of each app.
            raise ModuleNotFoundError(
                f"{name} of django-monitio is gone. Use {MODULES[name]}; see docs/upgrade.md.",
                name=name,
            )


def install() -> None:
    if not any(isinstance(finder, RenamedModules) for finder in sys.meta_path):
        sys.meta_path.append(RenamedModules())
