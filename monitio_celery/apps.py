from __future__ import annotations

from django.utils.translation import gettext_lazy as _

# Not the class itself: Django takes each one that it finds here for an app of this package.
from monitio.integrations import installed


class MonitioCeleryConfig(installed.QueueAppConfig):
    name = "monitio_celery"
    verbose_name = _("Messages from Celery tasks")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Imports register the checks, the handlers of signals and the tasks, whether or not the
        # site discovers them.
        from monitio.integrations import base
        from monitio_celery import checks, integration, tasks  # noqa: F401
        from monitio_celery.signals import base as receivers
        from monitio_celery.signals import heartbeat, publish, run, worker  # noqa: F401

        base.register(integration.celery)
        receivers.connect()
