"""Waiting for a condition instead of for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(
    condition: Callable[[], T],
    timeout: float = 60.0,
    message: str | Callable[[], str] = "",
    *,
    interval: float = 0.02,
) -> T:
    """The first true answer of ``condition``.

    Raises ``AssertionError`` when none comes within ``timeout`` seconds. ``message`` says what was
    waited for; a callable may look at what is there instead.
    """
    deadline = time.monotonic() + timeout
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            said = message() if callable(message) else message
            raise AssertionError(
                f"{said or 'The condition'}: not within {timeout} s; last {answer!r}"
            )
        time.sleep(interval)
