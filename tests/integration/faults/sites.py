"""A whole site for fault tests: a writing process, web processes and open pages."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, Self

from tests.integration.faults.pages import Crowd, Page
from tests.integration.faults.webs import Webs
from tests.support.peers import Peer
from tests.support.servers.valkey import Valkey
from tests.support.waiting import wait_until

PROCESS = "tests.integration.faults.process"
# Without reconciliation, only events and gaps can repair a page.
NEVER = {"MONITIO_RECONCILE_INTERVAL": 9999}


def over(server: Valkey, **more: Any) -> dict[str, Any]:
    """The settings of a site with this Redis."""
    return {"MONITIO_TRANSPORT": "redis", "MONITIO_REDIS_URL": server.url, **more}


class Site:
    """Users with open pages, the web processes that serve them, and a process that writes."""

    def __init__(
        self,
        database: str,
        settings: dict[str, Any],
        *,
        webs: int = 1,
        people: int = 20,
        kind: str = "endpoint",
        writers_settings: dict[str, Any] | None = None,
        seed: int = 0,
    ) -> None:
        with ExitStack() as started:
            self.writer = Peer(PROCESS, database, **(writers_settings or settings))
            started.callback(self.writer.close)
            self.writer.migrate()
            self._browsers = self.writer.sign_in_many(people)
            self.keys = [browser["key"] for browser in self._browsers]
            self.webs = Webs(webs, database, kind, **settings)
            started.callback(self.webs.close)
            self.crowd = Crowd(self._browsers, self.webs.ports, seed)
            started.callback(self.crowd.close)
            wait_until(self.crowd.is_open, 60, "all pages are open")
            # An exception above ends what was started.
            self._started = started.pop_all()

    @property
    def pages(self) -> list[Page]:
        return self.crowd.pages

    def address_of(self, number: int) -> tuple[str, str]:
        """The path of this user's stream, and their cookie."""
        browser = self._browsers[number]
        return f"/messages/stream/?page={browser['page']}", browser["cookie"]

    def plan(self, count: int) -> list[list[str]]:
        """Messages for all users in turn; each text begins with its recipient's key."""
        return [
            [key, f"{key} {number}"]
            for number in range(count)
            for key in [self.keys[number % len(self.keys)]]
        ]

    def wait_for_messages(self, count: int) -> None:
        """Wait until the pages have shown ``count`` more messages."""
        until = self.shown() + count
        wait_until(lambda: self.shown() >= until, 60, "more messages")

    def shown(self) -> int:
        return sum(len(page.shown) for page in self.pages)

    def settle(self, timeout: float = 60.0) -> None:
        """Wait until a reload would change no page; then check everything that pages received."""
        snapshots = self.writer.snapshots(self.keys)

        def differences() -> list[str]:
            pairs = zip(self.pages, snapshots, strict=True)
            return [difference for page, fresh in pairs if (difference := page.differs_from(fresh))]

        wait_until(lambda: not differences(), timeout, lambda: str(differences()[:5]))
        for page in self.pages:
            assert [text for text in page.received if text.split()[0] != page.key] == []
            assert [pk for pk, times in page.shown.items() if times > 1] == []
            assert page.messages.keys() <= page.shown.keys(), "each was shown"
        assert 204 not in self.crowd.refused, "a page was stopped"

    def close(self) -> None:
        self._started.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
