"""Values that live once in each process, and threads beside forks."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")

_no_fork = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_no_fork.acquire,
        after_in_parent=_no_fork.release,
        after_in_child=_no_fork.release,
    )


@contextmanager
def no_fork() -> Iterator[None]:
    """A fork by another thread waits until the block has ended.

    For threads of processes that fork. A child inherits the locks that such a thread holds inside a
    library, and no thread that releases them: in SQLite its first connection would wait for ever.
    """
    with _no_fork:
        yield


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
                if self._value is None:
                    self._value = self._factory()
                value = self._value
        return value

    def reset(self) -> T | None:
        """Make a new value on the next use. Returns the former one, None if there was none."""
        with self._lock:
            former, self._value = self._value, None
        return former

    def _forget(self) -> None:
        self._value, self._lock = None, threading.Lock()
