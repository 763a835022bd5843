"""What a text may hold: addresses a browser may follow, and plain words instead of markup."""

from __future__ import annotations

import html
import re
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.utils.html import strip_tags
from django.utils.safestring import SafeData

SCHEMES = ("", "http", "https")


def check_url(url: str) -> str:
    """``url`` if a browser may follow it. Raises ``ValueError`` for javascript: and the like."""
    # Browsers skip control characters and spaces, so "java\nscript:" runs: none may hide there.
    hidden = any(character < " " or character == "\x7f" for character in url)
    try:
        scheme = urlsplit(url.strip()).scheme.lower()
    except ValueError:
        hidden, scheme = True, ""
    if hidden or scheme not in SCHEMES:
        raise ValueError(f"{url!r} cannot be linked to: use a path or an http(s) address.")
    return url


def validate_url(url: str) -> None:
    """``check_url`` as forms want it."""
    try:
        check_url(url)
    except ValueError as error:
        raise ValidationError(str(error)) from None


# Where a browser begins a new line, and where it leaves a gap in the line.
LINE_ENDS = re.compile(
    r"<(?:br|hr)\b[^<>]*>|</(?:p|div|h[1-6]|[uod]l|li|d[td]|tr|table|pre|blockquote|section)\s*>",
    re.IGNORECASE,
)
CELL_ENDS = re.compile(r"</t[dh]\s*>", re.IGNORECASE)


def plain_text(message: str) -> str:
    """Text without markup: of a safe message what its HTML reads, of any other the text itself."""
    text = str(message)
    if not isinstance(text, SafeData):
        return text
    lines = strip_tags(CELL_ENDS.sub(" ", LINE_ENDS.sub("\n", text))).splitlines()
    return html.unescape("\n".join(line.strip() for line in lines if line.strip())).strip()
