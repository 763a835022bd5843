"""Several Valkey servers that belong together: a replicated one with a Sentinel, and a Cluster."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import redis

from tests.support.servers.ports import free_port
from tests.support.servers.valkey import Valkey
from tests.support.waiting import wait_until

SERVICE = "news"


class Sentinel(Valkey):
    """Monitors one master, and promotes its replica when the master is down for half a second."""

    def __init__(self, master: Valkey) -> None:
        super().__init__("--sentinel")
        # The Sentinel writes its state there.
        self.config = self.folder.path / "sentinel.conf"
        self.config.write_text(
            f"sentinel monitor {SERVICE} 127.0.0.1 {master.port} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} 500\n"
            f"sentinel failover-timeout {SERVICE} 2000\n"
        )

    def _first_options(self) -> Sequence[str]:
        return (str(self.config),)


class Replicated:
    """A master, its replica and a Sentinel that monitors both."""

    def __init__(self) -> None:
        self.master = Valkey()
        self.replica = Valkey("--replicaof", "127.0.0.1", str(self.master.port))
        self.sentinel = Sentinel(self.master)
        self._servers = (self.master, self.replica, self.sentinel)
        # The first Sentinel of the address does not exist.
        sentinels = f"127.0.0.1:{free_port()},127.0.0.1:{self.sentinel.port}"
        self.url = f"redis+sentinel://{sentinels}/{SERVICE}"

    def start(self) -> None:
        for server in self._servers:
            server.start()
        with redis.Redis(port=self.sentinel.port) as sentinel:
            wait_until(
                lambda: [one["flags"] for one in sentinel.sentinel_slaves(SERVICE)] == ["slave"],
                40,
                lambda: f"a healthy replica: {sentinel.sentinel_slaves(SERVICE)}",
            )

    def master_now(self) -> Valkey:
        """The master by the Sentinel's answer."""
        with redis.Redis(port=self.sentinel.port) as sentinel:
            port = sentinel.sentinel_get_master_addr_by_name(SERVICE)[1]
        return next(one for one in (self.master, self.replica) if one.port == port)

    def close(self) -> None:
        for server in self._servers:
            server.close()


class Cluster:
    """Three nodes, a third of the slots each."""

    def __init__(self) -> None:
        self._buses = [free_port() for _ in range(3)]
        self.nodes = [
            Valkey("--cluster-enabled", "yes", "--cluster-port", str(bus)) for bus in self._buses
        ]

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def start(self) -> None:
        for number, node in enumerate(self.nodes):
            node.start()
            with redis.Redis(port=node.port) as client:
                first, last = number * 16384 // 3, (number + 1) * 16384 // 3 - 1
                client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
                client.execute_command(
                    "CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port, self._buses[0]
                )
        wait_until(lambda: all(self._is_whole(node) for node in self.nodes), message="one Cluster")
        with ExitStack() as stack:
            clients = [stack.enter_context(redis.Redis(port=node.port)) for node in self.nodes]
            listeners = [stack.enter_context(client.pubsub()) for client in clients]
            for listener in listeners:
                listener.subscribe("ready")
            # Nodes that know each other may have no link yet: events published then are lost.
            wait_until(lambda: self._is_linked(clients, listeners), message="links of the nodes")

    @staticmethod
    def _is_linked(clients: list[redis.Redis], listeners: list[Any]) -> bool:
        """Whether every node receives what each node publishes."""
        for number, client in enumerate(clients):
            client.publish("ready", number)
        received: list[set[bytes]] = [set() for _ in listeners]
        for listener, found in zip(listeners, received, strict=True):
            while message := listener.get_message(timeout=0.2):
                if message["type"] == "message":
                    found.add(message["data"])
        return all(len(found) == len(clients) for found in received)

    @staticmethod
    def _is_whole(node: Valkey) -> bool:
        with redis.Redis(port=node.port) as client:
            info = client.execute_command("CLUSTER INFO")
        return bool(info["cluster_state"] == "ok" and info["cluster_known_nodes"] == "3")

    def close(self) -> None:
        for node in self.nodes:
            node.close()
