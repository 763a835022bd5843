"""The users' preferences: read, change, and apply them to deliveries.

Users without preferences are e-mailed as the caller of the API asks. A preference wins over the
caller: "at once" e-mails what the caller marked, "digest" collects every unread persistent message,
marked or not, "off" and "never" stop all but essential e-mails. Anonymous visitors have no
preferences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any, TypeAlias

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
    "held_until",
    "resubscribe",
    "unsubscribe",
    "unsubscribe_url",
]

# Category names with a Mode or None.
Choices: TypeAlias = Mapping[str, str | None]

# A change of these moves the next digest.
TIMING = ("frequency", "hour", "weekday", "time_zone", "quiet_from", "quiet_to")
FIELDS = (*TIMING, "language")
INHERIT = ""
# At most so long after a message's timestamp its e-mail is decided on.
SLACK = timedelta(minutes=1)


def for_user(user: Any) -> Preferences:
    """The preferences of a user (or a user's primary key); unsaved when there are none.

    Raises ``UnknownRecipient`` for an anonymous visitor.
    """
    pk = _pk(user)
    return _rows([pk]).get(pk) or Preferences(user_id=pk)


def get(user: Any, name: str) -> Mode:
    """The user's mode for e-mails of a category."""
    return for_user(user).mode(name)


def categories_of(user: Any) -> list[Category]:
    """The categories that the site declares, and those of the user's messages and choices."""
    recipient = Recipient.for_user(user)
    used = Message.objects.of(recipient).order_by().values_list("category", flat=True).distinct()
    return categories({*used, *for_user(user).chosen})


def change(
    user: Any,
    *,
    categories: Choices | None = None,
    channels: Mapping[str, Choices] | None = None,
    **fields: Any,
) -> Preferences:
    """Change these fields: ``frequency`` (a ``Frequency``), ``hour`` (0 to 23), ``weekday`` (0 is
    Monday), ``time_zone`` (an IANA name, '' the site's), ``quiet_from`` and ``quiet_to``
    (``datetime.time``, None: no quiet hours), ``language``; ``categories`` maps names to a ``Mode``
    or None (as everything else) for e-mails, ``channels`` maps names of channels to such mappings:
    ``{"push": {"exports": "off"}}``. Only e-mails have digests.

    Raises ``ValueError`` that names the bad value, ``UnknownRecipient`` for an unknown user.
    """
    wanted = {EMAIL: categories or {}, **(channels or {})}
    choices = {channel: _checked_choices(named, channel) for channel, named in wanted.items()}
    if not accounts().filter(pk=_pk(user)).exists():
        raise UnknownRecipient(f"There is no user with the primary key {_pk(user)!r}.")
    with transaction.atomic(using=router.db_for_write(Preferences)):
        row = _locked(_pk(user))
        gathered, timing = row.uses_digests, _timing(row)
        _assign(row, fields)
        stopped = {channel: _choose(row, named, channel) for channel, named in choices.items()}
        row.__dict__.pop("chosen", None)
        _plan(row, is_new=not gathered, is_moved=timing != _timing(row))
        row.save()
        for channel, names in stopped.items():
            is_never = channel == EMAIL and row.frequency == Frequency.NEVER
            _withdraw_pending(row, channel, None if is_never else names)
    return row


def filter_by_preference(
    deliveries: Sequence[Delivery], wants: Callable[[Preferences, Delivery], bool]
) -> list[Delivery]:
    """Those of these unsaved deliveries that users want, each moved out of the quiet hours.

    The others go into a digest, or are switched off.
    """
    rows = _rows(delivery.message.user_id for delivery in deliveries)
    without_choice = Preferences()
    admitted = []
    for delivery in deliveries:
        message = delivery.message
        row = rows.get(message.user_id, without_choice)
        if wants(row, delivery):
            delivery.due_at = _held_until(row, message.category, delivery.due_at)
            admitted.append(delivery)
        elif (
            delivery.channel == EMAIL
            and row.mode(message.category) == Mode.DIGEST
            and row.next_digest_at is None
        ):
            rows[message.user_id] = _begin(message)
    return admitted


def held_until(message: Message, moment: datetime) -> datetime:
    """``moment``, or the end of the quiet hours of the message's user it lies in."""
    row = Preferences.objects.here().filter(user=message.user_id).first()
    return moment if row is None else _held_until(row, message.category, moment)


def _held_until(row: Preferences, category: str, moment: datetime) -> datetime:
    if _is_essential(category):
        return moment
    return as_stored(row.schedule.held_until(aware(moment)))


def unsubscribe_url(user: Any, category: str | None, language: str = "") -> str | None:
    """The page that unsubscribes from a category (None: from all but essential) without a log-in.

    ``language``: the recipient's language code; '' is the active one. None without
    ``MONITIO_BASE_URL``, and for a category that cannot be switched off.
    """
    if category is not None and _is_essential(category):
        return None
    token = tokens.sign(tokens.UnsubscribeToken(str(_pk(user)), category))
    return links.page("message_unsubscribe", token, language=language) or None


def unsubscribe(token: tokens.UnsubscribeToken) -> str:
    """Unsubscribe from the token's category; the token for ``resubscribe``.

    Raises ``ValueError`` for a category that cannot be switched off.
    """
    row = for_user(token.user_id)
    # A second unsubscribe must keep a way back to e-mails.
    if token.category is None:
        before = row.frequency if row.frequency != Frequency.NEVER else Frequency.AT_ONCE
        change(token.user_id, frequency=Frequency.NEVER)
    else:
        chosen = row.chosen.get(token.category)
        before = chosen.mode if chosen and chosen.mode != Mode.OFF else INHERIT
        change(token.user_id, categories={token.category: Mode.OFF})
    undo = tokens.UnsubscribeToken(token.user_pk, token.category, before)
    return tokens.sign(undo, tokens.RESUBSCRIBE)


def resubscribe(undo: tokens.UnsubscribeToken) -> None:
    """Undo an ``unsubscribe``."""
    if undo.category is None:
        change(undo.user_id, frequency=undo.before)
    else:
        change(undo.user_id, categories={undo.category: undo.before})


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
    """Plan the first digest of a user whose digests come from the site's settings."""
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
        if isinstance(value, str):
            identifier(name, value)
        field: Any = Preferences._meta.get_field(name)
        try:
            clean = field.clean(value, row)
        except ValidationError as error:
            raise ValueError(f"{name}: {' '.join(error.messages)}") from None
        except (TypeError, OverflowError):
            raise ValueError(f"{name} cannot be {value!r}.") from None
        if isinstance(clean, time) and clean.tzinfo is not None:
            raise ValueError(f"{name} is a time of day without a time zone, not {value!r}.")
        setattr(row, name, clean)
    try:
        row.clean()
    except ValidationError as error:
        raise ValueError(" ".join(error.messages)) from None


def _checked_choices(wanted: Choices, channel: str) -> dict[str, str]:
    longest = CategoryChoice._meta.get_field("category").max_length or 0
    choices = {name: str(mode or INHERIT) for name, mode in wanted.items()}
    for name, mode in choices.items():
        identifier("categories", at_most("categories", name, longest))
        if mode and mode not in Mode.values:
            known = ", ".join(Mode.values)
            raise ValueError(f"{mode!r} is no choice for {name!r}: {known} or None.")
        if mode == Mode.DIGEST and channel != EMAIL:
            raise ValueError(f"Only e-mails have digests: {channel!r} takes at_once, off or None.")
        if mode and _is_essential(name):
            raise ValueError(f"Messages of {name!r} are essential: nobody can choose for them.")
    return choices


def _is_essential(name: str) -> bool:
    return category(name).essential


def _choose(row: Preferences, choices: Mapping[str, str], channel: str) -> list[str]:
    """Write the changed choices; the names of the categories that were switched off."""
    stopped = []
    for name, mode in choices.items():
        chosen = row.chosen_for(channel).get(name)
        if mode == (chosen.mode if chosen else INHERIT):
            continue
        values = {"mode": mode, "digests_since": as_stored(now()) - SLACK}
        CategoryChoice.objects.update_or_create(
            values, preferences=row, category=name, channel=channel
        )
        if mode == Mode.OFF:
            stopped.append(name)
    return stopped


def _plan(row: Preferences, *, is_new: bool, is_moved: bool) -> None:
    # A worker that has read the row for a due digest must not use its old values.
    row.claim = ""
    if not row.uses_digests:
        row.next_digest_at = None
        return
    moment = now()
    if is_new:
        row.digests_since = as_stored(moment) - SLACK
    # A due digest stays due, unless its schedule has changed.
    if row.next_digest_at is None or is_moved:
        row.next_digest_at = as_stored(row.schedule.next(moment))


def _withdraw_pending(row: Preferences, channel: str, names: Sequence[str] | None) -> None:
    """Skip pending deliveries of these categories, or (None) all e-mails but essential ones."""
    if names is not None and not names:
        return
    skipped = {"state": Delivery.State.SKIPPED, "error": "Not wanted any more."}
    waiting = Delivery.objects.here().filter(
        message__user=row.user_id, channel=channel, state=Delivery.State.PENDING
    )
    if names is None:
        waiting.exclude(message__category__in=essential()).update(**skipped)
        Digest.objects.here().unfinished().filter(user=row.user_id).update(**skipped)
    else:
        waiting.filter(message__category__in=names).update(**skipped)
