"""Values of a job as its row holds them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone

from monitio.models.schedule import checked_moment
from monitio.utils.shorten import LONGEST_TEXT, shorten
from monitio.utils.text import clean_text, json_safe


def due_moment(moment: datetime | None) -> datetime:
    """Not before now. A moment that no database holds counts as now."""
    now = timezone.now()
    try:
        return max(now, checked_moment("due_at", moment) or now)
    except ValueError:
        return now


def stored_arguments(arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """As JSON; one that is very long as a text."""
    if not arguments:
        return None
    safe = {clean_text(name): json_safe(value) for name, value in arguments.items()}
    return {
        name: value if len(json.dumps(value)) <= LONGEST_TEXT else shorten(str(value), LONGEST_TEXT)
        for name, value in safe.items()
    }
