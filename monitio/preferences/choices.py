"""How users want to be mailed: read, change, and decide what becomes of an e-mail.

Who has chosen nothing is mailed as the messages' authors ask. A choice of theirs wins over the
author's: "at once" mails what the author marked, "digest" gathers every unread message that is
kept, marked or not, "off" and "never" stop all but what is essential. Anonymous visitors have no
preferences.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import time, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import router, transaction

from monitio import links
from monitio.constants import EMAIL
from monitio.exceptions import UnknownRecipient
from monitio.models import CategoryChoice, Delivery, Digest, Message, Preferences
from monitio.models.categories import Category, Mode, categories, category, essential
from monitio.models.schedule import Frequency, as_stored, aware, now
from monitio.preferences import unsubscribe_links as tokens
from monitio.recipients import Recipient, accounts
from monitio.utils.text import at_most, identifier

__all__ = [
    "Category",
    "Frequency",
    "Mode",
    "categories_of",
    "change",
    "filter_by_preference",
    "for_user",
    "get",
    "resubscribe",
    "unsubscribe",
    "unsubscribe_url",
]

# What a change of these says about when the next digest is due.
TIMING = ("frequency", "hour", "weekday", "time_zone", "quiet_from", "quiet_to")
FIELDS = (*TIMING, "language")
INHERIT = ""
# Between the moment a message bears and the moment its e-mail is decided on.
SLACK = timedelta(minutes=1)


def for_user(user: Any) -> Preferences:
    """The preferences of a user (or a user's primary key); unsaved when they have chosen nothing.

    Raises ``UnknownRecipient`` for an anonymous visitor.
    """
    pk = _pk(user)
    return _rows([pk]).get(pk) or Preferences(user_id=pk)


def get(user: Any, name: str) -> Mode:
    """What becomes of the e-mails of a category for this user."""
    return for_user(user).mode(name)


def categories_of(user: Any) -> list[Category]:
    """What the user can choose for: what the site declares and what their messages are."""
    recipient = Recipient.for_user(user)
    used = Message.objects.of(recipient).order_by().values_list("category", flat=True).distinct()
    return categories({*used, *for_user(user).chosen})


def change(
    user: Any, *, categories: Mapping[str, str | None] | None = None, **fields: Any
) -> Preferences:
    """Change what is named: ``frequency`` (a ``Frequency``), ``hour`` (0 to 23), ``weekday`` (0 is
    Monday), ``time_zone`` (an IANA name, '' the site's), ``quiet_from`` and ``quiet_to``
    (``datetime.time``, None: no quiet hours), ``language``; ``categories`` maps names to a ``Mode``
    or None (as everything else).

    Raises ``ValueError`` that names the bad value, ``UnknownRecipient`` for nobody.
    """
    choices = _checked_choices(categories or {})
    if not accounts().filter(pk=_pk(user)).exists():
        raise UnknownRecipient(f"There is no user with the primary key {_pk(user)!r}.")
    with transaction.atomic(using=router.db_for_write(Preferences)):
        row = _locked(_pk(user))
        gathered, timing = row.uses_digests, _timing(row)
        _assign(row, fields)
        stopped = _choose(row, choices)
        row.__dict__.pop("chosen", None)
        _plan(row, is_new=not gathered, is_moved=timing != _timing(row))
        row.save()
        _withdraw_pending(row, None if row.frequency == Frequency.NEVER else stopped)
    return row


def filter_by_preference(deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Those of these unsaved e-mails that are to be sent, each due when its recipient wants it.

    What is missing goes into a digest, or its recipient does not want it.
    """
    rows = _rows(delivery.message.user_id for delivery in deliveries)
    without_choice = Preferences()
    admitted = []
    for delivery in deliveries:
        message = delivery.message
        row = rows.get(message.user_id, without_choice)
        mode = row.mode(message.category)
        if mode == Mode.AT_ONCE:
            admitted.append(_defer_for_quiet_hours(delivery, row))
        elif mode == Mode.DIGEST and row.next_digest_at is None:
            rows[message.user_id] = _begin(message)
    return admitted


def unsubscribe_url(user: Any, category: str | None, language: str = "") -> str | None:
    """Where a click ends the e-mails of a category (None: all that can be ended), without a log-in.

    ``language``: the reader's, a language code; '' is the active one. None without
    ``MONITIO_BASE_URL``, and for a category that cannot be switched off.
    """
    if category is not None and _is_essential(category):
        return None
    token = tokens.sign(tokens.UnsubscribeToken(str(_pk(user)), category))
    return links.page("message_unsubscribe", token, language=language) or None


def unsubscribe(departure: tokens.UnsubscribeToken) -> str:
    """End the e-mails a token speaks of; a token that takes it back.

    Raises ``ValueError`` for a category that cannot be switched off.
    """
    row = for_user(departure.user_id)
    # Who leaves twice and then changes their mind is mailed again.
    if departure.category is None:
        before = row.frequency if row.frequency != Frequency.NEVER else Frequency.AT_ONCE
        change(departure.user_id, frequency=Frequency.NEVER)
    else:
        chosen = row.chosen.get(departure.category)
        before = chosen.mode if chosen and chosen.mode != Mode.OFF else INHERIT
        change(departure.user_id, categories={departure.category: Mode.OFF})
    way_back = tokens.UnsubscribeToken(departure.user_pk, departure.category, before)
    return tokens.sign(way_back, tokens.RESUBSCRIBE)


def resubscribe(way_back: tokens.UnsubscribeToken) -> None:
    """Take an ``unsubscribe`` back."""
    if way_back.category is None:
        change(way_back.user_id, frequency=way_back.before)
    else:
        change(way_back.user_id, categories={way_back.category: way_back.before})


def _pk(user: Any) -> Any:
    return Recipient.for_user(user).user_id


def _rows(user_pks: Iterable[Any]) -> dict[Any, Preferences]:
    found = Preferences.objects.here().filter(user_id__in=set(user_pks))
    return {row.user_id: row for row in found.prefetch_related("choices")}


def _locked(user_pk: Any) -> Preferences:
    # Begins with a write, as every transaction that writes does on SQLite.
    Preferences.objects.bulk_create([Preferences(user_id=user_pk)], ignore_conflicts=True)
    return Preferences.objects.here().select_for_update().get(user_id=user_pk)


def _begin(message: Message) -> Preferences:
    """Plan the digest of somebody who has not chosen one: it is the site that gathers this."""
    row = _locked(message.user_id)
    if row.next_digest_at is None:
        row.digests_since = message.created - SLACK
        row.next_digest_at = as_stored(row.schedule.next(now()))
        row.save(update_fields=["digests_since", "next_digest_at"])
    return row


def _timing(row: Preferences) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in TIMING)


def _assign(row: Preferences, fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        if name not in FIELDS:
            raise ValueError(f"There is no preference {name!r}; there are {', '.join(FIELDS)}.")
        setattr(row, name, _cleaned(row, name, value))
    try:
        row.clean()
    except ValidationError as error:
        raise ValueError(" ".join(error.messages)) from None


def _cleaned(row: Preferences, name: str, value: Any) -> Any:
    """``value`` as the field of this name takes it. Raises ``ValueError`` that names it."""
    field: Any = Preferences._meta.get_field(name)
    if isinstance(value, str):
        identifier(name, value)
    try:
        clean = field.clean(value, row)
    except ValidationError as error:
        raise ValueError(f"{name}: {' '.join(error.messages)}") from None
    except (TypeError, OverflowError):
        raise ValueError(f"{name} cannot be {value!r}.") from None
    if isinstance(clean, time) and clean.tzinfo is not None:
        raise ValueError(f"{name} is a time of day without a time zone, not {value!r}.")
    return clean


def _checked_choices(wanted: Mapping[str, str | None]) -> dict[str, str]:
    longest = CategoryChoice._meta.get_field("category").max_length or 0
    choices = {name: str(mode or INHERIT) for name, mode in wanted.items()}
    for name, mode in choices.items():
        identifier("categories", at_most("categories", name, longest))
        if mode and mode not in Mode.values:
            known = ", ".join(Mode.values)
            raise ValueError(f"{mode!r} is no choice for {name!r}: {known} or None.")
        if mode and _is_essential(name):
            raise ValueError(f"E-mails of {name!r} are essential: nobody can choose for them.")
    return choices


def _is_essential(name: str) -> bool:
    return category(name).essential


def _choose(row: Preferences, choices: Mapping[str, str]) -> list[str]:
    """Write the choices that are new; the names of those whose e-mails stop."""
    stopped = []
    for name, mode in choices.items():
        chosen = row.chosen.get(name)
        if mode == (chosen.mode if chosen else INHERIT):
            continue
        values = {"mode": mode, "digests_since": as_stored(now()) - SLACK}
        CategoryChoice.objects.update_or_create(values, preferences=row, category=name)
        if mode == Mode.OFF:
            stopped.append(name)
    return stopped


def _plan(row: Preferences, *, is_new: bool, is_moved: bool) -> None:
    # Whoever has read the row for a digest that is due must not go by what it said.
    row.claim = ""
    if not row.uses_digests:
        row.next_digest_at = None
        return
    moment = now()
    if is_new:
        row.digests_since = as_stored(moment) - SLACK
    # One that is due stays due, unless it is for another moment now.
    if row.next_digest_at is None or is_moved:
        row.next_digest_at = as_stored(row.schedule.next(moment))


def _defer_for_quiet_hours(delivery: Delivery, row: Preferences) -> Delivery:
    if not _is_essential(delivery.message.category):
        due_at = delivery.due_at
        delivery.due_at = as_stored(row.schedule.held_until(aware(due_at)))
    return delivery


def _withdraw_pending(row: Preferences, names: Sequence[str] | None) -> None:
    """Take back e-mails that still wait, of these categories or (None) of all that can be ended."""
    if names is not None and not names:
        return
    skipped = {"state": Delivery.State.SKIPPED, "error": "Not wanted any more."}
    waiting = Delivery.objects.here().filter(
        message__user=row.user_id, channel=EMAIL, state=Delivery.State.PENDING
    )
    if names is None:
        waiting.exclude(message__category__in=essential()).update(**skipped)
        Digest.objects.here().unfinished().filter(user=row.user_id).update(**skipped)
    else:
        waiting.filter(message__category__in=names).update(**skipped)
