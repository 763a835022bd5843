"""The storage backend for ``django.contrib.messages``.

Signed-in users: all messages are in the database. A message of a Django level is saved with the
response and deleted once it was shown. Anonymous visitors: Django's own fallback storage (cookie,
then session) for messages of their requests, rows for messages of background tasks.

A request claims the messages it shows: of two parallel requests only one shows a message, and a
failed response loses none.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.contrib.messages.storage.base import BaseStorage
from django.contrib.messages.storage.base import Message as DjangoMessage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.db import router
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from monitio.channels.policy import Delay, Email, Steps, Via
from monitio.conf import settings
from monitio.constants import as_level, is_persistent
from monitio.messages import create, tolerant
from monitio.messages.deletion import delete_shown
from monitio.messages.fields import MessageFields
from monitio.messages.recipients import resolve_recipient
from monitio.models import Message, reading
from monitio.models.messages import MessageQuerySet, claims_end
from monitio.recipients import LARGEST_KEY, Recipient, update_marker
from monitio.utils.compiled_sql import CompiledByKeys
from monitio.utils.text import AnyString

AnyMessage = Message | DjangoMessage


class PersistentMessageStorage(BaseStorage):
    """``MESSAGE_STORAGE = "monitio.storage.PersistentMessageStorage"``.

    Iterating, ``len``, ``in``, ``used``, ``added_new`` and ``level`` work as in Django.
    """

    if TYPE_CHECKING:  # Django's, and missing in its stubs
        _loaded_messages: list[AnyMessage]
        _queued_messages: list[AnyMessage]

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self._claim = _Claim()
        # Saved by update(): in the queue and in the database.
        self._written: set[int] = set()
        # Whose unread messages have all been loaded.
        self._complete_for: Recipient | None = None

    @cached_property
    def _fallback(self) -> Any:
        # Requests that neither show nor add a message do without it.
        return FallbackStorage(self.request)

    @property
    def is_admin(self) -> bool:
        """Whether it is a request of Django's admin: its pages list what their own requests added.

        An inbox of old messages would push them down by some screens.
        """
        match = getattr(self.request, "resolver_match", None)
        return match is not None and "admin" in match.app_names

    def get_persistent(self) -> MessageQuerySet:
        """Read and unread persistent messages, newest first."""
        return self._rows().persistent()

    def get_persistent_unread(self) -> MessageQuerySet:
        """Unread persistent messages, newest first."""
        return self._rows().persistent().unread()

    def get_nonpersistent(self) -> list[AnyMessage]:
        """Messages of Django levels, oldest first. Marks them as shown."""
        return [message for message in self if not is_persistent(message.level)]

    def count_unread(self) -> int:
        """The number of unread messages of all levels."""
        return self.count_persistent_unread() + self.count_nonpersistent()

    def count_persistent_unread(self) -> int:
        """The number of unread persistent messages."""
        return self.get_persistent_unread().count()

    def count_nonpersistent(self) -> int:
        """The number of waiting messages of Django levels. Does not mark them as shown."""
        everything = [*self._loaded_messages, *self._queued_messages]
        return sum(1 for message in everything if not is_persistent(message.level))

    # Adding.

    def add(  # type: ignore[override]  # more arguments, and what was written
        self,
        level: int,
        message: AnyString,
        extra_tags: str | None = "",
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
        """Add a message for the user of the request, or for ``user``.

        Saved now, and returned, at a monitio level, for another user, or when it must reach more
        than the next page (``live=True``, ``email=``, ``via=``). Queued for the response otherwise,
        without a query: that also works in an async view and in a broken transaction.

        Raises ``NotImplementedError`` for a monitio level to an anonymous visitor,
        ``UnknownRecipient`` for a ``user`` who does not exist.
        """
        level = as_level(level)
        if not (message or subject) or level < self.level:
            return None
        fields: MessageFields = {
            "extra_tags": extra_tags or "",
            "subject": subject,
            "from_user": from_user,
            "expires": expires,
            "close_timeout": close_timeout,
            "email": email,
            "email_delay": email_delay,
            "via": via,
            "url": url,
            "url_label": url_label,
            "category": category,
            "icon": icon,
            "sse": False,
        }
        steps = create.steps_of(fields)
        can_wait = not (is_persistent(level) or live or steps)
        if user is None and can_wait:
            self._queue(create.build_message(None, level, message, **fields))
            return None
        me = self._me()
        is_anonymous = not getattr(user, "is_authenticated", True)
        is_for_me = user is None or (is_anonymous and (me is None or me.is_visitor))
        # None for a visitor without a token.
        recipient = me if is_for_me else resolve_recipient(user)
        if recipient is None or recipient.is_visitor:
            _refuse_for_visitor(level, steps)
        if recipient == me and (can_wait or (me is None and not settings.VISITORS)):
            self._queue(create.build_message(recipient, level, message, **fields))
            return None
        for_next_page = recipient == me and not is_persistent(level)
        fields["sse"] = bool(live) if for_next_page else live is not False
        to = recipient or Recipient.from_request(self.request)
        if to == me:
            # Lazy texts in the language of this request.
            row = create.save_message(create.build_message(to, level, message, **fields), steps)
        else:
            row = create.write_message(to, level, message, **fields)
        if hasattr(self, "_loaded_data") and row.recipient == self._me():
            self._loaded_data.append(row)
        return row

    def _queue(self, row: Message) -> None:
        """``update()`` saves it."""
        self.added_new = True
        self._queued_messages.append(row)

    # Reading.

    def __iter__(self) -> Iterator[Any]:
        self._loaded_data = self._claim.take(self._loaded_messages)
        return super().__iter__()

    def _get(self, *args: Any, **kwargs: Any) -> tuple[list[AnyMessage], bool]:
        # For users too: messages of an anonymous request before the log-in.
        kept, all_retrieved = self._fallback._get()
        rows: list[Message] = tolerant.ask(self._newest, [])
        return [*(kept or []), *rows[::-1]], all_retrieved

    def _newest(self) -> list[Message]:
        """The rows for this page, newest first. One query for a small inbox."""
        me = self._me()
        if me is None:
            return []
        size, unread_only = settings.SNAPSHOT_SIZE, settings.EXCLUDE_READ
        if self.is_admin:
            newest = reading.to_show_once(me, LARGEST_KEY, unread_only)
        else:
            newest = reading.waiting(me, size, unread_only)
            if len(newest) == size:
                # The history is limited, messages that wait to be shown once are not.
                newest += reading.to_show_once(me, newest[-1].pk, unread_only)
            else:
                self._complete_for = me
        return [row for row in newest if row.pk not in self._written]

    def count_loaded(self, who: Recipient) -> int | None:
        """The number of unread persistent messages by what the page reads anyway.

        None where that does not hold all of them.
        """
        loaded = self._loaded_messages
        if self._complete_for != who or not settings.EXCLUDE_READ:
            return None
        rows = (row for row in loaded if isinstance(row, Message) and row.pk)
        return sum(1 for row in rows if row.is_persistent() and not row.read)

    # Storing.

    def update(self, response: HttpResponseBase) -> list[Any]:
        """Remove what was shown and save what was added, before the response is sent.

        After an error status (500 and above) all that was shown is shown again.
        """
        shown = self.used and response.status_code < 500
        self._claim.settle(shown)
        unstored = self._store_unsent(shown, response) if self.used or self.added_new else []
        update_marker(self.request, response)
        return unstored

    def _store_unsent(self, shown: bool, response: HttpResponseBase) -> list[Any]:
        unsent = self._queued_messages
        if not shown:
            # Messages from before this request. Rows stay; those in a cookie are written again.
            has_loaded = hasattr(self, "_loaded_data")
            kept = self._loaded_data if has_loaded else self._fallback._get()[0] or []
            unsent = [*kept, *unsent]
        rows = [row for row in unsent if isinstance(row, Message) and not row.pk]
        plain: list[Any] = [row for row in unsent if not isinstance(row, Message)]
        plain += self._store_rows(rows)
        for message in plain:
            message._prepare()
        return list(self._fallback._store(plain, response) or [])

    def _store_rows(self, rows: list[Message]) -> list[DjangoMessage]:
        """Save what belongs into the database; return what belongs into the cookie."""
        # The view may have logged a user in or out.
        me = self._me() if rows else None
        is_anonymous = me is None or me.is_visitor
        for_cookie = [
            row
            for row in rows
            if is_anonymous and not row.user_id and (_fits_cookie(row) or not settings.VISITORS)
        ]
        rows = [row for row in rows if row not in for_cookie]
        for row in rows:
            if not row.user_id:
                row.recipient = me = me or Recipient.from_request(self.request)

        def insert() -> bool:
            create.insert(rows)
            return True

        if not tolerant.ask(insert, False, "Messages could not be stored; a cookie keeps them."):
            # The request deleted its own user, or the table is older than the code: Django's
            # storages keep what they can.
            for_cookie, rows = [*for_cookie, *rows], []
        self._written |= {row.pk for row in rows}
        return [
            DjangoMessage(row.level, row.message or row.subject, extra_tags=row.extra_tags)
            for row in for_cookie
        ]

    def _me(self) -> Recipient | None:
        return Recipient.existing(self.request)

    def _rows(self) -> MessageQuerySet:
        me = self._me()
        rows = Message.objects.of(me) if me else Message.objects.none()
        return rows.visible().newest_first()


class _Claim:
    """The rows this request shows: claimed while it runs, deleted or released when it ends."""

    def __init__(self) -> None:
        self.token = ""
        self.pks: set[int] = set()
        self.is_settled = False

    def take(self, messages: list[AnyMessage]) -> list[AnyMessage]:
        """``messages`` without those that another request is showing."""
        wanted = {
            row.pk
            for row in messages
            if isinstance(row, Message) and row.pk and not row.is_persistent()
        } - self.pks
        # After the response (in a test) nothing more is claimed.
        if not wanted or self.is_settled:
            return messages
        self.token = self.token or secrets.token_hex(16)
        mine = self._guarded_update(wanted)
        self.pks |= mine
        lost = wanted - mine
        return [row for row in messages if getattr(row, "pk", None) not in lost]

    def _guarded_update(self, pks: set[int]) -> set[int]:
        def claim() -> set[int]:
            values = {"token": self.token, "now": timezone.now(), "stale": claims_end()}
            if _CLAIM.run(router.db_for_write(Message), pks, **values) == len(pks):
                return pks
            mine = Message.objects.filter(pk__in=pks, claim=self.token)
            return set(mine.values_list("pk", flat=True))

        # The database may be locked: a page without messages is better than none.
        return tolerant.ask(claim, set())

    def settle(self, shown: bool) -> None:
        """Delete the claimed rows that were shown, else release them."""
        self.is_settled = True
        if not self.pks:
            return

        def settle() -> None:
            if shown:
                delete_shown(self.pks, self.token)
            else:
                mine = Message.objects.filter(pk__in=self.pks, claim=self.token)
                mine.update(claim="", claimed_at=None)

        # If it fails, the page is still sent, and its messages may be shown once more.
        tolerant.ask(settle, None)


_CLAIM = CompiledByKeys(
    lambda pks, stale: Message.objects.filter(pk__in=pks).unclaimed(stale),
    {"claim": "token", "claimed_at": "now"},
    stale=Message._meta.get_field("claimed_at"),
)


def _refuse_for_visitor(level: int, steps: Steps) -> None:
    if is_persistent(level):
        raise NotImplementedError(
            "An anonymous visitor's request cannot add a message that is kept. Use a level of "
            "django.contrib.messages, pass user=, or keep one for as long as their session lives "
            "with monitio.create_message(Recipient.from_request(request), …)."
        )
    if steps:
        raise ValueError(create.WITHOUT_ADDRESS)


def _fits_cookie(row: Message) -> bool:
    """Whether it has only a level, text and tags: a cookie keeps no more."""
    more = (row.subject, row.url, row.url_label, row.from_user_id, row.expires, row.close_timeout)
    return not any(value not in ("", None) for value in more)
