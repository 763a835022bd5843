from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand

USERS = {"ann": "Ann", "bob": "Bob", "admin": "Admin"}


class Command(BaseCommand):
    help = "Migrate the demo's database and create its users; their passwords are their names."

    def handle(self, *args: Any, **options: Any) -> None:
        for folder in (settings.VAR, settings.EMAIL_FILE_PATH, settings.MEDIA_ROOT):
            folder.mkdir(parents=True, exist_ok=True)
        if not settings.REDIS_URL:
            (settings.BROKER_FOLDER / "control").mkdir(parents=True, exist_ok=True)
        call_command("migrate", verbosity=0)
        for name, first_name in USERS.items():
            _create(name, first_name)


def _create(name: str, first_name: str) -> None:
    User = get_user_model()
    if User.objects.filter(username=name).exists():
        return
    staff = {"is_staff": name == "admin", "is_superuser": name == "admin"}
    User.objects.create_user(name, f"{name}@example.com", name, first_name=first_name, **staff)
