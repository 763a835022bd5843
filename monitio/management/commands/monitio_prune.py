from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from monitio.api import prune


class Command(BaseCommand):
    help = "Deletes expired messages and what else nobody will see again. Run it daily."

    def handle(self, *args: Any, **options: Any) -> None:
        for kind, rows in prune().items():
            self.stdout.write(f"{kind}: {rows}")
