"""Bounds for texts that come from tasks."""

from __future__ import annotations

# Characters of a headline, a label or the text beside a progress bar, as in their columns.
LONGEST_LINE = 255
# Characters of a job's message, of its error and of an argument that is stored with it.
LONGEST_TEXT = 10_000
# A link is never cut: one that is longer is left out.
LONGEST_URL = 2048


def shorten(text: str, length: int = LONGEST_LINE) -> str:
    """``text`` in at most ``length`` characters.

    A longer one loses its middle: the outcome of a task stands at the end of its headline.
    """
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return f"{text[: length - 1 - tail]}…{text[-tail:]}"


def as_ascii(text: str) -> str:
    """``text`` with escapes in place of characters that are not ASCII, for any database."""
    return text.encode("ascii", "backslashreplace").decode().replace("\0", "")
