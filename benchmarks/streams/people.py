"""Signed-in users of the site: rows of users and of their sessions.

python -m benchmarks.streams.people COUNT
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta

from tests.support.peers import ROOT


def session_key(user: int) -> str:
    return f"benchmark{user:023d}"


def populate(count: int, environment: Mapping[str, str]) -> None:
    """Create the tables and the users, in a process with this environment."""
    code = f"from benchmarks.streams.people import add; add({count})"
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, check=True)


def add(count: int) -> None:
    """Users 1 to ``count``; they have one password's hash, so one session hash serves all."""
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.db import SessionStore
    from django.contrib.sessions.models import Session
    from django.utils import timezone

    keys = range(1, count + 1)
    users = (User(pk=key, username=f"user {key}", password="!") for key in keys)
    User.objects.bulk_create(users, 5000)
    shared = {
        BACKEND_SESSION_KEY: "django.contrib.auth.backends.ModelBackend",
        HASH_SESSION_KEY: User(password="!").get_session_auth_hash(),
    }
    store, end = SessionStore(), timezone.now() + timedelta(days=1)
    sessions = (
        Session(
            session_key=session_key(key),
            expire_date=end,
            session_data=store.encode({SESSION_KEY: str(key), **shared}),
        )
        for key in keys
    )
    Session.objects.bulk_create(sessions, 5000)
