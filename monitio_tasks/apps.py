from __future__ import annotations

from django.utils.translation import gettext_lazy as _

# Not the class itself: Django takes each one that it finds here for an app of this package.
from monitio.integrations import installed


class MonitioTasksConfig(installed.QueueAppConfig):
    name = "monitio_tasks"
    verbose_name = _("Messages from background tasks")

    def ready(self) -> None:
        from monitio.integrations import base
        from monitio_tasks import checks, compat, receivers  # noqa: F401 - registers the checks

        base.register(receivers.integration)
        for signals in compat.signal_modules():
            receivers.connect(signals)
