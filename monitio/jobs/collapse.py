"""Failures that read the same: a loop that fails 500 times is one message that counts them.

The first message of its kind leads, and its row is unique: of two jobs that fail in the same
moment one finds the other. Once the message is read, deleted or too old, the next one leads.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from hashlib import blake2b

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone, translation
from django.utils.translation import ngettext

from monitio import dispatch
from monitio.conf import settings
from monitio.constants import State
from monitio.jobs.outcome import MessageContent
from monitio.jobs.recipients import JobRecipient
from monitio.models import Message, Repeat
from monitio.recipients import Recipient
from monitio.utils.shorten import LONGEST_LINE, shorten


def collapse(
    name: str, reader: JobRecipient, notice: MessageContent, say: Callable[[], Message | None]
) -> tuple[Message | None, bool]:
    """The message that says it, by ``say()`` if need be, and whether it had been said before.

    One that counts takes the place of the message that the reader held of this job. To be called
    in the transaction that won the job's row.
    """
    if not settings.COLLAPSE_WITHIN:
        return say(), False
    kind = _fingerprint(name, reader.recipient, notice)
    leader = _count(kind, reader, notice)
    if leader is None:
        reader.message = message = say()
        if message is None or _become_leader(kind, message):
            return message, False
        # Another job failed in this very moment, and leads.
        leader = _count(kind, reader, notice)
        if leader is None:
            return message, False
    _drop(reader)
    return leader, True


def _fingerprint(name: str, recipient: Recipient, notice: MessageContent) -> str:
    """What two failures must share to be told as one."""
    words = (notice.subject, notice.message, notice.url, notice.level, notice.category)
    return blake2b(repr((recipient.key, name, words)).encode(), digest_size=16).hexdigest()


def _count(kind: str, reader: JobRecipient, notice: MessageContent) -> Message | None:
    """The unread message of this kind, now counting one more; None when there is none."""
    repeat = Repeat.objects.filter(fingerprint=kind).first()
    own = reader.message if repeat is not None else None
    if repeat is None or (own is not None and own.pk == repeat.message_id):
        # Its own: the job has failed before.
        return None
    # By primary keys from here on: whoever locks by kind on MySQL, beside another whose _lead()
    # has just failed, waits for them and they for him.
    pk = repeat.message_id
    if not (_has_failed(pk) and _touch(pk, pop_up=own is not None)):
        Repeat.objects.filter(pk=repeat.pk, message=pk).delete()
        return None
    # The message is ours until the commit, and so is its count.
    Repeat.objects.filter(pk=repeat.pk).update(times=F("times") + 1)
    repeat.refresh_from_db(fields=["times"])
    leader = Message.objects.select_related("job").get(pk=repeat.message_id)
    leader.subject = _counted(reader.recipient, notice.subject, repeat.times)
    Message.objects.filter(pk=leader.pk).update(subject=leader.subject)
    return leader


def _has_failed(pk: int) -> bool:
    """Whether this message still reports a failure: its job may have gone on since."""
    return Message.objects.filter(pk=pk, job__state=State.FAILED).exists()


def _touch(pk: int, *, pop_up: bool) -> int:
    """Renew the message while it is unread. It pops up again where a pop-up ends in it."""
    begun = timezone.now() - timedelta(seconds=settings.COLLAPSE_WITHIN)
    rows = Message.objects.filter(pk=pk, read=False, hidden=False, modified__gte=begun)
    return rows.touch(seen=False) if pop_up else rows.touch()


def _become_leader(kind: str, message: Message) -> bool:
    """Let ``message`` count its kind from now on; False: another one is a moment ahead."""
    try:
        with transaction.atomic(using=dispatch.database()):
            Repeat.objects.create(fingerprint=kind, message=message)
    except IntegrityError:
        return False
    return True


def _drop(reader: JobRecipient) -> None:
    """The reader's own message of this job has nothing more to say."""
    if reader.message is not None:
        pk = reader.message.pk
        Message.objects.filter(pk=pk).delete()
        dispatch.announce_gone(reader.recipient, [pk])


def _counted(recipient: Recipient, subject: str, times: int) -> str:
    with translation.override(recipient.language or translation.get_language()):
        suffix = ngettext("(%(count)d time)", "(%(count)d times)", times) % {"count": times}
    return f"{shorten(subject, LONGEST_LINE - 1 - len(suffix))} {suffix}"
