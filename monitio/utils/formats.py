"""Percentages, sizes and durations as the pages and the browser part write them."""

from __future__ import annotations

import math

from django.template.defaultfilters import filesizeformat
from django.utils.formats import number_format
from django.utils.translation import gettext


def percentage(value: float) -> str:
    """``42%``, rounded down: what is not done never has 100%."""
    return gettext("{n}%").format(n=number_format(math.floor(value)))


def sizes() -> list[str]:
    """Django's words for kilobytes, megabytes and gigabytes, with ``{n}`` for the number."""
    one = number_format(1, 1)
    return [filesizeformat(1024**power).replace(one, "{n}") for power in (1, 2, 3)]


def duration(seconds: float) -> str:
    """``4.2 s``, ``31 s``, ``1 min 2 s``, ``3 h 5 min``, ``2 d``."""
    seconds = max(0.0, seconds)
    if seconds < 10:
        return gettext("{n} s").format(n=number_format(round(seconds, 1), 1))
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return gettext("{n} d").format(n=hours // 24)
    units = [(gettext("{n} h"), hours), (gettext("{n} min"), minutes), (gettext("{n} s"), rest)]
    largest = 0 if hours else 1 if minutes else 2
    return " ".join(text.format(n=number) for text, number in units[largest : largest + 2])
