"""Send e-mails with Django's mail backend, and classify its errors.

Inside ``shared_connection`` several e-mails share one SMTP connection: greeting, TLS and log-in
take longer than the e-mail itself.
"""

from __future__ import annotations

import logging
import smtplib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

import django
from django.core import mail as django_mail
from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend as SmtpBackend
from django.db import connections

from monitio import scope
from monitio.channels.base import time_left
from monitio.conf import settings
from monitio.exceptions import PermanentFailure, TemporaryFailure

# RFC 4954 and 3207: the client must log in, or encrypt, first.
LOG_IN_CODES = frozenset({530, 534, 535, 538})
# Statuses that do not judge the e-mail: bad credentials, time-outs, rate limits.
HTTP_LATER = frozenset({401, 403, 408, 425, 429})
# E-mails on one connection: some servers refuse more than 20.
MAILS_A_CONNECTION = 10

logger = logging.getLogger("monitio")


class _SharedConnection:
    """The connection that several e-mails share, one after another."""

    def __init__(self) -> None:
        self.backend: Any = None
        self.mails = 0

    def send(self, backend: Any, mail: EmailMessage, seconds: float) -> None:
        self.backend = None  # a failed attempt closes the connection
        _TimedSend(backend, mail, keep_open=True).run(seconds)
        self.backend = backend
        self.mails += 1
        if self.mails % MAILS_A_CONNECTION == 0:
            self.close()

    def close(self) -> None:
        """Close the connection without waiting for the server's answer to QUIT."""
        if self.backend is not None:
            name = "monitio-mail-close"
            threading.Thread(target=_close, args=(self.backend,), name=name, daemon=True).start()
            self.backend = None


_shared_connection: ContextVar[_SharedConnection | None] = ContextVar(
    "monitio_shared_connection", default=None
)


@contextmanager
def shared_connection() -> Iterator[None]:
    """E-mails sent inside share one connection, where the site's backend uses SMTP."""
    shared = _SharedConnection()
    token = _shared_connection.set(shared)
    try:
        yield
    finally:
        _shared_connection.reset(token)
        shared.close()


def send(mail: EmailMessage) -> None:
    """Send one e-mail within ``MONITIO_EMAIL_TIMEOUT`` seconds.

    Raises ``TemporaryFailure`` when trying again later may help, ``PermanentFailure`` when it
    cannot.
    """
    seconds = time_left(settings.EMAIL_TIMEOUT)
    try:
        _send(mail, seconds)
    except (TemporaryFailure, PermanentFailure):
        raise
    except Exception as error:
        raise failure(error) from error


def _send(mail: EmailMessage, seconds: float) -> None:
    shared = _shared_connection.get()
    backend = (shared and shared.backend) or site_backend()
    if hasattr(backend, "timeout"):
        # SMTP, and the HTTP backends of django-anymail: bounds each single wait.
        backend.timeout = min(seconds, backend.timeout or seconds)
    if not isinstance(backend, SmtpBackend):
        _check(backend.send_messages([mail]))
    elif shared is None:
        _TimedSend(backend, mail).run(seconds)
    else:
        shared.send(backend, mail, seconds)


def failure(error: Exception) -> TemporaryFailure | PermanentFailure:
    """Whether a retry may help after this error of a mail backend."""
    reason = _reason(error)
    if isinstance(error, ValueError | LookupError):
        # An invalid address or header; for some of them Python's parser raises LookupError.
        return PermanentFailure(reason)
    code = _code(error)
    if code is not None and 500 <= code < 600:
        return PermanentFailure(reason)
    if code is None and not isinstance(error, OSError):
        # Another backend's own error: it may be an outage, and a retry loses nothing.
        logger.warning("The mail backend failed.", exc_info=error)
    return TemporaryFailure(reason)


class _TimedSend:
    """One e-mail by SMTP with a total time limit.

    A socket's time-out bounds each wait alone: a server that answers every command slowly, or a
    name server that is down, would block the caller for minutes. Hence the thread.
    """

    def __init__(self, backend: Any, mail: EmailMessage, *, keep_open: bool = False) -> None:
        self.backend, self.mail = backend, mail
        self.keep_open = keep_open  # for the next e-mail
        self.error: Exception | None = None
        self.is_sent = False
        self.is_over = threading.Event()

    def run(self, seconds: float) -> None:
        target = scope.bind(self._send)  # a backend may log to the database
        thread = threading.Thread(target=target, name="monitio-mail", daemon=True)
        thread.start()
        thread.join(seconds)
        hangs = thread.is_alive()  # before is_sent, which a finished thread has set
        if self.is_sent:
            return  # even if closing the connection hangs
        if hangs:
            # The thread must not send after the caller has reported a failure.
            self.is_over.set()
            for name in ("connection", "_partial_connection"):
                sock: Any = getattr(getattr(self.backend, name, None), "sock", None)
                with suppress(OSError, AttributeError):
                    sock.shutdown(socket.SHUT_RDWR)
            raise TemporaryFailure(
                f"The mail server took longer than {round(seconds, 1):g} seconds."
            )
        assert self.error is not None
        raise self.error

    def _send(self) -> None:
        try:
            connection = self.backend.connection
            if connection is not None and not _answers(connection):
                # The server has closed an idle connection: that is no failure of this e-mail.
                _close(self.backend)
            self.backend.open()
            if not self.is_over.is_set():
                _check(self.backend.send_messages([self.mail]))
                self.is_sent = True
        except Exception as error:
            self.error = error
        finally:
            if not (self.keep_open and self.is_sent):
                _close(self.backend)
            connections.close_all()  # of this thread


def site_backend() -> Any:
    """Raises ``TemporaryFailure`` where the settings of mail are wrong."""
    try:
        if django.VERSION >= (6, 1):
            return django_mail.mailers.default
        return django_mail.get_connection()
    except Exception as error:
        logger.exception("The site's mail settings are wrong.")
        raise TemporaryFailure(_reason(error)) from error


def _answers(connection: Any) -> bool:
    try:
        return bool(connection.noop()[0] == 250)
    except (OSError, smtplib.SMTPException):
        return False


def _close(backend: Any) -> None:
    """Errors while closing do not matter: the e-mail is sent or has failed by then."""
    with suppress(Exception):
        backend.close()


def _check(sent: object) -> None:
    # Some backends return None; 0 is a silent failure.
    if sent == 0:
        raise TemporaryFailure("The mail backend did not send it.")


def _code(error: Exception) -> int | None:
    """The SMTP code that judges this e-mail (RFC 5321 4.2.1: 4yz is temporary, 5yz permanent).

    None for replies from before the e-mail was submitted, such as to a wrong password.
    """
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return min(code for code, _ in error.recipients.values())
    if getattr(error, "smtp_code", None) in LOG_IN_CODES:
        return None
    before = (smtplib.SMTPConnectError, smtplib.SMTPHeloError, smtplib.SMTPAuthenticationError)
    if isinstance(error, smtplib.SMTPResponseException) and not isinstance(error, before):
        return int(error.smtp_code)
    # Errors of django-anymail have an HTTP status; some services refuse with a 200.
    answer = getattr(error, "response", None)
    status = getattr(error, "status_code", None) or getattr(answer, "status_code", None)
    if not isinstance(status, int):
        return None
    return 450 if status >= 500 or status in HTTP_LATER else 550


def _reason(error: Exception) -> str:
    """The text shown in the admin."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        replies = error.recipients.values()
        return "; ".join(f"{code} {_text(reply)}" for code, reply in replies)
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_text(error.smtp_error)}"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _text(reply: bytes | str) -> str:
    return reply.decode(errors="replace") if isinstance(reply, bytes) else str(reply)
