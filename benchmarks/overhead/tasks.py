"""Tasks that do nothing, with several handlers, and those that measure them."""

from __future__ import annotations

import time
from typing import Any

import redis
from celery import shared_task
from celery.signals import worker_init
from django.conf import settings

from benchmarks.overhead import by_hand as handlers
from monitio_celery import notify_user
from monitio_celery.signals import base as receivers


@shared_task(ignore_result=True)
def plain(user: int) -> None: ...


@shared_task(ignore_result=True)
def by_hand(user: int) -> None: ...


@shared_task(ignore_result=True)
def by_hand_late(user: int) -> None: ...


@shared_task(ignore_result=True)
@notify_user
def notified(user: int) -> None: ...


@shared_task
def begin(gate: str, with_monitio: bool) -> tuple[float, float]:
    """Wait until all of a round is in the queue; the clocks of this process, CPU and wall."""
    # The rivals and the plain task run without monitio's handlers.
    (receivers.connect if with_monitio else receivers.disconnect)()
    # redis-py 8 gives up after 5 s by itself.
    redis.Redis.from_url(settings.REDIS, socket_timeout=None).blpop([gate])
    return clocks()


@shared_task
def clocks() -> tuple[float, float]:
    return time.process_time(), time.perf_counter()


handlers.connect(by_hand)


@worker_init.connect
def connect_late(**_: Any) -> None:
    """After Celery's own handlers, which close the connection before a task."""
    handlers.connect(by_hand_late)
