"""The verbs. Each that touches the database has a twin that can be awaited: ``acreate_message`` …

Wherever a recipient is asked for, a user, a user's primary key or a ``Recipient`` will do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.contrib.messages import MessageFailure
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from monitio import constants, dispatch
from monitio.channels.policy import Delay, Email, delivery_policy
from monitio.conf import DAY, settings
from monitio.exceptions import NotAllowed
from monitio.messages import create, replies
from monitio.messages.create import build_message, delete_or_hide, save_batch, save_message
from monitio.messages.recipients import iter_recipients, resolve_recipient
from monitio.models import Digest, Job, LastEvent, Message, Repeat, VisitorLogin
from monitio.models.schedule import checked_moment
from monitio.recipients import LARGEST_KEY, Recipient
from monitio.serializers import newest
from monitio.utils.outage import one_line
from monitio.utils.text import clean_text, whole_number

if TYPE_CHECKING:
    from collections.abc import Coroutine

logger = logging.getLogger("monitio")

# Above this many changed messages, open pages look for themselves.
FEW = 20

P = ParamSpec("P")
R = TypeVar("R")


def create_message(
    to_user: Any,
    level: int,
    message: str,
    from_user: Any = None,
    extra_tags: str = "",
    subject: str = "",
    expires: datetime | None = None,
    close_timeout: int | None = None,
    sse: bool = True,
    email: Email = False,
    *,
    url: str | None = None,
    url_label: str = "",
    category: str = "",
    email_delay: Delay = None,
) -> Message:
    """Write a message to somebody, from anywhere: a view, a task, a command.

    ``to_user`` is a user, a user's primary key or a ``Recipient``. A monitio level is kept until
    deleted, a Django level is removed once shown. ``close_timeout`` is in seconds; ``sse=False``
    rings no bell, the message waits for the next page.

    ``email=True`` also mails it; ``"unless_read"`` and ``"unless_seen"`` (an open page showed it)
    mail it after ``email_delay`` (seconds or a timedelta; default ``MONITIO_EMAIL_DELAY``) when it
    is still news then. A delay with ``email=True`` means "unless_read".

    Written in the caller's transaction; nobody is told before it commits. Raises
    ``UnknownRecipient`` for somebody who does not exist and ``ValueError`` for bad values. In
    ``message``, ``subject`` and ``url_label`` U+FFFD replaces NUL, lone surrogates and overrides
    of the direction.
    """
    how, level = delivery_policy(email, email_delay), create.known_level(level)
    row = build_message(
        resolve_recipient(to_user),
        level,
        message,
        from_user=from_user,
        extra_tags=extra_tags,
        subject=subject,
        expires=expires,
        close_timeout=close_timeout,
        live=sse,
        mailing=how,
        url=url,
        url_label=url_label,
        category=category,
    )
    return save_message(row, how)


def notify_many(
    users: Iterable[Any],
    level: int,
    message: str,
    from_user: Any = None,
    extra_tags: str = "",
    subject: str = "",
    expires: datetime | None = None,
    close_timeout: int | None = None,
    sse: bool = True,
    email: Email = False,
    *,
    url: str | None = None,
    url_label: str = "",
    category: str = "",
    email_delay: Delay = None,
) -> int:
    """``create_message`` for any queryset or iterable of users, primary keys or Recipients.

    Rows are written in batches, so memory stays bounded however many there are. Outside a
    transaction each batch is told as it is written. Returns the number of messages.

    Nobody in a queryset is told twice; of another iterable nobody in the same ``BATCH``. Raises
    ``UnknownRecipient`` for a primary key of nobody; its batch is then not written.
    """
    how, level = delivery_policy(email, email_delay), create.known_level(level)
    fields: dict[str, Any] = {
        "from_user": from_user,
        "extra_tags": extra_tags,
        "subject": subject,
        "expires": expires,
        "close_timeout": close_timeout,
        "live": sse,
        "mailing": how,
        "url": url,
        "url_label": url_label,
        "category": category,
    }
    count = 0
    for recipients in iter_recipients(users, create.BATCH):
        rows = [build_message(recipient, level, message, **fields) for recipient in recipients]
        save_batch(rows, how)
        count += len(rows)
    return count


def add_message(
    request: HttpRequest,
    level: int,
    message: str,
    extra_tags: str = "",
    fail_silently: bool = False,
    subject: str = "",
    user: Any = None,
    email: Email = False,
    from_user: Any = None,
    expires: datetime | None = None,
    close_timeout: int | None = None,
    *,
    url: str | None = None,
    live: bool | None = None,
    url_label: str = "",
    email_delay: Delay = None,
    category: str = "",
) -> Message | None:
    """Django's ``messages.add_message``, and more: see ``create_message`` for the arguments.

    Without ``user`` the message is for whoever makes the request. ``live`` None means: a kept
    message and one for somebody else ring at once, a Django-level one waits for the next page.
    Returns the message when it was written now, None when it is queued for the response.

    Raises ``MessageFailure`` when the messages framework or its storage is not installed (nothing
    with ``fail_silently``), ``NotImplementedError`` for a monitio level to an anonymous visitor.
    """
    storage = _storage(request, fail_silently)
    if storage is None:
        return None
    added: Message | None = storage.add(
        level,
        message,
        extra_tags,
        subject=subject,
        user=user,
        email=email,
        from_user=from_user,
        expires=expires,
        close_timeout=close_timeout,
        url=url,
        live=live,
        url_label=url_label,
        email_delay=email_delay,
        category=category,
    )
    return added


def debug(request: HttpRequest, message: str, *args: Any, **kwargs: Any) -> Message | None:
    """``add_message`` at level ``monitio.DEBUG``, with the same further arguments."""
    return add_message(request, constants.DEBUG, message, *args, **kwargs)


def info(request: HttpRequest, message: str, *args: Any, **kwargs: Any) -> Message | None:
    """``add_message`` at level ``monitio.INFO``."""
    return add_message(request, constants.INFO, message, *args, **kwargs)


def success(request: HttpRequest, message: str, *args: Any, **kwargs: Any) -> Message | None:
    """``add_message`` at level ``monitio.SUCCESS``."""
    return add_message(request, constants.SUCCESS, message, *args, **kwargs)


def warning(request: HttpRequest, message: str, *args: Any, **kwargs: Any) -> Message | None:
    """``add_message`` at level ``monitio.WARNING``."""
    return add_message(request, constants.WARNING, message, *args, **kwargs)


def error(request: HttpRequest, message: str, *args: Any, **kwargs: Any) -> Message | None:
    """``add_message`` at level ``monitio.ERROR``."""
    return add_message(request, constants.ERROR, message, *args, **kwargs)


def inbox(
    recipient: Any,
    *,
    before: int | None = None,
    limit: int | None = None,
    unread_only: bool = False,
    level: str = "",
    category: str = "",
    text: str = "",
) -> list[Message]:
    """The newest messages, newest first. ``before`` an id: the next older ones.

    The first page also holds every running job, however old, and is ``MONITIO_SNAPSHOT_SIZE`` long
    unless ``limit`` says otherwise. ``level`` (a name: ``error``), ``category`` and ``text`` narrow
    it down.
    """
    who = Recipient.of(recipient)
    if limit is not None:
        limit = min(whole_number("limit", limit), constants.LARGEST_INTEGER)
        if limit < 0:
            raise ValueError(f"limit is a number of messages, not {limit}.")
    if before is None and limit is None and not (unread_only or level or category or text):
        return newest(who)[0]
    rows = Message.objects.of(who).for_inbox().select_related("job", "from_user").newest_first()
    if before is not None:
        rows = rows.filter(pk__lt=whole_number("before", before))
    if unread_only:
        rows = rows.unread()
    if level:
        rows = rows.named(level)
    if category:
        rows = rows.filter(category=clean_text(category))
    if text:
        rows = rows.saying(clean_text(text))
    return list(rows[: limit or settings.SNAPSHOT_SIZE])


def categories_of(recipient: Any) -> list[str]:
    """The categories that the recipient's messages name, in order."""
    rows = Message.objects.of(Recipient.of(recipient)).for_inbox().exclude(category="")
    return sorted(set(rows.values_list("category", flat=True).order_by().distinct()))


def unread_count(recipient: Any) -> int:
    """How many kept messages the recipient has not read."""
    return Message.objects.of(Recipient.of(recipient)).visible().persistent().unread().count()


def get_message(recipient: Any, pk: int) -> Message:
    """One of the recipient's own messages. Raises ``Message.DoesNotExist`` for anybody else's."""
    rows = Message.objects.of(Recipient.of(recipient)).visible()
    return rows.select_related("job", "from_user").get(pk=whole_number("pk", pk))


def mark_read(recipient: Any, pks: Iterable[int]) -> int:
    """Mark the recipient's own messages read; the number that were not. Others are not touched.

    A message of a Django level is removed instead: it has been shown.
    """
    return _change(recipient, pks, {"read": False}, {"read": True, "seen": True})


def mark_seen(recipient: Any, pks: Iterable[int]) -> int:
    """Note that the pop-ups of these messages were shown or closed, so that they do not return."""
    return _change(recipient, pks, {"seen": False}, {"seen": True})


def mark_all_read(recipient: Any) -> int:
    """Mark everything the recipient has read; the number that was not."""
    who = Recipient.of(recipient)
    changed = Message.objects.of(who).unread().persistent().touch(read=True, seen=True)
    if changed:
        dispatch.announce_news([who])
    return changed


def delete(recipient: Any, pks: Iterable[int]) -> int:
    """Delete the recipient's own messages; how many. Others are not touched."""
    who = Recipient.of(recipient)
    rows = Message.objects.of(who).filter(pk__in=_possible(pks), hidden=False)
    return _remove(who, list(rows.values_list("pk", flat=True)))


def delete_all(recipient: Any) -> int:
    """Delete everything the recipient has; how many messages."""
    who = Recipient.of(recipient)
    rows = Message.objects.of(who).filter(hidden=False)
    return _remove(who, list(rows.values_list("pk", flat=True)))


def reply(recipient: Any, pk: int, message: str) -> Message:
    """Answer one of the recipient's own messages; it goes to its sender and to nobody else.

    When that sender blocks the recipient (``block_sender``) nothing is stored, and the answer that
    is returned has no key. Raises ``Message.DoesNotExist`` for anybody else's message,
    ``NotAllowed`` when it has no sender or the recipient is an anonymous visitor, and
    ``TooManyReplies`` above ``MONITIO_REPLIES_PER_HOUR`` answers to this message.
    """
    who = Recipient.of(recipient)
    return replies.reply(who, get_message(who, pk), message)


def block_sender(recipient: Any, sender: Any) -> None:
    """Store no more replies of ``sender``, a user or a user's primary key, to the recipient.

    The sender is not notified. Messages that the site's own code sends still arrive. Raises
    ``NotAllowed`` for an anonymous visitor, ``UnknownRecipient`` for a sender who does not exist.
    """
    replies.block(Recipient.of(recipient), resolve_recipient(sender))


def unblock_sender(recipient: Any, sender: Any) -> None:
    """Take ``block_sender`` back."""
    replies.unblock(Recipient.of(recipient), Recipient.for_user(sender))


def blocked_senders(recipient: Any) -> list[Any]:
    """The users whose replies the recipient blocks."""
    return replies.blocked_senders(Recipient.of(recipient))


def cancel_job(recipient: Any, pk: int) -> bool:
    """Ask the task queue to cancel the job that one of the recipient's own messages tells of.

    False when it has ended, or when that was asked before. The message says "cancelled" as soon as
    the job has ended: at once while it waits, when it stops otherwise.
    Raises ``Message.DoesNotExist`` for anybody else's message and ``NotAllowed`` when the job was
    not offered to be cancelled (``cancel=True``).
    """
    job = get_message(recipient, pk).job
    cancel = dispatch.hooks.cancel.get(job.integration) if job is not None else None
    if job is None or not job.cancellable or cancel is None:
        raise NotAllowed("This job cannot be cancelled: its author does not offer it.")
    if not Job.objects.filter(pk=job.pk).cancellable().update(cancel_requested=True):
        return False
    _announce_job(job)
    dispatch.after_commit(partial(_pass_on, cancel, job))
    return True


def _pass_on(cancel: Callable[[str], None], job: Job) -> None:
    try:
        cancel(job.task_id)
    except Exception as error:
        logger.warning(
            "Job %s could not be cancelled; its readers may try again. %s",
            job.task_id,
            one_line(error),
        )
        Job.objects.filter(pk=job.pk).update(cancel_requested=False)
        _announce_job(job)


def _announce_job(job: Job) -> None:
    """Let every reader's open page see what may be done with this job now."""
    rows = Message.objects.filter(job=job, hidden=False)
    rows.touch()
    dispatch.announce(list(rows.select_related("job", "from_user")))


def prune(now: datetime | None = None) -> dict[str, int]:
    """Delete what nobody will see again in the current scope; the number of rows by kind.

    ``expired`` messages, what ``visitors`` left behind, messages ``shown`` whose mail is out,
    ``read`` ones after ``MONITIO_KEEP_READ_DAYS`` (None keeps them), ended ``jobs`` that no message
    speaks of any more, ``digests`` older than a quarter, and ``bells`` of yesterday.
    """
    now = checked_moment("now", now) or timezone.now()
    yesterday = now - timedelta(seconds=DAY)
    # Nobody holds a token that old, so nobody could read what was sent to it.
    tokens_end = now - timedelta(seconds=settings.VISITOR_AGE)
    quarter = now - timedelta(seconds=90 * DAY)
    messages = Message.objects.here()
    _delete_rows(VisitorLogin.objects.here().filter(created__lt=tokens_end))
    _delete_rows(Repeat.objects.filter(created__lt=yesterday))
    return {
        "expired": _delete_rows(messages.filter(expires__lte=now, hidden=False)),
        "visitors": _delete_rows(messages.filter(session__gt="", created__lt=tokens_end)),
        "shown": _delete_rows(messages.without_pending_delivery().filter(hidden=True)),
        "read": _delete_rows(messages.read_until(_keep_read_since(now))),
        "jobs": _delete_rows(
            Job.objects.here().ended().filter(messages=None, finished_at__lt=yesterday)
        ),
        "digests": _delete_rows(
            Digest.objects.here().filter(created__lt=quarter).exclude(state="pending")
        ),
        "bells": _delete_rows(LastEvent.objects.filter(modified__lt=yesterday)),
    }


def _keep_read_since(now: datetime) -> datetime | None:
    days = settings.KEEP_READ_DAYS
    return None if days is None else now - timedelta(days=days)


def _change(
    recipient: Any, pks: Iterable[int], present: dict[str, bool], wanted: dict[str, bool]
) -> int:
    who = Recipient.of(recipient)
    rows = Message.objects.of(who).filter(pk__in=_possible(pks), hidden=False, **present)
    # No transaction of our own: each statement stands alone, and SQLite's default mode refuses
    # a transaction that reads first and then writes while somebody else does.
    kept = list(rows.persistent().values_list("pk", flat=True))
    shown = list(rows.nonpersistent().values_list("pk", flat=True))
    changed = Message.objects.filter(pk__in=kept, **present).touch(**wanted)
    _announce_changes(who, kept)
    return changed + _remove(who, shown)


def _possible(pks: Iterable[int]) -> list[int]:
    # A number that no column holds is an error to some databases instead of nobody's key.
    numbers = [whole_number("pk", pk) for pk in pks]
    return [pk for pk in numbers if 0 < pk <= LARGEST_KEY]


def _announce_changes(who: Recipient, pks: Sequence[int]) -> None:
    if len(pks) > FEW:
        dispatch.announce_news([who])
    elif pks:
        rows = Message.objects.filter(pk__in=pks).select_related("job", "from_user")
        dispatch.announce([_always_live(row) for row in rows])


def _always_live(row: Message) -> Message:
    # live=False keeps a message from popping up; that it was read is news for every open page.
    row.live = True
    return row


def _remove(who: Recipient, pks: list[int]) -> int:
    """Delete, or hide until the mail is out, and tell open pages."""
    if not pks:
        return 0
    delete_or_hide(Message.objects.filter(pk__in=pks))
    dispatch.announce_gone(who, pks)
    return len(pks)


def _delete_rows(rows: QuerySet[Any]) -> int:
    """Delete in batches, so that memory stays bounded; the number of rows, without what hung on."""
    deleted = 0
    while pks := list(rows.order_by().values_list("pk", flat=True)[: create.BATCH]):
        by_model = rows.model._default_manager.filter(pk__in=pks).delete()[1]
        deleted += by_model.get(rows.model._meta.label, 0)
    return deleted


def _storage(request: Any, fail_silently: bool) -> Any:
    storage = getattr(request, "_messages", None)
    if storage is None:
        if not isinstance(request, HttpRequest):
            name = type(request).__name__
            raise TypeError(f"add_message() argument must be an HttpRequest object, not {name!r}.")
        if fail_silently:
            return None
        raise MessageFailure(
            "You cannot add messages without installing "
            "django.contrib.messages.middleware.MessageMiddleware"
        )
    if not hasattr(storage, "get_persistent"):
        if fail_silently:
            return None
        raise MessageFailure(
            "monitio.add_message needs its own storage: set MESSAGE_STORAGE = "
            '"monitio.storage.PersistentMessageStorage".'
        )
    return storage


def _twin(function: Callable[P, R]) -> Callable[P, Coroutine[Any, Any, R]]:
    @wraps(function)
    async def twin(*args: P.args, **kwargs: P.kwargs) -> R:
        return await sync_to_async(function)(*args, **kwargs)

    twin.__name__ = twin.__qualname__ = f"a{function.__name__}"
    twin.__doc__ = f"``{function.__name__}``, awaited."
    return twin


acreate_message = _twin(create_message)
anotify_many = _twin(notify_many)
aadd_message = _twin(add_message)
adebug = _twin(debug)
ainfo = _twin(info)
asuccess = _twin(success)
awarning = _twin(warning)
aerror = _twin(error)
ainbox = _twin(inbox)
aunread_count = _twin(unread_count)
acategories_of = _twin(categories_of)
aget_message = _twin(get_message)
amark_read = _twin(mark_read)
amark_seen = _twin(mark_seen)
amark_all_read = _twin(mark_all_read)
adelete = _twin(delete)
adelete_all = _twin(delete_all)
areply = _twin(reply)
ablock_sender = _twin(block_sender)
aunblock_sender = _twin(unblock_sender)
ablocked_senders = _twin(blocked_senders)
acancel_job = _twin(cancel_job)
aprune = _twin(prune)
