from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from monitio import scope
from monitio.api import export
from monitio.conf import settings
from monitio.management.users import user_named


class Command(BaseCommand):
    help = "Prints all that monitio holds about a user, as JSON; with MONITIO_SCOPE, by scope."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="user name")

    def handle(self, *args: Any, **options: Any) -> None:
        user = user_named(options["user"])
        found = scope.in_each(lambda: export(user))
        data = found if settings.SCOPE else found[""]
        text = json.dumps(data, cls=DjangoJSONEncoder, indent=2, ensure_ascii=False)
        self.stdout.write(text)
