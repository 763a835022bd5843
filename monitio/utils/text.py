"""Texts and values that every database, page and e-mail accepts.

Texts that people read are cleaned. Identifiers (links, categories, tags) must not change: invalid
ones raise a ``ValueError`` that names the field.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias
from unicodedata import category
from urllib.parse import urlsplit

from django.utils.safestring import SafeData, mark_safe

from monitio.utils.shorten import LONGEST_LINE

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    # A text, also a lazily translated one.
    AnyString: TypeAlias = str | _StrPromise
else:
    AnyString = str

SCHEMES = ("", "http", "https")
LARGEST_NUMBER = 2**53

# NUL, which PostgreSQL refuses; lone surrogates, which have no encoding; overrides of the
# direction, which let "exe.gpj" read "jpg.exe".
_REFUSED = re.compile("[\0\ud800-\udfff\u202d\u202e]")
_CONTROL = re.compile("[\0-\x1f\x7f]")
# Of a page of the site, in ASCII; two slashes would begin a host.
_PATH = re.compile("/(?!/)[!-~]*")
_WIDE = re.compile("[\U00010000-\U0010ffff]")
# Control characters, line and paragraph separators, halves of surrogate pairs.
_NOT_IN_A_LINE = frozenset({"Cc", "Zl", "Zp", "Cs"})
# Embeddings, overrides and isolates would reach into the words that follow a name.
_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean_text(value: object) -> str:
    """The text of ``value``, with U+FFFD in place of what cannot be stored or shown.

    Replaced, never removed: the text around it must not join and become markup. A text that is
    marked safe stays safe.
    """
    text = str(value)
    return _replace(_REFUSED, text) if _REFUSED.search(text) else text


def replace_wide(text: str) -> str:
    """``text`` with U+FFFD in place of characters that take four bytes in UTF-8."""
    return _replace(_WIDE, text) if _WIDE.search(text) else text


def _replace(pattern: re.Pattern[str], text: str) -> str:
    clean = pattern.sub("\ufffd", text)
    return mark_safe(clean) if isinstance(text, SafeData) else clean  # noqa: S308 - it was safe


def one_line(text: str) -> str:
    """``text`` without line breaks and direction marks, for headers and for names inside a text."""
    kept = "".join(
        " " if category(letter) in _NOT_IN_A_LINE or letter in _DIRECTIONS else letter
        for letter in text
    )
    return " ".join(kept.split())[:LONGEST_LINE]


def identifier(name: str, text: str) -> str:
    """``text``. Raises ``ValueError`` where ``clean_text`` would change it."""
    if _REFUSED.search(text):
        raise ValueError(
            f"{name} cannot hold NUL, lone surrogates and bidirectional overrides: {text!r}."
        )
    return text


def at_most(name: str, text: str, length: int) -> str:
    """``text``. Raises ``ValueError`` when it has more than ``length`` characters."""
    if len(text) > length:
        raise ValueError(f"{name} has {len(text)} characters; {length} at most.")
    return text


def check_url(url: str) -> str:
    """``url`` if a browser may follow it. Raises ``ValueError`` for javascript: and the like."""
    if _PATH.fullmatch(url):
        return url  # in an eighth of the time
    # Browsers skip control characters and spaces, so "java\nscript:" runs: none may hide there.
    hidden = bool(_CONTROL.search(url))
    try:
        scheme = urlsplit(url.strip()).scheme.lower()
    except ValueError:
        hidden, scheme = True, ""
    if hidden or scheme not in SCHEMES or _REFUSED.search(url):
        raise ValueError(f"url {url!r} cannot be linked to: use a path or an http(s) address.")
    return url


def json_safe(value: Any) -> Any:
    """``value`` as JSON that every database accepts; other objects become their text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 2**63:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, Mapping):
        return {clean_text(name): json_safe(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_safe(entry) for entry in value]
    try:
        return clean_text(value)
    except Exception:  # of a class whose __str__ is broken
        return type(value).__name__


def error_details(error: BaseException | str) -> dict[str, Any]:
    """``{"error": text}``, for ``Job.error``, and ``"exception"`` if ``error`` is one."""
    try:
        text = clean_text(error)
    except Exception:  # of a class whose __str__ is broken
        text = type(error).__name__
    if not isinstance(error, BaseException):
        return {"error": text}
    return {"error": text or type(error).__name__, "exception": error}


def whole_number(name: str, value: Any) -> int:
    """``value`` as an integer. Raises ``ValueError`` that names it."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} is a whole number, not {value!r}.") from None


def as_number(value: Any) -> float | None:
    """``value`` for a progress bar; None unless it is a number that browsers represent exactly."""
    try:
        number: float = value if isinstance(value, int | float) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if -LARGEST_NUMBER <= number <= LARGEST_NUMBER else None


def as_int(number: float | None) -> float | None:
    """3 for 3.0, as the database returns it, for texts."""
    return int(number) if isinstance(number, float) and number.is_integer() else number
