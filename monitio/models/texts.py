"""Stored texts: cleaned, safe URLs, and plain text of HTML; the tags of levels."""

from __future__ import annotations

import html
import logging
import re
from functools import lru_cache
from typing import Any

from django.contrib.messages.utils import get_level_tags
from django.core.exceptions import ValidationError
from django.utils.html import strip_tags
from django.utils.safestring import SafeData

from monitio import constants
from monitio.conf import when_overridden
from monitio.utils.text import check_url

logger = logging.getLogger("monitio")

# Users read these: they are cleaned. The others are identifiers: a bad one is refused.
FOR_READERS = frozenset({"subject", "message", "url_label"})


def validate_url(url: str) -> None:
    """``check_url`` as a validator."""
    try:
        check_url(url)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def stored_link(pk: Any, url: str) -> str:
    """``url``; '' for one that was written without ``save()`` and is no web address."""
    try:
        return check_url(url)
    except ValueError:
        logger.warning("The link of message %s is not shown: it is no web address.", pk)
        return ""


# Where a browser starts a new line, and where it leaves a gap in the line.
LINE_ENDS = re.compile(
    r"<(?:br|hr)\b[^<>]*>|</(?:p|div|h[1-6]|[uod]l|li|d[td]|tr|table|pre|blockquote|section)\s*>",
    re.IGNORECASE,
)
CELL_ENDS = re.compile(r"</t[dh]\s*>", re.IGNORECASE)


def plain_text(message: str) -> str:
    """A safe message without its markup; any other unchanged."""
    text = str(message)
    if not isinstance(text, SafeData):
        return text
    lines = strip_tags(CELL_ENDS.sub(" ", LINE_ENDS.sub("\n", text))).splitlines()
    return html.unescape("\n".join(line.strip() for line in lines if line.strip())).strip()


def tags_of(extra_tags: str, level: int) -> str:
    tag = level_tag(level)
    return f"{extra_tags} {tag}" if extra_tags and tag else extra_tags or tag


@lru_cache(maxsize=64)
def level_tag(level: int) -> str:
    """The level's tag; that of the matching Django level where MESSAGE_TAGS lacks it."""
    tags = get_level_tags()
    sibling = level - constants.OFFSET if constants.is_persistent(level) else level
    return str(tags.get(level, tags.get(sibling, "")))


when_overridden(level_tag.cache_clear, "MESSAGE_TAGS")
