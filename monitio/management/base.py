"""The base class of commands that run periodically."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from monitio import scope
from monitio.exceptions import ScopesFailed


class ScopedCommand(BaseCommand):
    """Runs in each scope in turn. Fails at the end if one of them has failed."""

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            scope.in_each(lambda: self.handle_scope(**options))
        except ScopesFailed as error:
            raise CommandError(str(error)) from error

    @abstractmethod
    def handle_scope(self, **options: Any) -> None:
        """The work in the current scope."""

    def report(self, text: str) -> None:
        """Print a line, with the name of the scope where there are several."""
        name = scope.current()
        self.stdout.write(f"{name}: {text}" if name else text)
