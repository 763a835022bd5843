from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MonitioConfig(AppConfig):
    name = "monitio"
    verbose_name = _("Messages to users")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from monitio import checks, receivers
        from monitio.stream import shutdown

        checks.register()
        receivers.connect()
        # The last moment on the main thread under WSGI; under ASGI the first stream does it.
        shutdown.install()
