"""Reads what Redis sends in the event loop of the streams.

Where ``monitio.asgi`` holds the streams, each event would else wake a thread, which wakes the event
loop: that and redis-py's own reading are twelve system calls of fifteen, and half the CPU of an
event.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from importlib import import_module
from typing import Any

try:
    # Comes with the extra "redis"; without it, the listening thread reads.
    hiredis: Any = import_module("hiredis")
except ImportError:
    hiredis = None


def can_read_in_loop(connection: Any) -> bool:
    """Whether this connection of redis-py brings plain bytes: no TLS, and no text."""
    return (
        hiredis is not None
        and type(connection._sock) is socket.socket
        and not connection.encoder.decode_responses
    )


class LoopReader(asyncio.Protocol):
    """Reads a connection of redis-py, which from then on only writes to it.

    ``receive`` is called in the event loop with each answer; ``wake`` when ``check`` will raise.
    Nothing here blocks, also when the server freezes in the middle of an answer.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: Any,
        receive: Callable[[Any], None],
        wake: Callable[[], None],
    ) -> None:
        self._loop, self._receive, self._wake = loop, receive, wake
        self._parser = hiredis.Reader()
        self._error: BaseException | None = None
        # The same socket: when redis-py shuts it down, this one ends as well.
        starting = loop.create_connection(lambda: self, sock=connection._sock.dup())
        asyncio.run_coroutine_threadsafe(starting, loop).add_done_callback(self._started)

    def check(self) -> None:
        """Raises what has ended the reading."""
        if self._error is not None:
            raise self._error
        if not self._loop.is_running():
            raise ConnectionError("the event loop that read from Redis has ended")

    def data_received(self, data: bytes) -> None:
        if self._error is not None:
            return
        try:
            self._parser.feed(data)
            while (answer := self._parser.gets()) is not False:
                if isinstance(answer, Exception):
                    raise answer
                self._receive(answer)
        except Exception as error:
            self._fail(error)

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(error or ConnectionError("Redis has closed the connection"))

    def _started(self, starting: Any) -> None:
        if starting.cancelled() or starting.exception():
            self._fail(ConnectionError("the event loop does not read from Redis"))

    def _fail(self, error: BaseException) -> None:
        self._error = self._error or error
        self._wake()
