from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from django.core.management.base import CommandError, CommandParser

from monitio import preferences
from monitio.digests import sender as digests
from monitio.exceptions import PermanentFailure
from monitio.management.base import ScopedCommand
from monitio.management.users import user_named
from monitio.models import Preferences


class Command(ScopedCommand):
    help = (
        "Sends the digests that are due. For sites without a task queue: run it every few minutes "
        "by cron. With --dry-run it shows them and changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="show what would be sent")
        parser.add_argument(
            "--user",
            help="with --dry-run: this user's digest as it would be now, also when it is not due",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["user"] and not options["dry_run"]:
            raise CommandError("--user goes with --dry-run: what is due is sent to everybody.")
        self._is_found = not options["user"]
        super().handle(*args, **options)
        if not self._is_found:
            raise CommandError(f"There is no user {options['user']!r}.")

    def handle_scope(self, **options: Any) -> None:
        if options["user"]:
            # Where there are several scopes, the user may be unknown in some of them.
            with suppress(CommandError):
                user = user_named(options["user"])
                self._is_found = True
                row = preferences.for_user(user)
                row.user = user
                self._show([row])
        elif options["dry_run"]:
            self._show(digests.due())
        else:
            tally = digests.run_due()
            self.report(
                f"{tally.sent} sent, {tally.failed} failed, {tally.waiting} could not be sent yet."
            )

    def _show(self, rows: Iterable[Preferences]) -> None:
        count = 0
        for row in rows:
            moment = row.next_digest_at
            due = f"due {moment:%Y-%m-%d %H:%M %Z}".strip() if moment else "gets no digests"
            name = f"{row.user.get_username()} ({due})"
            try:
                mail = digests.preview(row)
            except PermanentFailure as failure:
                self.report(f"{name}: {failure}")
                continue
            if mail is None:
                self.report(f"{name}: nothing to say.")
                continue
            self.report(f"{name}, to {mail.to[0]}: {mail.subject}\n{mail.body}")
            count += 1
        self.report(f"{count} would be sent.")
