"""Files of jobs. For their readers; for others they do not exist (404)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import IO, Any
from urllib.parse import quote

from asgiref.sync import sync_to_async
from django.core import signing
from django.core.handlers.asgi import ASGIRequest
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from monitio import links
from monitio.conf import settings
from monitio.models import JobFile, Message
from monitio.models.files import file_storage
from monitio.views.base import own_message, personal, public

CHUNK = 256 * 1024


@personal
@require_safe
def message_file(request: HttpRequest, message_id: int, file_id: int) -> HttpResponseBase:
    """A file of the job of one of the recipient's own messages."""
    _recipient, message = own_message(request, message_id)
    return _respond(request, message, file_id)


@public
@require_safe
def message_signed_file(request: HttpRequest, token: str) -> HttpResponseBase:
    """The same for whoever has the link of an e-mail (``MONITIO_FILES_SIGNED_LINKS``)."""
    try:
        message_id, file_id = links.read_file_token(token)
    except signing.BadSignature:
        raise Http404("No such file") from None
    message = Message.objects.here().visible().filter(pk=message_id).first()
    if message is None or not settings.FILES_SIGNED_LINKS:
        raise Http404("No such file")
    return _respond(request, message, file_id)


def _respond(request: HttpRequest, message: Message, file_id: int) -> HttpResponseBase:
    job = message.job
    if job is None or not any(entry["id"] == file_id for entry in job.files or ()):
        raise Http404("No such file")
    rows = JobFile.objects.filter(pk=file_id, job=job, expires__gt=timezone.now())
    file = rows.first()
    if file is None:
        return render(request, "monitio/message/file_gone.html", {"message": message}, status=410)
    return send_file(request, file)


def send_file(request: HttpRequest, file: JobFile) -> HttpResponseBase:
    """The response with the file, by the way that the settings choose."""
    if settings.FILES_REDIRECT:
        return HttpResponseRedirect(file_storage().url(file.file))
    if settings.FILES_X_ACCEL:
        return _with_headers(
            HttpResponse(headers={"X-Accel-Redirect": settings.FILES_X_ACCEL + quote(file.file)}),
            file,
        )
    try:
        opened = file_storage().open(file.file, "rb")
    except FileNotFoundError:
        raise Http404("The storage has lost this file") from None
    if request.method == "HEAD":
        opened.close()
        response: HttpResponseBase = HttpResponse()
    elif isinstance(request, ASGIRequest):
        response = _AsyncFileResponse(opened)
    else:
        response = FileResponse(opened)
    response.headers["Content-Length"] = str(file.size)
    return _with_headers(response, file)


def _with_headers(response: HttpResponseBase, file: JobFile) -> HttpResponseBase:
    response.headers["Content-Type"] = file.content_type
    response.headers["Content-Disposition"] = content_disposition_header(True, file.name)
    response.headers["X-Content-Type-Options"] = "nosniff"
    # A proxy or a middleware must not keep or compress what may be a gigabyte.
    response.headers["Cache-Control"] = "private, no-store, no-transform"
    response.headers["Content-Encoding"] = "identity"
    return response


class _AsyncFileResponse(StreamingHttpResponse):
    """``FileResponse`` for ASGI, where Django reads a sync iterator as a whole."""

    def __init__(self, opened: IO[Any]) -> None:
        self._opened = opened
        super().__init__(self._chunks())

    async def _chunks(self) -> AsyncIterator[bytes]:
        read = sync_to_async(self._opened.read)
        while chunk := await read(CHUNK):
            yield chunk

    def close(self) -> None:
        super().close()
        self._opened.close()
