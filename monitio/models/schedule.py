"""When a user's digests are due and quiet hours end: local time, with daylight saving time.

Nothing here touches the database. Moments are aware; results are in UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
# MySQL's dates begin at 1000; near year 1 and 9999 a change of time zone overflows.
FIRST_YEAR, LAST_YEAR = 1000, 9998


class Frequency(models.TextChoices):
    """How often a user gets e-mails."""

    AT_ONCE = "at_once", _("Right away")
    HOURLY = "hourly", _("In an hourly digest")
    DAILY = "daily", _("In a daily digest")
    WEEKLY = "weekly", _("In a weekly digest")
    NEVER = "never", _("Never")


DIGEST_FREQUENCIES = (Frequency.HOURLY, Frequency.DAILY, Frequency.WEEKLY)


def now() -> datetime:
    """This moment, aware whatever the value of ``USE_TZ``."""
    return aware(timezone.now())


def aware(moment: datetime) -> datetime:
    """``moment``; a naive one in the current time zone."""
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)


def as_stored(moment: datetime) -> datetime:
    """An aware moment as the database stores it."""
    return moment if settings.USE_TZ else timezone.make_naive(moment)


def checked_moment(name: str, value: Any) -> datetime | None:
    """As the database stores it: aware or naive as ``USE_TZ``, converted by the current time zone.

    Raises ``ValueError`` for other types and for years that not every database and time zone has.
    """
    if value is None:
        return None
    if not isinstance(value, datetime):
        raise ValueError(f"{name} is a date and time (datetime), not {value!r}.")
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(
            f"{name} lies between the years {FIRST_YEAR} and {LAST_YEAR}, not at {value}. "
            "Leave it out where there is no such moment."
        )
    if timezone.is_aware(value) == settings.USE_TZ:
        return value
    return timezone.make_aware(value) if settings.USE_TZ else timezone.make_naive(value)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """``hour`` 0 to 23 and ``weekday`` 0 (Monday) to 6 are local to ``zone``.

    ``quiet`` is the begin and end of quiet hours; they may span midnight.
    """

    frequency: str
    zone: ZoneInfo
    hour: int = 8
    weekday: int = 0
    quiet: tuple[time, time] | None = None

    def next(self, after: datetime) -> datetime:
        """The first moment after ``after`` at which a digest is due."""
        latest = self._latest(after)[1]
        if self.frequency == Frequency.HOURLY:
            following = latest + HOUR
        else:
            slots = map(self._slot, self._days(after, 1))
            following = next(slot for slot in slots if slot > after)
        # A slot in quiet hours may still be due after its own time has passed.
        moments = map(self.held_until, (latest, following))
        return next(moment for moment in moments if moment > after)

    def period(self, now: datetime) -> str:
        """The name of the period of ``now``: there is one digest per period."""
        return self._latest(now)[0]

    def held_until(self, moment: datetime) -> datetime:
        """``moment``, or the end of the quiet hours it lies in."""
        if self.quiet is None:
            return moment
        begin, end = self.quiet
        local = moment.astimezone(self.zone)
        clock = local.time()
        spans_midnight = begin > end
        after_begin, before_end = clock >= begin, clock < end
        if not (after_begin or before_end if spans_midnight else after_begin and before_end):
            return moment
        day = local.date() if before_end else local.date() + DAY
        # In an hour that occurs twice they end the first time.
        return max(moment, self._utc(day, end))

    def _latest(self, now: datetime) -> tuple[str, datetime]:
        """Name and moment of the latest slot that is not after ``now``."""
        if self.frequency == Frequency.HOURLY:
            # In UTC every hour occurs exactly once.
            slot = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
            return f"hour {slot:%Y-%m-%dT%H}", slot
        slots = ((day, self._slot(day)) for day in self._days(now, -1))
        day, slot = next((day, slot) for day, slot in slots if slot <= now)
        return f"{'week' if self._is_weekly else 'day'} {day}", slot

    def _days(self, moment: datetime, step: int) -> Iterator[date]:
        """Local dates with a slot: backwards (-1) from tomorrow, or forwards (1) from yesterday."""
        today = moment.astimezone(self.zone).date()
        days = (today + number * step * DAY for number in count(-1))
        return (day for day in days if not self._is_weekly or day.weekday() == self.weekday)

    @property
    def _is_weekly(self) -> bool:
        return self.frequency == Frequency.WEEKLY

    def _slot(self, day: date) -> datetime:
        return self._utc(day, time(self.hour))

    def _utc(self, day: date, clock: time) -> datetime:
        # fold=0: the first of an hour that occurs twice; an hour that is skipped is moved later.
        return datetime.combine(day, clock, self.zone).astimezone(UTC)
