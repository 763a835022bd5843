from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from monitio.channels.webpush import new_private_key


class Command(BaseCommand):
    help = "Makes the key that a site needs for push notifications, and prints the settings."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f'MONITIO_VAPID_PRIVATE_KEY = "{new_private_key()}"')
        self.stdout.write('MONITIO_VAPID_CONTACT = "mailto:you@example.com"')
