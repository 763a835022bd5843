from __future__ import annotations

from django.utils.translation import gettext_lazy as _

# Not the class itself: Django takes each one that it finds here for an app of this package.
from monitio.integrations import installed


class MonitioCeleryConfig(installed.QueueAppConfig):
    name = "monitio_celery"
    verbose_name = _("Messages from Celery tasks")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Each import registers: the checks, and the tasks, whether or not the site discovers them.
        from monitio.integrations import base
        from monitio_celery import checks, integration, tasks  # noqa: F401
        from monitio_celery.signals.base import connect

        base.register(integration.celery)
        connect()
