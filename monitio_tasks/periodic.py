"""monitio's periodic work as a task, for a scheduler that enqueues tasks of ``django.tasks``."""

from __future__ import annotations

from django.core.management import call_command

from monitio_tasks import compat


@compat.task  # type: ignore[untyped-decorator] # the backport's or Django's
def work() -> None:
    """One round of ``manage.py monitio_work``."""
    call_command("monitio_work", once=True)
