"""Many open streams in one process, each a connection that looks for notifications."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable

SENT_AT = re.compile(rb"@@(\d+)@@")
AT_ONCE = 64


class Page(asyncio.Protocol):
    def __init__(self, pages: Pages, user: int) -> None:
        self.pages, self.user = pages, user
        self.opened = asyncio.get_running_loop().create_future()
        self.head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        request = (
            f"GET /events/{self.user}/ HTTP/1.1\r\nHost: localhost\r\n"
            "Accept: text/event-stream\r\n\r\n"
        )
        transport.write(request.encode())  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        if not self.opened.done():
            self.head += data
            if self.pages.ready in self.head:
                self.opened.set_result(None)
                # The next snapshot of an earlier notification must not count.
                self.head = b""
            return
        self.pages.delays += [now - int(sent_at) for sent_at in SENT_AT.findall(data)]

    def connection_lost(self, error: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(ConnectionError(self.head[:200].decode(errors="replace")))


class Pages:
    """``delays`` are those of the notifications that came, in nanoseconds."""

    def __init__(self, port: int, ready: bytes) -> None:
        self.port, self.ready = port, ready
        self.delays: list[int] = []
        self.open_pages: list[Page] = []

    async def open(self, users: Iterable[int]) -> None:
        """Open a page of each user, some at a time."""
        gate, loop = asyncio.Semaphore(AT_ONCE), asyncio.get_running_loop()

        async def open_one(user: int) -> None:
            async with gate:
                _, page = await loop.create_connection(
                    lambda: Page(self, user), "127.0.0.1", self.port
                )
                await asyncio.wait_for(page.opened, 60)
                self.open_pages.append(page)

        await asyncio.gather(*map(open_one, users))

    async def receive(self, count: int, timeout: float) -> None:
        """Wait until so many notifications have come, or the time is over."""
        deadline = time.monotonic() + timeout
        while len(self.delays) < count and time.monotonic() < deadline:
            await asyncio.sleep(0.01)

    def close(self) -> None:
        for page in self.open_pages:
            page.transport.abort()  # type: ignore[attr-defined]
