"""The URLs of the site that real servers serve: the tests' own, and what tests ask of it."""

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
    """Which process answers: an id alone may come again."""
    return HttpResponse(f"{os.getpid()} {psutil.Process().create_time()}")


def fork(request: HttpRequest) -> HttpResponse:
    """How many streams a child process believes to have."""
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
    """This many events of 6 kB each, each of another message, as if the transport brought them."""
    for number in range(count):
        data = {"id": -number, "version": 1, "body": "x" * 6_000}
        get_broadcaster().receive(Event(topic, MESSAGE, data))
    return HttpResponse(str(count))


def write(request: HttpRequest, key: str, text: str) -> HttpResponse:
    """To ``user:1`` or ``visitor:…``, from this very process."""
    return HttpResponse(str(api.create_message(Recipient.from_key(key), INFO, text).pk))


def recheck(request: HttpRequest, seconds: int) -> HttpResponse:
    """Streams that open from now on look at their sessions this often."""
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
