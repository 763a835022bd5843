"""Write messages: validate, save in the caller's transaction, publish after its commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Unpack

from django.contrib.messages.utils import get_level_tags
from django.db import DataError, OperationalError, connections, transaction
from django.utils.functional import Promise

from monitio import dispatch
from monitio.channels import deliveries
from monitio.channels.policy import DeliveryPolicy
from monitio.constants import LARGEST_INTEGER, PERSISTENT_LEVELS, as_level, wrong_level
from monitio.messages import visitors
from monitio.messages.fields import MessageFields, check_names
from monitio.messages.recipients import iter_recipients, resolve_recipient
from monitio.models import Message
from monitio.models.messages import MessageQuerySet
from monitio.models.schedule import checked_moment
from monitio.recipients import Recipient
from monitio.utils.database import is_incorrect_string

# Rows in one INSERT, recipients in one batch of events.
BATCH = 1000


def create_message(
    to_user: Any, level: int, message: str, **fields: Unpack[MessageFields]
) -> Message:
    policy, level = policy_of(fields), known_level(level)
    return save_message(build_message(resolve_recipient(to_user), level, message, **fields), policy)


def notify_many(
    users: Iterable[Any], level: int, message: str, **fields: Unpack[MessageFields]
) -> int:
    check_names("notify_many", fields)
    policy, level = policy_of(fields), known_level(level)
    count = 0
    for recipients in iter_recipients(users, BATCH):
        rows = [build_message(recipient, level, message, **fields) for recipient in recipients]
        save_batch(rows, policy)
        count += len(rows)
    return count


def policy_of(fields: MessageFields) -> DeliveryPolicy | None:
    return DeliveryPolicy.from_options(fields.get("email", False), fields.get("email_delay"))


def build_message(
    recipient: Recipient | None, level: int, message: str, **fields: Unpack[MessageFields]
) -> Message:
    """An unsaved message with validated values; a ``recipient`` of None is set by the caller later.

    Raises ``ValueError`` that names the bad value.
    """
    subject = fields.get("subject", "")
    if not message and not subject:
        raise ValueError("A message needs a text: give message=, subject= or both.")
    if fields.get("email") and recipient is not None and recipient.is_visitor:
        raise ValueError("An anonymous visitor has no e-mail address: leave out email=True.")
    row = Message(
        level=as_level(level),
        message=_text("message", message),
        subject=_text("subject", subject),
        extra_tags=_text("extra_tags", fields.get("extra_tags")),
        category=_text("category", fields.get("category")),
        url=_text("url", fields.get("url") or ""),
        url_label=_text("url_label", fields.get("url_label")),
        expires=checked_moment("expires", fields.get("expires")),
        close_timeout=_seconds(fields.get("close_timeout")),
        from_user=fields.get("from_user"),
        live=fields.get("sse", True),
    )
    if recipient is not None:
        row.recipient = recipient
    return row


def save_message(row: Message, policy: DeliveryPolicy | None = None) -> Message:
    """Write one built message and its deliveries; it is published after commit."""

    def write() -> None:
        with transaction.atomic(using=dispatch.database()):
            row.save(force_insert=True)
            visitors.merge_after_commit([row.recipient])
            if policy:
                dispatch.deliver(deliveries.create_deliveries([row], policy))
            dispatch.announce([row])

    _retry_without_wide([row], write)
    return row


def insert(rows: list[Message], *, need_keys: bool = True) -> None:
    """Write built messages without publishing them. ``need_keys``: set their primary keys."""
    if not rows:
        return
    alias = dispatch.database()

    def write() -> None:
        with transaction.atomic(using=alias):
            if need_keys and not _returns_keys(alias):
                for row in rows:
                    row.save(force_insert=True)
            else:
                Message.objects.bulk_create(rows, BATCH)
            visitors.merge_after_commit(row.recipient for row in rows)

    _retry_without_wide(rows, write)


def _retry_without_wide(rows: Iterable[Message], write: Callable[[], None]) -> None:
    """``write()``; where MySQL's utf8mb3 refuses wide characters, again without them."""
    try:
        write()
    except (DataError, OperationalError) as error:
        if not is_incorrect_string(error):
            raise
        for row in rows:
            row.replace_wide_characters()
        write()


def save_batch(rows: list[Message], policy: DeliveryPolicy | None) -> None:
    alias = dispatch.database()
    with transaction.atomic(using=alias):
        insert(rows, need_keys=policy is not None)
        if policy:
            dispatch.deliver(deliveries.create_deliveries(rows, policy))
        if rows[0].live:
            # In the caller's transaction the events of all batches wait in memory for its commit:
            # events without a message are small.
            has_keys = policy is not None or _returns_keys(alias)
            if has_keys and len(rows) < BATCH:
                dispatch.announce(rows)
            else:
                dispatch.announce_news([row.recipient for row in rows])


def _returns_keys(alias: str) -> bool:
    # MySQL (not MariaDB) returns no keys of a bulk insert.
    return connections[alias].features.can_return_rows_from_bulk_insert


def delete_or_hide(rows: MessageQuerySet) -> None:
    """Delete messages; one whose e-mail is still to be sent is hidden until then.

    An e-mail with a condition ("unless_read") is deleted too: the recipient has seen the message.
    """
    waiting = list(rows.with_pending_delivery().values_list("pk", flat=True))
    if waiting:
        Message.objects.filter(pk__in=waiting).touch(hidden=True)
    rows.exclude(pk__in=waiting).delete()


def known_level(level: Any) -> int:
    """A level of Django, of monitio or of the site as a number. Raises ``ValueError`` otherwise."""
    number = as_level(level)
    known = (*get_level_tags(), *PERSISTENT_LEVELS)
    if isinstance(level, bool) or number != level or number not in known:
        raise wrong_level(level)
    return number


def _text(name: str, value: Any) -> Any:
    text = Message.stored_text(name, value)
    # Lazily translated text is rendered when it is saved, in the language of that moment.
    return value if isinstance(value, Promise) else text


def _seconds(close_timeout: int | None) -> int | None:
    if close_timeout is None:
        return None
    try:
        seconds = -1 if isinstance(close_timeout, bool) else int(close_timeout)
    except (TypeError, ValueError, OverflowError):
        seconds = -1
    if not 0 <= seconds <= LARGEST_INTEGER:
        raise ValueError(f"close_timeout is in seconds and cannot be {close_timeout!r}.")
    return seconds
