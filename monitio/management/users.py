"""Users as arguments of commands."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError
from django.db import router

from monitio.utils.text import identifier


def user_named(name: str) -> Any:
    """Raises ``CommandError`` when there is no user of this name."""
    model: Any = get_user_model()
    try:
        manager = model._default_manager.db_manager(router.db_for_write(model))
        return manager.get_by_natural_key(identifier("user name", name))
    except (model.DoesNotExist, ValueError):
        raise CommandError(f"There is no user {name!r}.") from None
