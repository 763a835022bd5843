"""The rivals: one insert and one publish at the start, one update and one publish at the end."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import redis
from celery.signals import task_prerun, task_success
from django.conf import settings

from benchmarks.overhead.models import Note


@cache
def publisher() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS)


def publish(user: int, **event: Any) -> None:
    publisher().publish(f"user:{user}", json.dumps(event))


def connect(task: Any) -> None:
    task_prerun.connect(report_start, sender=task, weak=False)
    task_success.connect(report_success, sender=task, weak=False)


def report_start(*, task_id: str, args: Any, **_: Any) -> None:
    note = Note.objects.create(
        user_id=args[0], task_id=task_id, state="started", text="By hand: started"
    )
    publish(args[0], task=task_id, state=note.state, text=note.text)


def report_success(*, sender: Any, **_: Any) -> None:
    request = sender.request
    Note.objects.filter(task_id=request.id).update(state="succeeded", text="By hand: done")
    publish(request.args[0], task=request.id, state="succeeded", text="By hand: done")
