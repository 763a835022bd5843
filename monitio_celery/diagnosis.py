"""What a worker reports about itself to ``manage.py monitio_doctor``, as a control command."""

from __future__ import annotations

import hashlib
import inspect
import platform
import time
from types import CodeType
from typing import Any

import celery
import django
from celery import current_app
from django.conf import settings as django_settings
from django.db import Error
from django.utils.crypto import salted_hmac

import monitio
from monitio.conf import settings
from monitio.dispatch import announce_news
from monitio.integrations.decorators import options_of
from monitio.models import Heartbeat
from monitio.recipients import Recipient
from monitio.utils.outage import one_line

COMMAND = "monitio_doctor"


def keyed(nonce: str, value: Any = "") -> str:
    """A hash with which two processes that share SECRET_KEY compare a value they do not send."""
    return salted_hmac(f"monitio.doctor.{nonce}", repr(value), algorithm="sha256").hexdigest()


def row_of(nonce: str) -> str:
    """The name of the heartbeat that the doctor writes, for workers to read."""
    return f"doctor:{nonce}"


def probe_recipient(nonce: str, worker: str) -> Recipient:
    """A visitor that does not exist, to whom a worker publishes an event."""
    return Recipient.for_visitor(hashlib.sha256(f"{nonce} {worker}".encode()).hexdigest()[:32])


def describe(nonce: str) -> dict[str, Any]:
    """This process, as far as another one needs it to compare."""
    try:
        shares_database: bool | str = Heartbeat.objects.filter(name=row_of(nonce)).exists()
    except Error as error:
        shares_database = one_line(error)
    return {
        "clock": time.time(),
        "secret_key": keyed(nonce),
        "database": shares_database,
        "transport": (settings.STREAM and "hub") or settings.TRANSPORT,
        # May hold passwords.
        "address": keyed(nonce, (settings.REDIS_URL, settings.POSTGRES_DSN, settings.STREAM)),
        "prefix": [settings.REDIS_PREFIX, settings.POSTGRES_CHANNEL],
        "scope": settings.SCOPE or "",
        "versions": {
            "monitio": monitio.__version__,
            "Django": django.__version__,
            "Celery": celery.__version__,
            "Python": platform.python_version(),
        },
        "settings": django_settings.SETTINGS_MODULE,
        "tasks": {
            name: digest(task) if options_of(task) is not None else ""
            for name, task in current_app.tasks.items()
            if not name.startswith("celery.")
        },
    }


def digest(task: Any) -> str:
    """Of the code of a task that notifies, as this process has loaded it."""
    code = getattr(inspect.unwrap(task.run), "__code__", None)
    return hashlib.sha256(_parts(code).encode()).hexdigest()[:16] if code else ""


def _parts(code: CodeType) -> str:
    constants = [
        _parts(value) if isinstance(value, CodeType) else repr(value) for value in code.co_consts
    ]
    # The order of a set differs between processes.
    plain = ["".join(sorted(text)) if text.startswith("frozenset") else text for text in constants]
    return repr((code.co_code, code.co_names, plain))


def answer(state: Any, nonce: str = "", **_: Any) -> dict[str, Any]:
    """The control command."""
    announce_news([probe_recipient(nonce, state.hostname)])
    consumer = state.consumer.task_consumer
    return {**describe(nonce), "queues": [queue.name for queue in consumer.queues]}
