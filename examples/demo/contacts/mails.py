"""What Django's file-based e-mail backend has written, for the demo's page of e-mails."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from django.conf import settings

# The backend draws this line below each mail.
SEPARATOR = b"-" * 79
NEWEST = 30


@dataclass(frozen=True, kw_only=True)
class Mail:
    subject: str
    sender: str
    to: str
    date: str
    text: str


def newest() -> list[Mail]:
    """The newest mails, newest first."""
    files = sorted(Path(settings.EMAIL_FILE_PATH).glob("*.log"), reverse=True)[:NEWEST]
    return [mail for file in files for mail in reversed(list(_mails(file.read_bytes())))][:NEWEST]


def _mails(written: bytes) -> Iterator[Mail]:
    for source in written.split(SEPARATOR):
        if source.strip():
            message = email.message_from_bytes(source.lstrip(), policy=email.policy.default)
            yield _read(message)


def _read(message: EmailMessage) -> Mail:
    body = message.get_body(("plain",))
    return Mail(
        subject=str(message["Subject"]),
        sender=str(message["From"]),
        to=str(message["To"]),
        date=str(message["Date"]),
        text=str(body.get_content()).strip() if body else "",
    )
