from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from monitio import scope
from monitio.conf import settings
from monitio.management.legacy import import_rows


class Command(BaseCommand):
    help = (
        "Copies the messages of django-monitio or django-persistent-messages. The old table stays "
        "as it is, and a second run copies nothing twice."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--table", default="monitio_monit", help="the old table")
        parser.add_argument("--dry-run", action="store_true", help="count, but write nothing")
        parser.add_argument(
            "--safe",
            action="store_true",
            help="the old texts are HTML of trusted authors; without it they are shown as text",
        )
        parser.add_argument(
            "--after",
            type=int,
            default=0,
            metavar="ID",
            help="only rows with a higher id: a message that its reader has deleted since an "
            "earlier run does not come back",
        )
        parser.add_argument("--scope", help="the tenant or site that the messages belong to")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["scope"]
        if name is None and settings.SCOPE is not None:
            raise CommandError("Name the tenant or site of these messages with --scope.")
        with scope.activate(name or ""):
            report = import_rows(
                options["table"],
                safe=options["safe"],
                dry_run=options["dry_run"],
                after=options["after"],
            )
        for line in report.lines():
            self.stdout.write(line)
        self.stdout.write(f"The last id was {report.last}.")
        if options["dry_run"]:
            self.stdout.write("Nothing was written.")
