from __future__ import annotations

from django.utils.translation import gettext_lazy as _

# Not the class itself: Django takes each one that it finds here for an app of this package.
from monitio.integrations import installed


class MonitioTasksConfig(installed.QueueAppConfig):
    name = "monitio_tasks"
    verbose_name = _("Messages from background tasks")

    def ready(self) -> None:
        from monitio import dispatch
        from monitio_tasks import checks, compat, receivers  # noqa: F401 - registers the checks

        dispatch.hooks.cancel[receivers.QUEUE] = receivers.leave_it_to_the_task
        if compat.signals is not None:
            receivers.connect(compat.signals)
