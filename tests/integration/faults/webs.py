"""The web processes of a site, which tests kill and replace."""

from __future__ import annotations

from typing import Any

from tests.integration.stream.servers import Server


class Webs:
    """``count`` servers of this ``kind`` (uvicorn with monitio.asgi), each on its own port."""

    def __init__(self, count: int, database: str, kind: str = "endpoint", **settings: Any) -> None:
        self._database, self._kind = database, kind
        self._settings = {"ROOT_URLCONF": "tests.integration.faults.site", **settings}
        self.servers = [self._new() for _ in range(count)]

    def _new(self) -> Server:
        return Server(self._kind, self._database, **self._settings)

    def ports(self) -> list[int]:
        """The ports on which a process listens, or did a moment ago."""
        return [server.port for server in self.servers]

    def kill(self, number: int) -> None:
        """Kill it, as in a crash."""
        self.servers[number].process.kill()
        self.servers[number].process.wait(40)

    def replace(self, number: int) -> None:
        self.servers[number] = self._new()

    def close(self) -> None:
        for server in self.servers:
            server.close()
