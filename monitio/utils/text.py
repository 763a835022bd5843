"""What a task says, in a form that every database takes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def storable(text: object) -> str:
    """The text without what no database takes: NUL, and the halves of a file name's odd bytes."""
    clean = str(text)
    if "\0" in clean or not _encodes(clean):
        clean = clean.replace("\0", "").encode("utf-8", "replace").decode()
    return clean


def plain(value: Any) -> Any:
    """The value as every database's JSON takes it; the text of whatever is no JSON."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, Mapping):
        return {storable(name): plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(entry) for entry in value]
    try:
        return storable(value)
    except Exception:  # of a class whose __str__ is broken
        return type(value).__name__


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def why(error: BaseException | str) -> dict[str, Any]:
    try:
        text = storable(error)
    except Exception:  # of a class whose __str__ is broken
        text = type(error).__name__
    if not isinstance(error, BaseException):
        return {"error": text}
    return {"error": text or type(error).__name__, "exception": error}


def whole(number: float | None) -> float | None:
    """3.0, as the database gives it back, reads "3" in a text."""
    return int(number) if isinstance(number, float) and number.is_integer() else number
