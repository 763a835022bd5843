"""Values that live once in each process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class ProcessLocal(Generic[T]):
    """One value a process, made by ``factory`` on first use.

    A forked child makes its own: it has none of the parent's threads, its sockets are shared, and
    a lock the parent held would never be released in the child.
    """

    def __init__(self, factory: Callable[[], T]) -> None:
        self._factory = factory
        self._value: T | None = None
        self._lock = threading.Lock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def get(self) -> T:
        value = self._value
        if value is None:
            with self._lock:
                value = self._value = self._value or self._factory()
        return value

    def reset(self) -> T | None:
        """Make a new value on the next use. Returns the former one, None if there was none."""
        with self._lock:
            former, self._value = self._value, None
        return former

    def _forget(self) -> None:
        self._value, self._lock = None, threading.Lock()
