"""The conformance suite for transports, between two real processes.

A transport's tests inherit ``Conformance`` and provide ``address``, its database and settings.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from monitio.transports.events import EVERYBODY
from tests.support.peers import Peer
from tests.support.waiting import wait_until

PROCESS = "tests.integration.transports.process"
# Seconds: more than a second on a busy machine, less than the ten of ten publishers that wait.
PROMPT = 8.0


class EventReceiver:
    """A process that follows topics, and the events it has received so far."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.events: list[tuple[str, str, Any]] = []

    def look(self) -> list[tuple[str, str, Any]]:
        self.events += [(topic, kind, data) for topic, kind, data in self.peer.received()]
        return self.events

    def kinds(self, topic: str) -> list[str]:
        return [kind for name, kind, _ in self.look() if name == topic]

    def follow(self, *topics: str) -> None:
        """Follow the topics, and wait for the transport's gap at their beginning."""
        self.peer.follow(topics)
        self.wait_for("gap", *topics)

    def wait_for(self, kind: str, *topics: str, timeout: float = 40.0) -> None:
        def all_received() -> bool:
            return set(topics) <= {name for name, what, _ in self.look() if what == kind}

        wait_until(all_received, timeout, lambda: f"{kind} of {topics[:3]}; {self.events[-5:]}")

    def receive_again(self, publisher: Peer, topic: str) -> None:
        """Publish until an event arrives.

        A restored connection may be replaced again: its events are lost, and its topics get another
        gap.
        """

        def arrived() -> bool:
            return publisher.timed_publish([[topic, "resync"]])[0] and "resync" in self.kinds(topic)

        wait_until(arrived, 40.0, lambda: f"an event of {topic}; {self.events[-5:]}")

    def forget(self) -> None:
        self.look()
        self.events.clear()


def new_topic() -> str:
    return f"user:{uuid.uuid4()}"


class Conformance:
    """The suite. The subclass defines the fixture ``address``: database and settings."""

    # Whether an event contains its data, or only reports that something has changed.
    carries_data: ClassVar[bool] = True
    # Whether the processes have an event loop, as behind monitio.asgi.
    in_event_loop: ClassVar[bool] = False

    @pytest.fixture(scope="class")
    @classmethod
    def peers(cls, address: tuple[str, dict[str, Any]]) -> Iterator[tuple[Peer, Peer]]:
        database, settings = address
        peers = [
            # Without reconciliation: events come from the transport only.
            Peer(PROCESS, database, MONITIO_RECONCILE_INTERVAL=9999, **settings)
            for _ in range(2)
        ]
        peers[0].migrate()
        if cls.in_event_loop:
            for peer in peers:
                peer.run_event_loop()
        yield peers[0], peers[1]
        for peer in peers:
            peer.close()

    @pytest.fixture
    def listener(self, peers: tuple[Peer, Peer]) -> EventReceiver:
        """The process that receives events."""
        receiver = EventReceiver(peers[0])
        receiver.forget()
        return receiver

    @pytest.fixture
    def publisher(self, peers: tuple[Peer, Peer]) -> Peer:
        """The process that publishes events."""
        return peers[1]

    def test_an_event_of_another_process_arrives(
        self, listener: EventReceiver, publisher: Peer
    ) -> None:
        topic = new_topic()
        listener.follow(topic)
        publisher.publish([[topic, "resync"]])
        listener.wait_for("resync", topic)

    def test_a_bar_moves_from_inside_a_transaction_that_fails(
        self, listener: EventReceiver, publisher: Peer
    ) -> None:
        """By a separate connection; transports that publish by a row cannot, and return False."""
        topic = new_topic()
        listener.follow(topic)
        published = publisher.push_and_roll_back(topic)
        assert published != publisher.is_in_database()
        if published:
            listener.wait_for("recheck", topic)

    def test_an_event_of_the_same_process_arrives(self, listener: EventReceiver) -> None:
        topic = new_topic()
        listener.follow(topic)
        listener.peer.publish([[topic, "resync"]])
        listener.wait_for("resync", topic)

    def test_only_events_of_followed_topics_arrive(
        self, listener: EventReceiver, publisher: Peer
    ) -> None:
        mine, other = new_topic(), new_topic()
        listener.follow(mine)
        publisher.publish([[other, "resync"], [mine, "resync"]])
        listener.wait_for("resync", mine)
        assert listener.kinds(other) == []

    def test_a_topic_followed_later_begins_with_a_gap(
        self, listener: EventReceiver, publisher: Peer
    ) -> None:
        first, later = new_topic(), new_topic()
        listener.follow(first)
        publisher.publish([[later, "resync"]])
        listener.follow(later)
        assert listener.kinds(later)[0] == "gap"

    def test_events_of_an_unfollowed_topic_stop(
        self, listener: EventReceiver, publisher: Peer
    ) -> None:
        left, kept = new_topic(), new_topic()
        listener.follow(left, kept)
        listener.peer.unfollow([left])
        publisher.publish([[left, "resync"]])
        listener.follow(new_topic())  # then the transport has processed the unfollowed topic, too
        publisher.publish([[left, "resync"], [kept, "resync"]])
        listener.wait_for("resync", kept)
        assert listener.kinds(left)[1:] in ([], ["resync"]), "the first may have been on its way"

    def test_a_topic_that_was_left_can_be_followed_again(
        self, listener: EventReceiver, publisher: Peer
    ) -> None:
        topic = new_topic()
        listener.follow(topic)
        listener.peer.unfollow([topic])
        listener.follow(new_topic())
        listener.forget()
        listener.follow(topic)
        publisher.publish([[topic, "resync"]])
        listener.wait_for("resync", topic)

    def test_what_it_carries_arrives_whole(self, listener: EventReceiver, publisher: Peer) -> None:
        topic = new_topic()
        data = {"id": 1, "version": 2, "body": "ąę\n\r \u2028 <b>\\", "job": {"done": 0.5}}
        listener.follow(topic)
        publisher.publish([[topic, "message", data]])
        if self.carries_data:
            listener.wait_for("message", topic)
            assert (topic, "message", data) in listener.events
        else:
            listener.wait_for("resync", topic)

    def test_a_large_event_becomes_a_resync(self, listener: EventReceiver, publisher: Peer) -> None:
        topic = new_topic()
        listener.follow(topic)
        publisher.publish([[topic, "message", {"id": 1, "version": 1, "body": "ą" * 9000}]])
        listener.wait_for("resync", topic)
        assert "message" not in listener.kinds(topic)

    @pytest.mark.parametrize("order", [["recheck", "resync"], ["resync", "recheck"]])
    def test_a_recheck_is_not_replaced_by_other_events(
        self, listener: EventReceiver, publisher: Peer, order: list[str]
    ) -> None:
        topic = new_topic()
        listener.follow(topic)
        publisher.publish([[topic, kind] for kind in order])
        listener.wait_for("recheck", topic)
        listener.wait_for("resync", topic)

    def test_events_for_every_stream_arrive_with_every_topic(
        self, listener: EventReceiver, publisher: Peer
    ) -> None:
        listener.follow(new_topic())
        data = {"session": "mark"}
        publisher.publish([[EVERYBODY, "recheck", data]])
        listener.wait_for("recheck", EVERYBODY)
        assert (EVERYBODY, "recheck", data if self.carries_data else None) in listener.events

    def test_other_events_are_not_a_recheck(self, listener: EventReceiver, publisher: Peer) -> None:
        topic = new_topic()
        listener.follow(topic)
        publisher.publish([[topic, "resync"]])
        listener.wait_for("resync", topic)
        assert "recheck" not in listener.kinds(topic)

    def test_events_of_the_same_topic_arrive_again_and_again(
        self, listener: EventReceiver, publisher: Peer
    ) -> None:
        topic = new_topic()
        listener.follow(topic)
        for _ in range(5):
            listener.forget()
            publisher.publish([[topic, "resync"]])
            listener.wait_for("resync", topic)

    def test_many_topics_at_once(self, listener: EventReceiver, publisher: Peer) -> None:
        topics = [new_topic() for _ in range(1200)]
        listener.follow(*topics)
        publisher.publish([[topic, "resync"] for topic in topics])
        listener.wait_for("resync", *topics)
        listener.peer.unfollow(topics)

    def test_a_forked_child_publishes_and_receives_on_its_own_connections(
        self, listener: EventReceiver, publisher: Peer
    ) -> None:
        mine, childs = new_topic(), new_topic()
        listener.follow(mine)
        assert listener.peer.fork(childs) == ["gap", "resync"]
        publisher.publish([[mine, "resync"]])
        listener.wait_for("resync", mine)
        assert listener.kinds(childs) == []

    def test_it_stops_at_once_and_starts_again(
        self, listener: EventReceiver, publisher: Peer
    ) -> None:
        topic = new_topic()
        listener.follow(topic)
        seconds, left = listener.peer.stop()
        assert seconds < PROMPT and left == []
        again = new_topic()
        listener.follow(again)
        publisher.publish([[again, "resync"]])
        listener.wait_for("resync", again)

    def test_it_finds_nothing_wrong_with_itself(self, publisher: Peer) -> None:
        assert publisher.check() == []

    def test_idle_it_costs_next_to_nothing(self, listener: EventReceiver) -> None:
        listener.follow(*(new_topic() for _ in range(20)))
        share = listener.peer.cpu_share(1.0)
        print(f"idle: {share:.2%} of a core")
        # A loop without waiting would take far more, on a busy machine too.
        assert share < 0.1, "documented as under 0.5 %"
