from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from monitio.integrations.base import sweep


class Command(BaseCommand):
    help = (
        "Marks tasks whose worker has died as interrupted. For sites without Celery's beat: run it "
        "every minute by cron, or use monitio_work."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{sweep()} interrupted.")
