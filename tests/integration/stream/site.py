"""The URLs of the site that real servers serve: those of all tests, and views for assertions."""

from __future__ import annotations

import os

import psutil
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from monitio import INFO, api
from monitio.recipients import Recipient
from monitio.stream.broadcaster import get_broadcaster
from monitio.transports import Event
from monitio.transports.events import MESSAGE


def open_streams(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(get_broadcaster().open_streams()))


def process(request: HttpRequest) -> HttpResponse:
    """The process that responds, with its start: the system reuses ids."""
    return HttpResponse(f"{os.getpid()} {psutil.Process().create_time()}")


def fork(request: HttpRequest) -> HttpResponse:
    """The number of streams that a forked child process counts."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, str(get_broadcaster().open_streams()).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return HttpResponse(answer)


def flood(request: HttpRequest, topic: str, count: int) -> HttpResponse:
    """Deliver ``count`` events of 6 kB, each of another message, as the transport does."""
    for number in range(count):
        data = {"id": -number, "version": 1, "body": "x" * 6_000}
        get_broadcaster().receive(Event(topic, MESSAGE, data))
    return HttpResponse(str(count))


def write(request: HttpRequest, key: str, text: str) -> HttpResponse:
    """Write to ``user:1`` or ``visitor:…`` in the server's process."""
    return HttpResponse(str(api.create_message(Recipient.from_key(key), INFO, text).pk))


def recheck(request: HttpRequest, seconds: int) -> HttpResponse:
    """Set the interval at which new streams recheck their sessions."""
    settings.MONITIO_STREAM_RECHECK = seconds
    return HttpResponse(str(seconds))


urlpatterns = [
    path("open/", open_streams),
    path("process/", process),
    path("fork/", fork),
    path("recheck/<int:seconds>/", recheck),
    path("flood/<str:topic>/<int:count>/", flood),
    path("write/<str:key>/<str:text>/", write),
    path("", include("tests.urls")),
]
