"""Act on the messages of one recipient: mark, delete, cancel the job; and publish the change."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from monitio import dispatch, preferences
from monitio.conf import settings
from monitio.exceptions import NotAllowed
from monitio.messages.deletion import delete_or_hide
from monitio.messages.inbox import get_message
from monitio.models import Delivery, Destination, Job, Message
from monitio.models.messages import MessageQuerySet
from monitio.recipients import LARGEST_KEY, Recipient
from monitio.utils.outage import one_line
from monitio.utils.text import whole_number

logger = logging.getLogger("monitio")

# Above this many changed messages, open pages fetch a snapshot.
FEW = 20


def mark_read(who: Recipient, pks: Iterable[int]) -> int:
    return _change(who, pks, {"read": False}, {"read": True, "seen": True})


def mark_unread(who: Recipient, pks: Iterable[int]) -> int:
    return _change(who, pks, {"read": True}, {"read": False})


def mark_seen(who: Recipient, pks: Iterable[int]) -> int:
    return _change(who, pks, {"seen": False}, {"seen": True})


def mark_all_read(who: Recipient, until: int | None = None) -> int:
    changed = _until(who, until).unread().persistent().touch(read=True, seen=True)
    if changed:
        dispatch.announce_news([who])
    return changed


def delete(who: Recipient, pks: Iterable[int]) -> int:
    rows = Message.objects.of(who).filter(pk__in=_possible(pks), hidden=False)
    return _remove(who, list(rows.values_list("pk", flat=True)))


def delete_all(who: Recipient, until: int | None = None) -> int:
    return _remove(who, list(_until(who, until).values_list("pk", flat=True)))


def send_test(who: Recipient, pk: int) -> str:
    """Send a test to one of the user's own destinations: "test", or "quiet" when it waits for the
    end of the quiet hours. "1" when there is none that is on.
    """
    destination = Destination.objects.of([who.user_id]).enabled().filter(pk=pk).first()
    if destination is None or destination.channel not in settings.CHANNELS:
        return "1"
    # Hidden: it exists for its delivery alone, and goes with it.
    message = Message(
        subject=gettext("Test"),
        message=gettext("Notifications reach you here."),
        hidden=True,
        live=False,
    )
    message.recipient = who
    with transaction.atomic(using=dispatch.database()):
        message.save(force_insert=True)
        dispatch.deliver(
            [
                Delivery.objects.create(
                    message=message,
                    scope=message.scope,
                    channel=destination.channel,
                    target=destination.key,
                )
            ]
        )
    now = timezone.now()
    return "quiet" if preferences.held_until(message, now) > now else "test"


def cancel_job(who: Recipient, pk: int) -> bool:
    job = get_message(who, pk).job
    if job is None:
        raise NotAllowed("This message belongs to no job.")
    return cancel(job)


def cancel(job: Job) -> bool:
    """Request the end of a job. False when it has ended or was cancelled before.

    Raises ``NotAllowed`` when its author does not offer it.
    """
    hook = dispatch.hooks.cancel.get(job.integration)
    if not job.cancellable or hook is None:
        raise NotAllowed("This job cannot be cancelled: its author does not offer it.")
    if not Job.objects.filter(pk=job.pk).cancellable().update(cancel_requested=True):
        return False
    dispatch.announce_job(job)
    dispatch.after_commit(partial(_request_cancellation, hook, job))
    return True


def _request_cancellation(cancel: Callable[[str], None], job: Job) -> None:
    try:
        cancel(job.task_id)
    except Exception as error:
        logger.warning(
            "Job %s could not be cancelled; its recipients may try again. %s",
            job.task_id,
            one_line(error),
        )
        Job.objects.filter(pk=job.pk).update(cancel_requested=False)
        dispatch.announce_job(job)


def _change(
    who: Recipient, pks: Iterable[int], present: dict[str, bool], wanted: dict[str, bool]
) -> int:
    rows = Message.objects.of(who).filter(pk__in=_possible(pks), hidden=False, **present)
    # No transaction of our own: each statement stands alone, and SQLite's default mode refuses
    # a transaction that reads first and then writes while another process does.
    kept = list(rows.persistent().values_list("pk", flat=True))
    shown = list(rows.nonpersistent().values_list("pk", flat=True))
    changed = Message.objects.filter(pk__in=kept, **present).touch(**wanted)
    if len(kept) > FEW:
        dispatch.announce_news([who])
    elif kept:
        messages = list(Message.objects.filter(pk__in=kept).select_related("job", "from_user"))
        for message in messages:
            # live=False keeps a message from popping up; every open page needs its new state.
            message.live = True
        dispatch.announce(messages)
    return changed + _remove(who, shown)


def _until(who: Recipient, until: int | None) -> MessageQuerySet:
    """All of the recipient's messages, or those up to an id: the page had no later ones."""
    rows = Message.objects.of(who).filter(hidden=False)
    return rows if until is None else rows.filter(pk__lte=max(0, min(until, LARGEST_KEY)))


def _possible(pks: Iterable[int]) -> list[int]:
    # Some databases refuse a query with a number that no column can hold.
    numbers = [whole_number("pk", pk) for pk in pks]
    return [pk for pk in numbers if 0 < pk <= LARGEST_KEY]


def _remove(who: Recipient, pks: list[int]) -> int:
    if not pks:
        return 0
    delete_or_hide(Message.objects.filter(pk__in=pks), len(pks))
    dispatch.announce_gone(who, pks)
    return len(pks)
