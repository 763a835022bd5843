"""Threads whose database connections stay open from one stream to the next.

Django under ASGI makes a thread, and so a connection, for each request, and to open a connection
costs more than all that a stream reads. Few threads also mean few connections, however many streams
open at once. Each connection is closed when it is old, unusable or idle.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from monitio.utils.fork import ProcessLocal

# Together with the broadcaster, and the connection of LISTEN: at most 6 connections a process.
LOADERS, REQUEST_THREADS = 2, 2
# Seconds without work after which a thread ends and closes its connections.
IDLE = 2.0
# Seconds that a call of a request lasts before a second thread takes part: two that share the
# interpreter all the time need a fifth more CPU to open a stream.
PATIENCE = 0.02
# Seconds after which a connection is replaced.
MAX_AGE = 60.0

_thread = threading.local()


class DatabaseThreads(Executor):
    """Up to ``size`` threads, which start when they are needed and end when they are idle.

    One takes a call when those that run have lasted for ``patience`` seconds.
    """

    def __init__(self, size: int, name: str, patience: float = 0.0) -> None:
        self._size, self._name, self._patience = size, name, patience
        # When the calls that run began.
        self._began: list[float] = []
        self._calls: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._changed = threading.Condition()
        self._threads = self._idle = 0
        self._shared: dict[Hashable, Future[Any]] = {}

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        with self._changed:
            self._calls.append((future, partial(function, *args, **kwargs)))
            if self._idle >= len(self._calls):
                self._changed.notify()
            elif self._threads < self._size:
                threading.Thread(target=self._run, name=self._name, daemon=True).start()
                self._threads += 1
        return future

    def share(self, key: Hashable, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """``submit``, once for all callers of a key (not None) until it begins.

        Who calls later needs what was written since, and so another one.
        """
        if key is None:
            return self.submit(function, *args)
        with self._changed:
            if key not in self._shared:
                self._shared[key] = self.submit(self._begin, key, function, *args)
            return self._shared[key]

    def _begin(self, key: Hashable, function: Callable[..., Any], *args: Any) -> Any:
        with self._changed:
            # It is not there if no thread could be started for its first caller.
            self._shared.pop(key, None)
        return function(*args)

    def _run(self) -> None:
        _thread.keeps_connections = True
        try:
            while self._run_next():
                pass
        finally:
            connections.close_all()

    def _run_next(self) -> bool:
        with self._changed:
            self._idle += 1
            has_call = self._wait_for_turn()
            self._idle -= 1
            if not has_call:
                self._threads -= 1
                return False
            future, call = self._calls.popleft()
            began = time.monotonic()
            self._began.append(began)
        if future.set_running_or_notify_cancel():
            try:
                result = call()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
        with self._changed:
            self._began.remove(began)
        return True

    def _wait_for_turn(self) -> bool:
        """Until there is a call for this thread; False when there was none for ``IDLE`` seconds."""
        end = time.monotonic() + IDLE
        while True:
            now, due = time.monotonic(), max(self._began, default=-math.inf) + self._patience
            if self._calls and now >= due:
                return True
            if not self._calls and now >= end:
                return False
            self._changed.wait((due if self._calls else end) - now)


def keeps_connections() -> bool:
    """Whether this thread's connections stay open: its work must not close them."""
    return getattr(_thread, "keeps_connections", False)


def refresh_connections() -> None:
    """Close this thread's old and broken connections, as Django does before each request."""
    for connection in connections.all(initialized_only=True):
        connection.close_if_unusable_or_obsolete()


def close_connections() -> None:
    """Close this thread's connections, unless a transaction (a test's) is open."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()


def _on_connected(*, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    # A pool keeps its connections itself, and may have fewer than there are threads. Without
    # AUTOCOMMIT a connection stays in its first transaction, and may read nothing new.
    known = connection.settings_dict
    if keeps_connections() and known["AUTOCOMMIT"] and not known["OPTIONS"].get("pool"):
        connection.close_at = time.monotonic() + MAX_AGE
        # The server may have closed it since its last use.
        connection.health_check_enabled = True  # type: ignore[attr-defined]


connection_created.connect(_on_connected, dispatch_uid="monitio.threads")


_loaders = ProcessLocal(lambda: DatabaseThreads(LOADERS, "monitio-load"))


def get_loaders() -> DatabaseThreads:
    """The threads that compare, check sessions, and read snapshots for ``monitio.asgi``."""
    return _loaders.get()
