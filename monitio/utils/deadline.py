"""A limit on the time that several steps take together."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar

_end: ContextVar[float | None] = ContextVar("monitio_end", default=None)


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Let everything inside the block share this time; ``remaining`` returns what is left of it."""
    token = _end.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _end.reset(token)


def remaining(seconds: float) -> float:
    """``seconds``, or what is left of a surrounding ``deadline`` when that is less."""
    end = _end.get()
    return float(seconds) if end is None else max(0.0, min(seconds, end - time.monotonic()))
