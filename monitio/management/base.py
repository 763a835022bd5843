"""What the commands that are run periodically have in common."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from monitio import scope
from monitio.exceptions import ScopesFailed


class ScopedCommand(BaseCommand):
    """Works in each scope in turn. Fails at the end when one of them has failed."""

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            scope.in_each(lambda: self.handle_scope(**options))
        except ScopesFailed as error:
            raise CommandError(str(error)) from error

    @abstractmethod
    def handle_scope(self, **options: Any) -> None:
        """The work in the current scope."""

    def report(self, text: str) -> None:
        """Print a line, with the scope that it speaks of where there are several."""
        name = scope.current()
        self.stdout.write(f"{name}: {text}" if name else text)
