"""Reading from Redis in an event loop, by a socket pair."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from monitio.transports.redis_loop import LoopReader, can_read_in_loop

pytest.importorskip("hiredis")

MESSAGE = b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n"


class Read:
    """The data that a reader has read, and whether it has woken the listening thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        self.answers: list[Any] = []
        self.woken = asyncio.Event()
        self.reader = LoopReader(loop, connection(sock), self.answers.append, self.woken.set)

    async def until(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self.answers) < count:
                await asyncio.sleep(0)


def connection(sock: Any, *, text: bool = False) -> Any:
    """A double of redis-py's connection."""
    return SimpleNamespace(_sock=sock, encoder=SimpleNamespace(decode_responses=text))


def reading(test: Callable[[Read, socket.socket], Awaitable[None]]) -> Read:
    """Run the test with a reader and the server's end of its connection."""
    ours, server = socket.socketpair()

    async def main() -> Read:
        read = Read(asyncio.get_running_loop(), ours)
        await test(read, server)
        ours.shutdown(socket.SHUT_RDWR)
        await read.woken.wait()  # as redis-py does at the end
        await asyncio.sleep(0)
        return read

    with ours, server:
        return asyncio.run(main())


def test_half_an_answer_holds_up_nothing() -> None:
    async def test(read: Read, server: socket.socket) -> None:
        server.sendall(MESSAGE + MESSAGE[:20])
        await read.until(1)
        server.sendall(MESSAGE[20:])
        await read.until(2)

    assert reading(test).answers == [[b"message", b"a", b"hi"]] * 2


def test_an_error_of_the_server_is_raised_in_the_listening_thread() -> None:
    async def test(read: Read, server: socket.socket) -> None:
        read.reader.check()
        server.sendall(b"-NOPERM no access to this channel\r\n" + MESSAGE)
        await read.woken.wait()

    read = reading(test)
    with pytest.raises(Exception, match="NOPERM"):
        read.reader.check()
    # The connection is not used any more.
    assert read.answers == []


def test_a_connection_that_the_server_closes_is_an_error() -> None:
    async def test(read: Read, server: socket.socket) -> None:
        server.sendall(MESSAGE)
        await read.until(1)
        server.shutdown(socket.SHUT_RDWR)
        await read.woken.wait()

    with pytest.raises(ConnectionError, match="closed the connection"):
        reading(test).reader.check()


def test_the_end_of_the_event_loop_is_an_error() -> None:
    async def test(read: Read, server: socket.socket) -> None:
        server.sendall(MESSAGE)
        await read.until(1)

    read = reading(test)
    read.reader._error = None  # before its connection has ended
    with pytest.raises(ConnectionError, match="event loop"):
        read.reader.check()


def test_only_plain_bytes_are_read_there() -> None:
    ours, server = socket.socketpair()
    with ours, server:
        assert can_read_in_loop(connection(ours))
        assert not can_read_in_loop(connection(ours, text=True))
        assert not can_read_in_loop(connection(object()))  # TLS has its own class
