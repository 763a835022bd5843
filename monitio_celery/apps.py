from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MonitioCeleryConfig(AppConfig):
    name = "monitio_celery"
    verbose_name = _("Messages from Celery tasks")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from monitio_celery import integration
        from monitio_celery.signals import run as receivers

        integration.install()
        receivers.connect()
