"""Dates as the pages and the e-mails show them."""

from __future__ import annotations

from datetime import datetime

from django.utils.dates import WEEKDAYS_ABBR
from django.utils.formats import date_format, get_format

# Django's for English, and for languages without one. Ages stand beside it, in 24 hours.
AMERICAN = "N j, Y, P"


def date_and_time(moment: datetime) -> str:
    """``27 Nov 2026, 14:02``: in the order of the active language, of a local moment."""
    usual = get_format("DATETIME_FORMAT")
    return date_format(moment, "j M Y, H:i" if usual == AMERICAN else usual)


def stamp(moment: datetime, now: datetime) -> str:
    """Weekday and time, for a week; else the date. Both moments are local."""
    if (now.date() - moment.date()).days < 7:
        # Each row of a digest has one; date_format takes five times as long.
        return f"{WEEKDAYS_ABBR[moment.weekday()]} {moment:%H:%M}"
    is_recent = moment.year == now.year
    return date_format(moment, "MONTH_DAY_FORMAT" if is_recent else "SHORT_DATE_FORMAT")
