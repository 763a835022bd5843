"""Percentages and sizes as the pages and the browser part write them."""

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
