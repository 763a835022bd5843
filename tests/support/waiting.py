"""Wait for a condition instead of for a fixed time."""

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
    """The first true result of ``condition``.

    Raises ``AssertionError`` when there is none within ``timeout`` seconds. ``message`` describes
    the condition; a callable may describe the present state.
    """
    deadline = time.monotonic() + timeout
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            text = message() if callable(message) else message
            raise AssertionError(
                f"{text or 'The condition'}: not within {timeout} s; last {answer!r}"
            )
        time.sleep(interval)
