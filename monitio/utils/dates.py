"""Dates as the pages and the e-mails show them."""

from __future__ import annotations

from datetime import datetime

from django.utils.formats import date_format, get_format

# Django's for English, and for languages without one. Ages stand beside it, in 24 hours.
AMERICAN = "N j, Y, P"


def date_and_time(moment: datetime) -> str:
    """``27 Nov 2026, 14:02``: in the order of the active language, of a local moment."""
    usual = get_format("DATETIME_FORMAT")
    return date_format(moment, "j M Y, H:i" if usual == AMERICAN else usual)
