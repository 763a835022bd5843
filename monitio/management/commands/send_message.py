from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from monitio import constants
from monitio.api import create_message
from monitio.management.users import user_named

LEVELS = ("DEBUG", "INFO", "SUCCESS", "WARNING", "ERROR")


class Command(BaseCommand):
    help = "Sends a message that is kept from one user to another."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("from_user", help="user name of the sender, - for nobody")
        parser.add_argument("to_user", help="user name of the recipient")
        parser.add_argument("level", type=str.upper, choices=LEVELS)
        parser.add_argument("message", nargs="+", help="the text")
        parser.add_argument("--subject", default="", help="a line above the text")
        parser.add_argument("--url", default=None, help="where the message leads")
        parser.add_argument("--email", action="store_true", help="also mail it")

    def handle(self, *args: Any, **options: Any) -> None:
        sender = None if options["from_user"] == "-" else user_named(options["from_user"])
        try:
            message = create_message(
                user_named(options["to_user"]),
                getattr(constants, options["level"]),
                " ".join(options["message"]),
                from_user=sender,
                subject=options["subject"],
                url=options["url"],
                email=options["email"],
            )
        except ValueError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Message {message.pk} sent to {options['to_user']}.")
