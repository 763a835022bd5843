"""Redis behind TLS, on a unix socket, with Sentinels, and as a Cluster."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.integration.transports.base import (
    PROCESS,
    PROMPT,
    Conformance,
    EventReceiver,
    new_topic,
)
from tests.support.peers import TIMEOUT, Peer, short_timeout
from tests.support.servers.proxy import Proxy
from tests.support.servers.tls import certificate
from tests.support.servers.valkey import Valkey
from tests.support.servers.valkeys import Cluster, Replicated
from tests.support.waiting import wait_until

Address = tuple[str, dict[str, Any]]


def sqlite(factory: pytest.TempPathFactory) -> str:
    return f"sqlite://{factory.mktemp('redis')}/site.sqlite3"


def transport(url: str) -> dict[str, str]:
    return {"MONITIO_TRANSPORT": "redis", "MONITIO_REDIS_URL": url}


class TestUnixSocket(Conformance):
    @pytest.fixture(scope="class")
    @classmethod
    def address(cls, valkey_server: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Address:
        # Configured by the legacy setting.
        legacy = {"location": str(valkey_server.socket), "db": 0}
        settings = {"MONITIO_TRANSPORT": "redis", "REDIS_SSEQUEUE_CONNECTION_SETTINGS": legacy}
        return sqlite(tmp_path_factory), settings


class TestTLS(Conformance):
    @pytest.fixture(scope="class")
    @classmethod
    def proxy(cls, valkey_server: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Any:
        context, trusted = certificate(tmp_path_factory.mktemp("tls"))
        proxy = Proxy(valkey_server.port, context)
        yield proxy, trusted
        proxy.close()

    @pytest.fixture(scope="class")
    @classmethod
    def address(cls, proxy: Any, tmp_path_factory: pytest.TempPathFactory) -> Address:
        line, trusted = proxy
        url = f"rediss://127.0.0.1:{line.port}/0?ssl_ca_certs={trusted}"
        return sqlite(tmp_path_factory), transport(url)

    def test_a_server_that_cannot_be_trusted_is_refused(self, proxy: Any, address: Address) -> None:
        peer = Peer(PROCESS, address[0], **transport(f"rediss://127.0.0.1:{proxy[0].port}/0"))
        (warning,) = peer.check()
        assert "certificate verify failed" in warning
        peer.close()


class TestSentinel(Conformance):
    in_event_loop = True

    @pytest.fixture(scope="class")
    @classmethod
    def site(cls) -> Iterator[Replicated]:
        site = Replicated()
        site.start()
        yield site
        site.close()

    @pytest.fixture(scope="class")
    @classmethod
    def address(cls, site: Replicated, tmp_path_factory: pytest.TempPathFactory) -> Address:
        return sqlite(tmp_path_factory), transport(site.url)

    @pytest.fixture
    def whole(self, site: Replicated) -> Replicated:
        """Wait until the site has a master and a replica again."""
        site.start()
        return site

    def test_when_the_master_dies_its_replica_takes_over_within_seconds(
        self, whole: Replicated, listener: EventReceiver, publisher: Peer
    ) -> None:
        topic = new_topic()
        listener.follow(topic)
        assert publisher.timed_publish([[topic, "resync"]])[0]
        listener.forget()
        dead = whole.master_now()
        dead.kill()
        assert publisher.timed_publish([[topic, "resync"]])[1] < PROMPT
        listener.wait_for("gap", topic)
        listener.receive_again(publisher, topic)
        assert whole.master_now() is not dead

    def test_a_former_master_that_comes_back_is_not_used(
        self, whole: Replicated, listener: EventReceiver, publisher: Peer
    ) -> None:
        topic, dead = new_topic(), whole.master_now()
        dead.kill()
        wait_until(lambda: whole.master_now() is not dead)
        whole.start()
        listener.follow(topic)
        wait_until(
            lambda: publisher.timed_publish([[topic, "resync"]])[0],
            message="events are published again",
        )
        listener.wait_for("resync", topic)

    def test_a_master_that_freezes_is_replaced_too(
        self, whole: Replicated, listener: EventReceiver, publisher: Peer
    ) -> None:
        topic = new_topic()
        listener.peer.patch("monitio.transports.redis.PING_EVERY", 0.5)
        listener.follow(topic)
        with ExitStack() as stack:
            stack.enter_context(short_timeout(publisher, "transports.redis"))
            publisher.patch("monitio.transports._current", None)
            wait_until(
                lambda: publisher.timed_publish([[topic, "resync"]])[0],
                message="events are published",
            )
            stack.enter_context(short_timeout(listener.peer, "transports.redis", "PONG_WITHIN"))
            listener.forget()
            frozen = whole.master_now()
            os.kill(frozen.pid, signal.SIGSTOP)
            stack.callback(os.kill, frozen.pid, signal.SIGCONT)
            assert 0.1 < publisher.timed_publish([[topic, "resync"]])[1] < PROMPT
            # A Sentinel waits after a failover before it starts another.
            listener.wait_for("gap", topic)
            listener.receive_again(publisher, topic)


class TestCluster(Conformance):
    in_event_loop = True

    @pytest.fixture(scope="class")
    @classmethod
    def site(cls) -> Iterator[Cluster]:
        site = Cluster()
        site.start()
        yield site
        site.close()

    @pytest.fixture(scope="class")
    @classmethod
    def address(cls, site: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Address:
        return sqlite(tmp_path_factory), transport(site.url)

    def test_events_published_on_one_node_reach_every_other(
        self, site: Cluster, listener: EventReceiver, publisher: Peer, address: Address
    ) -> None:
        for node in site.nodes:
            topic = new_topic()
            listener.follow(topic)
            url = f"redis+cluster://127.0.0.1:{node.port}"
            peer = Peer(PROCESS, address[0], **transport(url))
            peer.publish([[topic, "resync"]])
            listener.wait_for("resync", topic)
            peer.close()

    @pytest.fixture
    def waiting_publisher(self, site: Cluster, publisher: Peer) -> Iterator[Peer]:
        """A publisher that waits for a dead node longer than a live one takes on a busy machine."""
        for node in site.nodes:
            node.start()
        publisher.patch("monitio.transports._current", None)
        publisher.patch("monitio.transports.redis.PUBLISH_TIMEOUT", 9.0)
        yield publisher
        publisher.patch("monitio.transports.redis.PUBLISH_TIMEOUT", TIMEOUT)
        for node in site.nodes:
            node.start()

    def test_nodes_that_die_one_after_the_other_cost_no_event(
        self, site: Cluster, listener: EventReceiver, waiting_publisher: Peer
    ) -> None:
        topic = new_topic()
        for node in site.nodes[:2]:
            node.kill()
            assert waiting_publisher.timed_publish([[topic, "resync"]])[0]
        listener.follow(topic)
        assert waiting_publisher.timed_publish([[topic, "resync"]])[0]
        listener.wait_for("resync", topic)

    def test_a_node_that_freezes_costs_no_event(
        self, site: Cluster, waiting_publisher: Peer
    ) -> None:
        for node in site.nodes:
            os.kill(node.pid, signal.SIGSTOP)
            try:
                assert waiting_publisher.timed_publish([["user:1", "resync"]])[0]
            finally:
                os.kill(node.pid, signal.SIGCONT)

    def test_a_cluster_that_does_not_answer_at_all_costs_a_second(
        self, site: Cluster, publisher: Peer
    ) -> None:
        with ExitStack() as stack:
            stack.enter_context(short_timeout(publisher, "transports.redis"))
            publisher.patch("monitio.transports._current", None)
            for node in site.nodes:
                os.kill(node.pid, signal.SIGSTOP)
                stack.callback(os.kill, node.pid, signal.SIGCONT)
            published, seconds = publisher.timed_publish([["user:1", "resync"]])
        assert not published and 0.8 < seconds < PROMPT
