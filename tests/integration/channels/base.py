"""The conformance suite for channels, with a server that receives their messages.

A channel's test module has a class that inherits ``Conformance`` (``TargetConformance`` if users
have destinations, ``DestinationConformance`` if it also sees the headers of responses), one that
inherits ``ProcessConformance``, and the fixture ``server_for_all``.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from typing import Any

import pytest
import time_machine
from django.test import override_settings
from django.utils import timezone

from monitio import api, dispatch, preferences, scope
from monitio.channels import deliveries, destinations, get_channel
from monitio.models import Delivery, Destination
from tests.support import scopes
from tests.support.peers import Peer, close_all
from tests.support.people import user
from tests.support.servers.pager import HANG, PagerServer
from tests.support.waiting import wait_until

INFO = 120
PROCESSES = 4
COUNT = 40


class Receiver:
    """The tests' interface to a channel's server."""

    # The channel's name and value in MONITIO_CHANNELS, and other settings of the site.
    name = ""
    settings: dict[str, Any] = {}
    # The address of a destination; None if the channel has no destinations.
    address: Any = None

    @abstractmethod
    def reset(self) -> None:
        """Remove all messages and scripted replies."""

    @abstractmethod
    def texts(self) -> list[str]:
        """The texts of the messages that have arrived."""

    @abstractmethod
    def times_sent(self) -> Counter[int]:
        """Number of arrivals -> number of messages (by an id that all attempts share)."""

    @abstractmethod
    def next_reply(self, reply: str) -> None:
        """Set the reply to the next message: "later", "never", "gone", "wait an hour", or none
        ("hang").
        """


class HttpReceiver(Receiver):
    """An HTTP server as the receiver."""

    REPLIES: dict[str, tuple[int, dict[str, str]]] = {
        "later": (503, {}),
        "wait an hour": (429, {"Retry-After": "3600"}),
        "never": (403, {}),
        "gone": (410, {}),
        "hang": (HANG, {}),
    }

    def __init__(self, server: PagerServer) -> None:
        self.server = server

    def reset(self) -> None:
        self.server.reset()

    def next_reply(self, reply: str) -> None:
        self.server.script = [self.REPLIES[reply]]


@pytest.mark.django_db(transaction=True)
class Conformance:
    """Needs the fixture ``receiver``: a reset ``Receiver``."""

    @pytest.fixture(autouse=True)
    def _site(
        self, receiver: Receiver, settings: Any, monkeypatch: pytest.MonkeyPatch, db: None
    ) -> None:
        for name, value in receiver.settings.items():
            setattr(settings, name, value)
        monkeypatch.setattr(dispatch.hooks, "deliver", lambda pk, due_at: None)

    @pytest.fixture
    def ann(self, receiver: Receiver) -> Any:
        return self.person(receiver, "ann")

    def person(self, receiver: Receiver, name: str) -> Any:
        who = user(name)
        if receiver.address is not None:
            destinations.add(who, receiver.name, {**receiver.address, "of": name})
        return who

    def notify(self, receiver: Receiver, who: Any, text: str = "The text.", **more: Any) -> None:
        api.create_message(who, INFO, text, via={receiver.name: True}, **more)

    def deliver(self) -> list[str]:
        """Send everything that is due; returns the states of all deliveries."""
        deliveries.run_due()
        return [row.state for row in Delivery.objects.order_by("pk")]

    def deliver_again(self) -> list[str]:
        Delivery.objects.filter(state="pending").update(due_at=timezone.now())
        return self.deliver()

    def test_a_message_arrives_once(self, receiver: Receiver, ann: Any) -> None:
        self.notify(receiver, ann)
        assert (self.deliver(), self.deliver_again()) == (["sent"], ["sent"])
        assert len(receiver.texts()) == 1 and "The text." in receiver.texts()[0]

    def test_a_temporary_failure_is_retried_later(self, receiver: Receiver, ann: Any) -> None:
        self.notify(receiver, ann)
        receiver.next_reply("later")
        assert (self.deliver(), self.deliver()) == (["pending"], ["pending"])
        row = Delivery.objects.get()
        assert row.due_at > timezone.now() and row.error
        assert self.deliver_again() == ["sent"]
        assert receiver.times_sent() == {1: 1}

    def test_a_permanent_failure_ends_with_its_reason(self, receiver: Receiver, ann: Any) -> None:
        self.notify(receiver, ann)
        receiver.next_reply("never")
        assert (self.deliver(), self.deliver_again()) == (["failed"], ["failed"])
        assert Delivery.objects.get().error not in ("", "See the log.")
        assert receiver.texts() == []

    def test_what_its_sender_did_not_settle_is_sent_again_under_the_same_identity(
        self, receiver: Receiver, ann: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def die(*args: Any) -> None:
            raise SystemExit("killed")

        self.notify(receiver, ann)
        with monkeypatch.context() as moment:
            moment.setattr(deliveries, "_settle", die)
            with pytest.raises(SystemExit):
                self.deliver()
        assert self.deliver() == ["claimed"]
        Delivery.objects.update(due_at=timezone.now())
        assert self.deliver() == ["sent"]
        assert receiver.times_sent() == {2: 1}

    def test_quiet_hours_hold_it(self, receiver: Receiver, ann: Any) -> None:
        preferences.change(ann, quiet_from=clock(22), quiet_to=clock(7), time_zone="UTC")
        with time_machine.travel(datetime(2026, 11, 23, 23, tzinfo=UTC)):
            self.notify(receiver, ann)
            assert self.deliver_again() == ["pending"]
        assert Delivery.objects.get().due_at == datetime(2026, 11, 24, 7, tzinfo=UTC)
        assert receiver.texts() == []

    def test_a_category_that_is_switched_off_is_not_sent(
        self, receiver: Receiver, ann: Any
    ) -> None:
        self.notify(receiver, ann, category="exports")
        preferences.change(ann, channels={receiver.name: {"exports": "off"}})
        self.notify(receiver, ann, category="exports")
        assert self.deliver() == ["skipped"]
        assert receiver.texts() == []

    def test_an_erased_target_gets_nothing(self, receiver: Receiver, ann: Any) -> None:
        self.notify(receiver, ann)
        if receiver.address is None:
            ann.delete()
        Destination.objects.all().delete()
        assert self.deliver() in ([], ["skipped"])
        assert receiver.texts() == []

    def test_a_server_that_hangs_costs_the_time_out_and_no_more(
        self, receiver: Receiver, ann: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.notify(receiver, ann)
        receiver.next_reply("hang")
        with monkeypatch.context() as short, override_settings(MONITIO_EMAIL_TIMEOUT=1):
            if receiver.address is not None:
                short.setattr(get_channel(receiver.name), "timeout", 1)
            began = time.monotonic()
            assert self.deliver() == ["pending"]
        # The server would never reply.
        assert time.monotonic() - began < 60
        assert self.deliver_again() == ["sent"]

    def test_a_tenants_deliveries_stay_its_own(
        self, receiver: Receiver, ann: Any, settings: Any
    ) -> None:
        settings.MONITIO_SCOPE = scopes.PATH
        with scope.activate("a"):
            self.person(receiver, "ann")
            self.notify(receiver, ann, "of a")
        with scope.activate("b"):
            assert self.deliver() == ["pending"]
            if receiver.address is not None:
                # The user has no destination in tenant b.
                self.notify(receiver, ann, "of b")
                assert Delivery.objects.count() == 1
        with scope.activate("a"):
            assert self.deliver() == ["sent"]
        (text,) = receiver.texts()
        assert "of a" in text


class TargetConformance(Conformance):
    """For a channel with destinations."""

    def test_a_target_that_is_gone_is_disabled_or_removed(
        self, receiver: Receiver, ann: Any
    ) -> None:
        self.notify(receiver, ann)
        receiver.next_reply("gone")
        assert self.deliver() == ["failed"]
        reasons = [row.reason for row in Destination.objects.all()]
        is_removed = get_channel(receiver.name).removes_gone
        assert reasons == ([] if is_removed else [Delivery.objects.get().error])
        self.notify(receiver, ann)
        assert Delivery.objects.count() == 1


class DestinationConformance(TargetConformance):
    """For a channel that sees the server's HTTP response."""

    def test_a_server_that_asks_for_time_gets_it(self, receiver: Receiver, ann: Any) -> None:
        self.notify(receiver, ann)
        receiver.next_reply("wait an hour")
        assert self.deliver() == ["pending"]
        assert Delivery.objects.get().due_at > timezone.now() + timedelta(minutes=55)


def start(database: str, receiver: Receiver) -> Peer:
    return Peer("tests.integration.channels.process", database, **receiver.settings)


@pytest.fixture(scope="module")
def all_peers(database: str, server_for_all: Receiver) -> Iterator[list[Peer]]:
    peers = [start(database, server_for_all) for _ in range(PROCESSES)]
    peers[0].migrate()
    yield peers
    close_all(peers)


class ProcessConformance:
    """Needs ``all_peers``, and fixtures of module scope: ``server_for_all`` (a ``Receiver``) and
    ``database``.
    """

    @pytest.fixture
    def peers(self, all_peers: list[Peer], server_for_all: Receiver) -> list[Peer]:
        server_for_all.reset()
        all_peers[0].clear()
        all_peers[0].prepare(COUNT, server_for_all.name, server_for_all.address)
        return all_peers

    def test_every_message_is_sent_once(self, peers: list[Peer], server_for_all: Receiver) -> None:
        moment = time.monotonic() + 0.3
        for peer in peers:
            peer.begin("send_all", moment)
        assert sum(peer.end() for peer in peers) == COUNT
        assert server_for_all.times_sent() == {1: COUNT}
        assert Counter(peers[0].states()) == {"sent": COUNT}

    def test_what_a_killed_sender_left_is_sent_again_under_the_same_identity(
        self, peers: list[Peer], server_for_all: Receiver, database: str
    ) -> None:
        victim = start(database, server_for_all)
        victim.begin("send_all", time.monotonic(), 2)
        # First, because the other processes could send everything before it.
        wait_until(lambda: victim.process.poll() is not None, message="its death")
        for peer in peers:
            peer.begin("send_all", time.monotonic())
        with pytest.raises(AssertionError, match="has died"):
            victim.end()
        victim.close()
        for peer in peers:
            peer.end()
        assert Counter(peers[0].states()) == {"sent": COUNT - 1, "claimed": 1}
        assert server_for_all.times_sent() == {1: COUNT}

        assert peers[0].end_leases() == 1
        for peer in peers:
            peer.begin("send_all", time.monotonic())
        assert sum(peer.end() for peer in peers) == 1
        assert Counter(peers[0].states()) == {"sent": COUNT}
        assert server_for_all.times_sent() == {1: COUNT - 1, 2: 1}
