"""Open pages with the front end's logic, and many browsers that keep them open.

``Page`` follows monitio/static/monitio/store.js; it also records how often each message popped up,
and everything it received.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

Browser = dict[str, str]
# Fields that change without a new version.
FLEETING = ("seq", "expires_in")


class Page:
    """The messages of one page, which is never reloaded."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.messages: dict[int, dict[str, Any]] = {}
        self.shown: Counter[int] = Counter()
        self.received: list[str] = []
        self.streams = self.snapshots = 0
        self._gone: set[int] = set()
        self._absent: set[int] = set()

    def take(self, name: str, data: Any) -> None:
        if name == "snapshot":
            self.snapshots += 1
            self._replace(data["messages"], data["floor"])
        elif name == "message":
            self._receive(data)
        elif name == "gone":
            for pk in data["ids"]:
                self._gone.add(pk)
                self.messages.pop(pk, None)

    def _replace(self, messages: list[dict[str, Any]], floor: int) -> None:
        present = {message["id"] for message in messages}
        for pk in [pk for pk in self.messages if pk >= floor and pk not in present]:
            self._absent.add(pk)
            del self.messages[pk]
        for message in messages:
            self._absent.discard(message["id"])
            known = self.messages.get(message["id"], message)
            if message["id"] not in self._gone and message["version"] >= known["version"]:
                self._put(message)

    def _receive(self, message: dict[str, Any]) -> None:
        known = self.messages.get(message["id"], message)
        is_out = message["id"] in self._gone | self._absent
        if not is_out and _rank(message) >= _rank(known):
            self._put(message)

    def _put(self, message: dict[str, Any]) -> None:
        self.received.append(message["body"])
        if message["id"] not in self.messages and not message["seen"]:
            self.shown[message["id"]] += 1
        self.messages[message["id"]] = message

    def differs_from(self, snapshot: dict[str, Any]) -> str:
        """What a reload would change; "" for nothing."""
        floor = snapshot["floor"]
        mine = {pk: _lasting(one) for pk, one in self.messages.copy().items() if pk >= floor}
        fresh = {one["id"]: _lasting(one) for one in snapshot["messages"]}
        if mine == fresh:
            return ""
        missing, extra = sorted(fresh.keys() - mine.keys()), sorted(mine.keys() - fresh.keys())
        other = [pk for pk in mine.keys() & fresh.keys() if mine[pk] != fresh[pk]]
        return f"{self.key}: missing {missing[:5]}, too many {extra[:5]}, different {other[:5]}"


def _rank(message: dict[str, Any]) -> tuple[int, int]:
    return message["version"], message["seq"]


def _lasting(message: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name not in FLEETING}


class Crowd:
    """Browsers with a page each. They always reconnect, to a random port."""

    def __init__(
        self, browsers: Sequence[Browser], ports: Callable[[], list[int]], seed: int = 0
    ) -> None:
        self.pages = [Page(browser["key"]) for browser in browsers]
        self.refused: Counter[int] = Counter()
        self._browsers, self._ports, self._random = browsers, ports, random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def is_open(self) -> bool:
        return all(page.snapshots for page in self.pages)

    def close(self) -> None:
        """Close all browsers. Does nothing when called again."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._browsing.cancel)
            self._thread.join(40)

    def _run(self) -> None:
        self._browsing = self._loop.create_task(self._browse_all())
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._browsing)
        self._loop.close()

    async def _browse_all(self) -> None:
        await asyncio.gather(*map(self._browse, self.pages, self._browsers))

    async def _browse(self, page: Page, browser: Browser) -> None:
        while True:
            with contextlib.suppress(OSError, EOFError, IndexError):
                await self._stream(self._random.choice(self._ports()), page, browser)
            await asyncio.sleep(self._random.uniform(0.05, 0.5))

    async def _stream(self, port: int, page: Page, browser: Browser) -> None:
        # A snapshot is one line, longer than the default limit.
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
        try:
            # HTTP/1.0: the body has no chunked encoding.
            writer.write(
                f"GET /messages/stream/?page={browser['page']} HTTP/1.0\r\nHost: localhost\r\n"
                f"Cookie: {browser['cookie']}\r\n\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            status = int(head.split()[1])
            if status != 200:
                self.refused[status] += 1
                return
            page.streams += 1
            await self._listen(reader, page)
        finally:
            writer.transport.abort()

    @staticmethod
    async def _listen(reader: asyncio.StreamReader, page: Page) -> None:
        name = ""
        while line := await reader.readline():
            field, _, value = line.decode().rstrip("\n").partition(": ")
            if field == "event":
                name = value
            elif field == "data" and line.endswith(b"\n"):
                page.take(name, json.loads(value))
