"""A demo is to be watched: 20,000 rows take less than a second."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
PAUSES, PAUSE = 40, 0.1


def watchable(rows: Iterable[T], total: int) -> Iterator[T]:
    """The same rows, spread over four seconds more, however many there are."""
    step = max(1, total // PAUSES)
    for number, row in enumerate(rows, 1):
        yield row
        if number % step == 0 and total > PAUSES:
            time.sleep(PAUSE)
