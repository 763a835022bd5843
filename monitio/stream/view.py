"""The view of a stream: who asks, how many streams may be open, and which driver answers.

One sync view serves WSGI and ASGI. Behind ``monitio.asgi`` it leaves an ``OpenStream``, and asgi.py
drives the stream.
"""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterator, Iterator
from contextvars import copy_context
from functools import partial

from django.core.handlers.asgi import ASGIRequest
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from monitio import scope
from monitio.conf import settings
from monitio.preferences import last_language
from monitio.recipients import Recipient, page_fits
from monitio.serializers import snapshot, snapshot_mark
from monitio.stream import capacity, frames, shutdown
from monitio.stream.broadcaster import Limits, get_broadcaster
from monitio.stream.drivers import (
    HANDOFF_KEY,
    OpenStream,
    StreamHandoff,
    drive_async,
    drive_sync,
)
from monitio.stream.identity import Identity, answer_who_asks
from monitio.stream.protocol import StreamSource
from monitio.stream.threads import close_connections, keeps_connections
from monitio.transports import get_hub
from monitio.utils.authentication import is_by_token
from monitio.utils.client_address import client_address

logger = logging.getLogger("monitio")

CONTENT_TYPE = "text/event-stream; charset=utf-8"
HEADERS = {
    "Cache-Control": "no-store, no-cache, no-transform",
    # Otherwise nginx buffers the response, and GZipMiddleware delays it.
    "X-Accel-Buffering": "no",
    "Content-Encoding": "identity",
}


def respond(request: HttpRequest) -> HttpResponseBase:
    """The stream of the user or visitor who asks; 204 for a page that is another recipient's.

    503 when the database does not answer: every open page asks again and again, and an error would
    send an e-mail to the administrators each time.
    """
    try:
        response = _answer(request)
    except DatabaseError as error:
        logger.warning("No stream can open, the database does not answer: %s", error)
        headers = {"Retry-After": str(math.ceil(settings.STREAM_RETRY / 1000))}
        response = HttpResponse(status=503, headers=headers)
    for name, value in HEADERS.items():
        response[name] = value
    return response


def _answer(request: HttpRequest) -> HttpResponseBase:
    recipient = Recipient.existing(request)
    answer_who_asks(request, recipient)
    page = request.GET.get("page", "")
    # Another tab cannot change who sends a token: without a page, there is none to protect.
    is_free = not page and is_by_token(request)
    if recipient is None or not (is_free or page_fits(page, recipient)):
        # The one status at which EventSource does not come back.
        return HttpResponse(status=204)
    last_language.note(recipient)
    hub = get_hub()
    if hub is not None:
        return hub.respond(request, recipient.topic)
    # Made anew each time.
    identity, topic = Identity(request, recipient), recipient.topic
    source = StreamSource(
        snapshot=partial(_snapshot, recipient),
        still_valid=identity.is_valid,
        stopping=shutdown.stopping,
        identity=identity,
        key=(topic, recipient.language),
        has=request.GET.get("has", ""),
    )
    return _response(request, topic, source)


def _snapshot(recipient: Recipient, has: str) -> bytes:
    # Called in other threads, whose connections do not have the request's tenant.
    with scope.activate(recipient.scope):
        get_broadcaster().before_snapshot(recipient.topic)
        if has and snapshot_mark(recipient) == has:
            return frames.event("resync", {"mark": has})
        return frames.event("snapshot", snapshot(recipient, marked=True))


def _response(request: HttpRequest, topic: str, source: StreamSource) -> StreamingHttpResponse:
    handoff = request.scope.get(HANDOFF_KEY) if isinstance(request, ASGIRequest) else None
    limits = _limits(request, behind_endpoint=handoff is not None)
    body: Iterator[bytes] | AsyncIterator[bytes]
    if handoff is not None:
        return HandedOff(_hand_off(handoff, topic, source, limits), content_type=CONTENT_TYPE)
    elif isinstance(request, ASGIRequest):
        body = drive_async(topic, source, limits)
    else:
        body = drive_sync(topic, source, limits)
    return StreamingHttpResponse(body, content_type=CONTENT_TYPE)


async def _hand_off(
    handoff: StreamHandoff, topic: str, source: StreamSource, limits: Limits
) -> AsyncIterator[bytes]:
    """An empty body. Only Django itself reads it, when no middleware has replaced the response."""
    handoff.stream = OpenStream(topic, source, limits, copy_context())
    nothing: tuple[bytes, ...] = ()
    for frame in nothing:
        yield frame


class HandedOff(StreamingHttpResponse):
    """The response of a request whose stream asgi.py drives."""

    def close(self) -> None:
        super().close()
        if not keeps_connections():
            # Django has made this thread, which ends now, also with a CONN_MAX_AGE.
            close_connections()


def _limits(request: HttpRequest, *, behind_endpoint: bool) -> Limits:
    """How many streams this process can hold without starving its other requests."""
    per_process = settings.STREAMS_PER_PROCESS
    if not isinstance(request, ASGIRequest) and not request.META.get("wsgi.multithread", True):
        # A stream would hold its only thread.
        per_process = 0
    elif per_process is None:
        per_process = capacity.default(request, behind_endpoint=behind_endpoint)
    return Limits(
        per_process,
        settings.STREAMS_PER_USER,
        settings.STREAMS_PER_ADDRESS,
        client_address(request),
    )
