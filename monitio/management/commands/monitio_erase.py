from __future__ import annotations

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from monitio import scope
from monitio.api import erase
from monitio.management.users import user_named


class Command(BaseCommand):
    help = (
        "Deletes all that monitio holds about a user, in every scope. What the user sent to others "
        "stays, without its sender. The account itself stays."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="user name")
        parser.add_argument("--yes", action="store_true", help="really delete")

    def handle(self, *args: Any, **options: Any) -> None:
        user = user_named(options["user"])
        if not options["yes"]:
            raise CommandError("This cannot be undone. monitio_export saves it; --yes deletes it.")
        total: Counter[str] = Counter()
        for deleted in scope.in_each(lambda: erase(user)).values():
            total.update(deleted)
        for kind, rows in total.items():
            self.stdout.write(f"{kind}: {rows}")
