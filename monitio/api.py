"""The public functions. Each that touches the database has an awaitable twin: ``acreate_message`` …

A recipient is a user, a user's primary key or a ``Recipient``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, Unpack

from asgiref.sync import sync_to_async
from django.contrib.messages import MessageFailure
from django.http import HttpRequest
from django.utils import timezone

from monitio import constants
from monitio.channels.policy import Delay, Email, Via
from monitio.exceptions import NotAllowed
from monitio.jobs import privacy, retry
from monitio.jobs.files import delete_expired
from monitio.messages import actions, create, replies
from monitio.messages import inbox as messages_inbox
from monitio.messages.fields import MessageFields
from monitio.messages.prune import prune_scope
from monitio.messages.recipients import resolve_recipient
from monitio.models import Message
from monitio.models.schedule import checked_moment
from monitio.recipients import Recipient
from monitio.utils.text import AnyString

if TYPE_CHECKING:
    from collections.abc import Coroutine

P = ParamSpec("P")
R = TypeVar("R")


def create_message(
    to_user: Any,
    level: int,
    message: AnyString,
    from_user: Any = None,
    extra_tags: str = "",
    subject: AnyString = "",
    expires: datetime | None = None,
    close_timeout: int | None = None,
    sse: bool = True,
    email: Email = False,
    *,
    url: str | None = None,
    url_label: AnyString = "",
    category: str = "",
    email_delay: Delay = None,
    via: Via | None = None,
    icon: str = "",
) -> Message:
    """Send a message, from anywhere: a view, a task, a command.

    ``to_user`` is a user, a user's primary key or a ``Recipient``. A message of a monitio level is
    kept until deleted, one of a Django level is removed once shown. ``close_timeout`` is in
    seconds; with ``sse=False`` open pages do not show the message, the next page does.

    ``email=True`` also e-mails it; ``"unless_read"`` and ``"unless_seen"`` (an open page showed it)
    do so after ``email_delay`` (seconds or a timedelta; default ``MONITIO_EMAIL_DELAY``) if it is
    still unread or unseen then. A delay with ``email=True`` means "unless_read". ``via`` names
    channels, each with such a value or ``monitio.after(seconds, unless="seen")``. ``icon`` is
    one of the names in docs/messages.md.

    Saved in the caller's transaction, published and e-mailed after its commit. Raises
    ``UnknownRecipient`` for a recipient who does not exist and ``ValueError`` for bad values. In
    ``message``, ``subject`` and ``url_label`` U+FFFD replaces NUL, lone surrogates and characters
    that override the direction of text.
    """
    return create.create_message(
        to_user,
        level,
        message,
        from_user=from_user,
        extra_tags=extra_tags,
        subject=subject,
        expires=expires,
        close_timeout=close_timeout,
        sse=sse,
        email=email,
        url=url,
        url_label=url_label,
        category=category,
        email_delay=email_delay,
        via=via,
        icon=icon,
    )


def notify_many(
    users: Iterable[Any], level: int, message: AnyString, **fields: Unpack[MessageFields]
) -> int:
    """``create_message`` for a queryset or iterable of users, primary keys or Recipients.

    Rows are saved in batches, which bounds the memory; outside a transaction each batch is
    published as it is saved. Returns the number of messages. A user who is repeated in a queryset
    gets one message; in another iterable, one per ``BATCH``.

    Raises what ``create_message`` raises; the batch with an unknown recipient is not saved.
    """
    return create.notify_many(users, level, message, **fields)


def notify_each(
    messages: Iterable[tuple[Any, AnyString]], level: int, **fields: Unpack[MessageFields]
) -> int:
    """``notify_many`` with a text each: ``messages`` are pairs of a recipient and a text.

    A recipient who is repeated gets each text.
    """
    return create.notify_each(messages, level, **fields)


def add_message(
    request: HttpRequest,
    level: int,
    message: AnyString,
    extra_tags: str = "",
    fail_silently: bool = False,
    subject: AnyString = "",
    user: Any = None,
    email: Email = False,
    from_user: Any = None,
    expires: datetime | None = None,
    close_timeout: int | None = None,
    *,
    url: str | None = None,
    live: bool | None = None,
    url_label: AnyString = "",
    email_delay: Delay = None,
    category: str = "",
    via: Via | None = None,
    icon: str = "",
) -> Message | None:
    """Django's ``messages.add_message``, and more: see ``create_message`` for the arguments.

    Without ``user`` the message is for the user of the request. ``live`` None: open pages show
    persistent messages and those for other users at once; a Django-level message waits for the next
    page. Returns the message if it was saved now, None if it is queued for the response.

    Raises ``MessageFailure`` when the messages framework or monitio's storage is not installed
    (not with ``fail_silently``), ``NotImplementedError`` for a monitio level to an anonymous
    visitor.
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
        via=via,
        icon=icon,
    )
    return added


def debug(request: HttpRequest, message: AnyString, *args: Any, **kwargs: Any) -> Message | None:
    """``add_message`` at level ``monitio.DEBUG``, with the same further arguments."""
    return add_message(request, constants.DEBUG, message, *args, **kwargs)


def info(request: HttpRequest, message: AnyString, *args: Any, **kwargs: Any) -> Message | None:
    """``add_message`` at level ``monitio.INFO``."""
    return add_message(request, constants.INFO, message, *args, **kwargs)


def success(request: HttpRequest, message: AnyString, *args: Any, **kwargs: Any) -> Message | None:
    """``add_message`` at level ``monitio.SUCCESS``."""
    return add_message(request, constants.SUCCESS, message, *args, **kwargs)


def warning(request: HttpRequest, message: AnyString, *args: Any, **kwargs: Any) -> Message | None:
    """``add_message`` at level ``monitio.WARNING``."""
    return add_message(request, constants.WARNING, message, *args, **kwargs)


def error(request: HttpRequest, message: AnyString, *args: Any, **kwargs: Any) -> Message | None:
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
    """The newest messages, newest first; with ``before`` (an id) the next older ones.

    The first page has ``MONITIO_SNAPSHOT_SIZE`` messages (or ``limit``) and all running jobs,
    however old. ``level`` (a name: ``error``), ``category`` and ``text`` are filters.
    """
    wanted = messages_inbox.Filter(
        unread=unread_only, level=level, category=category or None, text=text
    )
    return messages_inbox.find_messages(Recipient.of(recipient), wanted, before=before, limit=limit)


def categories_of(recipient: Any) -> list[str]:
    """The categories of the recipient's newest 1,000 messages, sorted."""
    return messages_inbox.categories_of(Recipient.of(recipient))


def unread_count(recipient: Any) -> int:
    """The number of the recipient's unread persistent messages."""
    return messages_inbox.unread_count(Recipient.of(recipient))


def get_message(recipient: Any, pk: int) -> Message:
    """One of the recipient's own messages. Raises ``Message.DoesNotExist`` for any other."""
    return messages_inbox.get_message(Recipient.of(recipient), pk)


def mark_read(recipient: Any, pks: Iterable[int]) -> int:
    """Mark the recipient's own messages read; returns the number that were unread.

    Other users' messages are ignored. A message of a Django level is deleted: it has been shown.
    """
    return actions.mark_read(Recipient.of(recipient), pks)


def mark_unread(recipient: Any, pks: Iterable[int]) -> int:
    """Mark the recipient's own messages unread; returns the number that were read.

    They do not pop up again.
    """
    return actions.mark_unread(Recipient.of(recipient), pks)


def mark_seen(recipient: Any, pks: Iterable[int]) -> int:
    """Record that the pop-ups of these messages were shown or closed: they do not pop up again."""
    return actions.mark_seen(Recipient.of(recipient), pks)


def mark_all_read(recipient: Any, until: int | None = None) -> int:
    """Mark all messages of the recipient read, or those up to the id ``until``; returns the number
    that were unread.
    """
    return actions.mark_all_read(Recipient.of(recipient), until)


def delete(recipient: Any, pks: Iterable[int]) -> int:
    """Delete the recipient's own messages; returns their number. Others are ignored."""
    return actions.delete(Recipient.of(recipient), pks)


def delete_all(recipient: Any, until: int | None = None) -> int:
    """Delete all messages of the recipient, or those up to the id ``until``; returns how many."""
    return actions.delete_all(Recipient.of(recipient), until)


def reply(recipient: Any, pk: int, message: str) -> Message:
    """Reply to one of the recipient's own messages; the reply goes to its sender alone.

    When that sender blocks the recipient (``block_sender``) nothing is saved, and the returned
    reply has no primary key. Raises ``Message.DoesNotExist`` for other users' messages,
    ``NotAllowed`` when the message has no sender or the recipient is an anonymous visitor, and
    ``TooManyReplies`` above ``MONITIO_REPLIES_PER_HOUR`` replies to this message.
    """
    return replies.reply(Recipient.of(recipient), get_message(recipient, pk), message)


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
    """Ask the task queue to cancel the job of one of the recipient's own messages.

    False when it has ended or was cancelled before. Its message reads "cancelled" once the job has
    ended: at once while it waits, else when it stops.
    Raises ``Message.DoesNotExist`` for other users' messages and ``NotAllowed`` for a job that
    its author did not make cancellable (``cancel=True``).
    """
    return actions.cancel_job(Recipient.of(recipient), pk)


def retry_job(recipient: Any, pk: int) -> bool:
    """Start the job of one of the recipient's own messages again; the message continues.

    False when it runs already. Raises ``Message.DoesNotExist`` for other users' messages,
    ``NotAllowed`` when the task's author does not offer it (``retryable=True``), and
    ``RetryFailed`` when the queue does not take the task: the message is then as before.
    """
    job = get_message(recipient, pk).job
    if job is None:
        raise NotAllowed("This message belongs to no job.")
    return retry.retry_job(job)


def prune(now: datetime | None = None) -> dict[str, int]:
    """Delete rows of the current scope that no user will see again; returns their number by kind.

    ``expired`` messages; those of ``visitors`` whose token has expired; messages ``shown`` whose
    e-mail has been sent; ``read`` ones after ``MONITIO_KEEP_READ_DAYS`` (None keeps them); what
    ``retention`` (``MONITIO_RETENTION``) names; ``deliveries`` that were settled 90 days ago; ended
    ``jobs`` without messages; ``digests`` older than 90 days; ``events`` of yesterday;
    ``files`` that have expired or have no job.
    """
    now = checked_moment("now", now) or timezone.now()
    return {**prune_scope(now), "files": delete_expired(now)}


def export(user: Any) -> dict[str, Any]:
    """All that monitio holds about a user in the current scope, for JSON.

    ``messages`` with their ``deliveries``, messages ``sent``, ``jobs`` with the names of their
    files, ``digests``, ``preferences``, ``destinations`` with their servers (an address may be a
    secret), and ``blocked_senders``. Raises ``UnknownRecipient`` for what is no user.
    """
    return privacy.export(Recipient.for_user(user))


def erase(user: Any) -> dict[str, int]:
    """Delete all that ``export`` returns, in the current scope; the number of rows by kind.

    What the user sent to others stays, without its sender. Jobs that others also follow stay
    without the user. Open pages of the user are emptied. Raises ``UnknownRecipient`` for what is no
    user.
    """
    return privacy.erase(Recipient.for_user(user))


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
anotify_each = _twin(notify_each)
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
amark_unread = _twin(mark_unread)
amark_seen = _twin(mark_seen)
amark_all_read = _twin(mark_all_read)
adelete = _twin(delete)
adelete_all = _twin(delete_all)
areply = _twin(reply)
ablock_sender = _twin(block_sender)
aunblock_sender = _twin(unblock_sender)
ablocked_senders = _twin(blocked_senders)
acancel_job = _twin(cancel_job)
aretry_job = _twin(retry_job)
aprune = _twin(prune)
aexport = _twin(export)
aerase = _twin(erase)
