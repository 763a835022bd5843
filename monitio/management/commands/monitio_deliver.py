from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from monitio.channels.deliveries import run_due
from monitio.management.base import ScopedCommand


class Command(ScopedCommand):
    help = "Sends the e-mails that are due. For sites without a task queue: run it by cron."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--limit", type=int, default=1000, help="how many at most")

    def handle_scope(self, **options: Any) -> None:
        sent, waiting = run_due(options["limit"])
        self.report(f"{sent} sent, {waiting} could not be sent yet.")
