"""Write messages: validate, save in the caller's transaction, publish after its commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import partial
from itertools import islice, repeat
from typing import Any, Unpack

from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.messages.utils import get_level_tags
from django.db import DataError, OperationalError, connections, transaction
from django.db.models import QuerySet
from django.db.models.base import ModelState
from django.utils import translation
from django.utils.functional import Promise
from django.utils.safestring import SafeData, SafeString, mark_safe

from monitio import dispatch
from monitio.channels import deliveries
from monitio.channels.policy import Steps, steps_from
from monitio.constants import LARGEST_INTEGER, PERSISTENT_LEVELS, as_level, wrong_level
from monitio.messages import languages, visitors
from monitio.messages.fields import MessageFields, check_names
from monitio.messages.recipients import iter_recipients, refuse_unknown, resolve_recipient
from monitio.models import Message
from monitio.models.schedule import checked_moment
from monitio.recipients import Recipient
from monitio.utils import compiled_inserts
from monitio.utils.database import is_incorrect_string
from monitio.utils.icons import check_icon
from monitio.utils.text import AnyString

# Rows in one INSERT, recipients in one batch of events.
BATCH = 1000
WITHOUT_TEXT = "A message needs a text: give message=, subject= or both."
WITHOUT_ADDRESS = "An anonymous visitor has no address on any channel: leave out email= and via=."


def create_message(
    to_user: Any, level: int, message: AnyString, **fields: Unpack[MessageFields]
) -> Message:
    return write_message(resolve_recipient(to_user), known_level(level), message, **fields)


def write_message(
    recipient: Recipient, level: int, message: AnyString, **fields: Unpack[MessageFields]
) -> Message:
    """Build and save a message, lazy texts in its recipient's language if that is known."""
    steps = steps_of(fields)
    if languages.has_lazy_text(message, fields):
        (recipient,) = languages.with_languages([recipient])
        with translation.override(recipient.language or translation.get_language()):
            return save_message(build_message(recipient, level, message, **fields), steps)
    return save_message(build_message(recipient, level, message, **fields), steps, prepared=True)


def notify_many(
    users: Iterable[Any], level: int, message: AnyString, **fields: Unpack[MessageFields]
) -> int:
    check_names("notify_many", fields)
    steps, level = steps_of(fields), known_level(level)
    make = partial(build_message, None, level, message, **fields)
    row = make()
    known = isinstance(users, QuerySet) and issubclass(users.model, get_user_model())
    is_lazy = languages.has_lazy_text(message, fields)
    return sum(
        _save_in_languages(make, recipients, None, steps, known=known)
        if is_lazy
        else _save_copies(row, recipients, None, steps, known=known)
        for recipients in iter_recipients(users, BATCH)
    )


def notify_each(
    messages: Iterable[tuple[Any, AnyString]], level: int, **fields: Unpack[MessageFields]
) -> int:
    check_names("notify_each", fields)
    steps, level = steps_of(fields), known_level(level)
    make = partial(build_message, None, level, "…", **fields)
    row = make()
    count, pairs = 0, iter(messages)
    while batch := list(islice(pairs, BATCH)):
        given = [text for _who, text in batch]
        texts = [Message.stored_text("message", text) for text in given]
        if not (row.subject or all(texts)):
            raise ValueError(WITHOUT_TEXT)
        recipients = [resolve_recipient(who) for who, _text in batch]
        if any(languages.has_lazy_text(text, fields) for text in given):
            count += _save_in_languages(make, recipients, given, steps)
        else:
            count += _save_copies(row, recipients, texts, steps)
    return count


def _save_in_languages(
    make: Callable[[], Message],
    recipients: list[Recipient],
    texts: list[AnyString] | None,
    steps: Steps,
    *,
    known: bool = False,
) -> int:
    """``_save_copies`` for each language, of a message made while it is active.

    Recipients whose language is unknown get the site's.
    """
    recipients, count = languages.with_languages(recipients), 0
    with transaction.atomic(using=dispatch.database()):
        for language, positions in languages.by_language(recipients).items():
            with translation.override(language or django_settings.LANGUAGE_CODE):
                own: list[str] | None = None
                if texts is not None:
                    own = [Message.stored_text("message", texts[at]) for at in positions]
                group = [recipients[at] for at in positions]
                count += _save_copies(make(), group, own, steps, known=known)
    return count


def steps_of(fields: MessageFields) -> Steps:
    return steps_from(fields.get("email", False), fields.get("email_delay"), fields.get("via"))


def build_message(
    recipient: Recipient | None, level: int, message: AnyString, **fields: Unpack[MessageFields]
) -> Message:
    """An unsaved message with validated values; a ``recipient`` of None is set by the caller later.

    Raises ``ValueError`` that names the bad value.
    """
    subject = fields.get("subject", "")
    if not message and not subject:
        raise ValueError(WITHOUT_TEXT)
    if recipient is not None and recipient.is_visitor and steps_of(fields):
        raise ValueError(WITHOUT_ADDRESS)
    sender = fields.get("from_user")
    if sender is not None and sender.pk is None:
        raise ValueError(f"from_user cannot be {sender!r}, which is not saved: save it first.")
    row = Message(
        level=as_level(level),
        message=_text("message", message),
        subject=_text("subject", subject),
        extra_tags=_text("extra_tags", fields.get("extra_tags")),
        category=_text("category", fields.get("category")),
        url=_text("url", fields.get("url") or ""),
        url_label=_text("url_label", fields.get("url_label")),
        expires=checked_moment("expires", fields.get("expires")),
        icon=check_icon(fields.get("icon")),
        close_timeout=_seconds(fields.get("close_timeout")),
        from_user=sender,
        live=fields.get("sse", True),
    )
    row.safe = isinstance(row.message, SafeString)
    if recipient is not None:
        row.recipient = recipient
    return row


def save_message(row: Message, steps: Steps = (), *, prepared: bool = False) -> Message:
    """Write one built message and its deliveries; it is published after commit.

    ``prepared``: it has no lazy texts, so ``build_message`` has already converted every value.
    Raises ``UnknownRecipient`` when its user does not exist.
    """
    alias = dispatch.database()
    compiled = row.user_id is not None and compiled_inserts.can_insert_one(Message, alias)

    def write() -> None:
        # One statement needs no transaction of its own: it is all or nothing.
        with nullcontext() if compiled and not steps else transaction.atomic(using=alias):
            if compiled:
                if not prepared:
                    row.prepare()
                if not compiled_inserts.insert_for_user(row, alias):
                    refuse_unknown([row.recipient])
            else:
                refuse_unknown([row.recipient])
                row.save(force_insert=True)
                visitors.merge_after_commit(row.recipient)
            if steps:
                dispatch.deliver(deliveries.create_deliveries([row], steps))
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
            # MySQL (not MariaDB) returns no keys of a bulk insert.
            if need_keys and not connections[alias].features.can_return_rows_from_bulk_insert:
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


def _save_copies(
    row: Message,
    recipients: list[Recipient],
    texts: list[str] | None,
    steps: Steps,
    *,
    known: bool = False,
) -> int:
    """Write and publish ``row`` for each recipient, with these texts; the number of messages.

    ``known``: the users exist, or were deleted a moment ago.
    """
    alias = dispatch.database()
    row.recipient = recipients[0]
    row.prepare()
    has_visitors = any(recipient.token for recipient in recipients)
    if steps and has_visitors:
        raise ValueError(WITHOUT_ADDRESS)
    compiled = not has_visitors and compiled_inserts.can_insert_many(Message, alias)
    # In the caller's transaction the events of all batches wait in memory for its commit: events
    # without a message are small.
    carries = row.live and len(recipients) < BATCH
    with transaction.atomic(using=alias):
        if compiled:
            need_rows = bool(steps) or carries
            count, rows = _insert_copies(row, recipients, texts, alias, need_rows)
            if count < len(recipients) and not known:
                refuse_unknown(recipients)
        else:
            if not known:
                refuse_unknown(recipients)
            rows = [
                _copy(row, recipient, text=text)
                for recipient, text in zip(recipients, texts or repeat(row.message), strict=False)
            ]
            insert(rows, need_keys=bool(steps))
            count, carries = len(rows), carries and rows[0].pk is not None
        if steps:
            dispatch.deliver(deliveries.create_deliveries(rows, steps))
        if carries:
            dispatch.announce(rows)
        elif row.live:
            dispatch.announce_news(recipients)
    return count


def _insert_copies(
    row: Message, recipients: list[Recipient], texts: list[str] | None, alias: str, need_rows: bool
) -> tuple[int, list[Message]]:
    by_key = {recipient.key: recipient for recipient in recipients}
    own: dict[str, list[Any]] = {
        "user": [recipient.user_pk for recipient in recipients],
        "recipient_key": [recipient.key for recipient in recipients],
        "language": [recipient.language for recipient in recipients],
    }
    if texts is not None:
        own |= {"message": texts, "safe": [isinstance(text, SafeData) for text in texts]}
    columns = ("id", "recipient_key", *(() if texts is None else ("message", "safe")))
    returning = columns if need_rows else ()
    count, found = compiled_inserts.insert_for_users(row, own, alias, returning=returning)
    return count, [
        _copy(row, by_key[key], pk, *(() if texts is None else _marked(*text)))
        for pk, key, *text in found
    ]


def _marked(text: str, safe: bool) -> tuple[str]:
    return (mark_safe(text) if safe else text,)  # noqa: S308 - it was given as safe


def _copy(row: Message, recipient: Recipient, pk: Any = None, text: str | None = None) -> Message:
    """``row`` for another recipient. Without ``Message()``, which takes as long as an INSERT."""
    made = Message.__new__(Message)
    made.__dict__.update(row.__dict__)
    made._state = ModelState()
    made._state.adding, made._state.db = pk is None, dispatch.database()
    # Its sender: events name them, and would each read them again.
    made._state.fields_cache.update(row._state.fields_cache)
    made.pk, made.recipient = pk, recipient
    if text is not None:
        made.message = text
    return made


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
