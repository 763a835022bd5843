from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MonitioTasksConfig(AppConfig):
    name = "monitio_tasks"
    verbose_name = _("Messages from background tasks")

    def ready(self) -> None:
        from monitio_tasks import checks, compat, receivers  # noqa: F401 - registers the checks

        if compat.signals is not None:
            receivers.connect(compat.signals)
