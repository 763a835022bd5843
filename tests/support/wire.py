"""Doubles for channels: HTTP requests without a network, and Django's error reports."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.views.debug import ExceptionReporter
from django.views.decorators.debug import sensitive_variables

from monitio.utils.outbound import Response


class Wire:
    """Replaces ``outbound.post``: ``responses`` are the next responses, ``sent`` the requests."""

    def __init__(self) -> None:
        self.responses: list[Response | Exception] = []
        self.sent: list[tuple[str, bytes, dict[str, str]]] = []

    @sensitive_variables()
    def __call__(self, url: str, body: bytes, headers: Any, *, timeout: float) -> Response:
        self.sent.append((url, body, dict(headers)))
        response = self.responses.pop(0) if self.responses else Response(204, None)
        if isinstance(response, Exception):
            raise response
        return response


@contextmanager
def error_reports() -> Iterator[list[str]]:
    """The e-mails that Django sends to ADMINS for log records of monitio."""
    reports: list[str] = []

    class Reports(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            assert record.exc_info
            reports.append(ExceptionReporter(None, *record.exc_info).get_traceback_html())

    handler = Reports()
    logging.getLogger("monitio").addHandler(handler)
    try:
        yield reports
    finally:
        logging.getLogger("monitio").removeHandler(handler)
