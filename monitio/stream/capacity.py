"""How many streams a process holds without ``MONITIO_STREAMS_PER_PROCESS``."""

from __future__ import annotations

import math
import sys

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest

EVENT_LOOP = 1000
# Behind monitio.asgi, where a stream holds no thread.
ENDPOINT = 10_000
# gunicorn's gevent worker serves 1,000 connections; half of them stay for pages.
GREENLETS = 500
# runserver starts a thread for each request.
RUNSERVER = 100

_reserved = 0


def default(request: HttpRequest, *, behind_endpoint: bool) -> int:
    """The limit for the server of this request; with 0 its pages poll.

    A WSGI application cannot see how many threads its server has. Streams in all of them would
    leave none for pages.
    """
    if isinstance(request, ASGIRequest):
        return ENDPOINT if behind_endpoint else EVENT_LOOP
    gevent, eventlet = (sys.modules.get(name) for name in ("gevent.monkey", "eventlet.patcher"))
    if (gevent and gevent.is_module_patched("threading")) or (
        eventlet and eventlet.is_monkey_patched("thread")
    ):
        return GREENLETS
    if request.META.get("SERVER_SOFTWARE", "").startswith("WSGIServer/"):
        return RUNSERVER
    return _reserved


def reserve(threads: int) -> int:
    """Let streams hold some of the WSGI server's ``threads``; returns how many.

    A quarter of them, at least two, stays free for pages.
    """
    global _reserved
    _reserved = max(0, threads - max(2, math.ceil(threads / 4)))
    return _reserved
