from __future__ import annotations

from typing import Any

from monitio.api import prune
from monitio.management.base import ScopedCommand


class Command(ScopedCommand):
    help = "Deletes expired messages and what else nobody will see again. Run it daily."

    def handle_scope(self, **options: Any) -> None:
        for kind, rows in prune().items():
            self.report(f"{kind}: {rows}")
