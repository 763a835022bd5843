"""MONITIO_STREAM: options, errors, publishing and addresses."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from monitio.exceptions import TransportError
from monitio.stream.broadcaster import get_broadcaster
from monitio.transports import Event, Hub, get_hub, get_transport
from monitio.transports import hub as base
from monitio.transports.polling import PollingTransport
from tests.support import people
from tests.support.jobs import FakeClock

NCHAN = {"BACKEND": "nchan", "PUBLISH_URL": "http://127.0.0.1:1/publish"}
MERCURE = {"BACKEND": "mercure", "PUBLISH_URL": "http://127.0.0.1:1/", "PUBLISHER_KEY": "k" * 32}


class Recording(Hub):
    """A site's own hub that records what is published."""

    addresses_at_once = 4

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, bytes, int]] = []

    def respond(self, request: Any, topic: str) -> Any:
        raise NotImplementedError

    def send(self, event: str, data: bytes, addresses: Any, deadline: float) -> None:
        self.sent.append((event, data, len(addresses)))


OWN = {"BACKEND": f"{__name__}.Recording", "PUBLISH_URL": "http://127.0.0.1:1/"}


@pytest.mark.parametrize(
    ("given", "reported"),
    [
        ("nchan", "is a dictionary"),
        ({"PUBLISH_URL": "http://hub/"}, "dotted path of a Hub class as BACKEND"),
        ({**NCHAN, "BACKEND": "centrifugo"}, "Use one of mercure, nchan"),
        ({**NCHAN, "BACKEND": "monitio.transports.polling.PollingTransport"}, "not a subclass"),
        ({"BACKEND": "nchan"}, "needs PUBLISH_URL"),
        ({**MERCURE, "PUBLISHER_KEY": ""}, "needs PUBLISHER_KEY"),
        ({**NCHAN, "PUBLISH_URL": "/publish"}, "must begin with http:// or https://"),
        ({**NCHAN, "SUBSCRIBE_URL": "https://hub/"}, "must begin with /: it is the internal"),
        ({**NCHAN, "PUBLISHER_KEY": "x"}, "has no 'PUBLISHER_KEY'; it takes BACKEND, PUBLISH_URL"),
        ({**MERCURE, "SUBSCRIBER_KEY": "short"}, "has 32 characters or more"),
    ],
)
def test_wrong_options_are_reported_with_the_fix(settings: Any, given: Any, reported: str) -> None:
    settings.MONITIO_STREAM = given
    with pytest.raises(ImproperlyConfigured, match=reported):
        get_hub()


@pytest.mark.parametrize(
    "name", ["nchan", "mercure", "monitio.transports.nchan.NchanHub", OWN["BACKEND"]]
)
def test_a_hub_as_transport_is_refused_with_the_right_setting(settings: Any, name: str) -> None:
    settings.MONITIO_TRANSPORT = name
    with pytest.raises(ImproperlyConfigured, match=r"Use MONITIO_STREAM = {\"BACKEND\": '" + name):
        get_transport()
    (error,) = run_checks(tags=["monitio"])
    assert "MONITIO_STREAM" in error.msg


@pytest.mark.parametrize(("given", "package"), [(NCHAN, "urllib3"), (MERCURE, "jwt")])
def test_a_missing_package_is_named(
    settings: Any, given: Any, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    settings.MONITIO_STREAM = given
    with pytest.raises(ImproperlyConfigured, match=r"pip install \"monitio\["):
        get_hub()


def test_a_hub_replaces_the_transport_while_it_is_set(settings: Any) -> None:
    settings.MONITIO_STREAM = NCHAN
    assert get_transport() is get_hub()
    assert run_checks(tags=["monitio"]) == []
    settings.MONITIO_STREAM = None
    assert get_hub() is None
    assert isinstance(get_transport(), PollingTransport)


@pytest.mark.parametrize("given", [NCHAN, MERCURE])
def test_a_hub_that_does_not_answer_is_reported_when_the_site_deploys(
    settings: Any, given: Any
) -> None:
    settings.MONITIO_STREAM = given
    settings.MONITIO_BASE_URL = "https://example.com"
    (reported,) = run_checks(tags=["monitio"], include_deployment_checks=True)
    assert reported.id == "monitio.W031" and "docs/hubs.md" in str(reported.hint)


@pytest.mark.django_db
def test_a_page_fetches_its_snapshots(settings: Any) -> None:
    client = Client()
    client.force_login(people.user())
    assert b"stream-snapshot" not in client.get("/messages/").content
    settings.MONITIO_STREAM = NCHAN
    assert b'stream-snapshot="json"' in client.get("/messages/").content


@pytest.mark.django_db
def test_the_process_holds_no_stream(settings: Any) -> None:
    settings.MONITIO_STREAM = NCHAN
    client = Client()
    client.force_login(people.user())
    page = client.get("/messages/").content.decode().split("?page=")[1].split('"')[0]
    answer = client.get(f"/messages/stream/?page={page}")
    assert answer.status_code == 200 and "X-Accel-Redirect" in answer.headers
    assert not answer.streaming and get_broadcaster().open_streams() == 0
    with pytest.raises(TransportError):
        get_transport().listen(get_broadcaster())


class TestPublishing:
    @pytest.fixture
    def hub(self, settings: Any) -> Recording:
        settings.MONITIO_STREAM = OWN
        hub = get_hub()
        assert isinstance(hub, Recording)
        return hub

    def test_the_same_event_for_many_is_published_together(self, hub: Recording) -> None:
        hub.publish([Event(f"user:{number}") for number in range(5)])
        assert hub.sent == [("resync", b"{}", 4), ("resync", b"{}", 4), ("resync", b"{}", 2)]

    def test_different_events_are_published_one_by_one(self, hub: Recording) -> None:
        hub.publish([Event("user:1", "message", {"id": number}) for number in range(3)])
        assert [data for _, data, _ in hub.sent] == [b'{"id":0}', b'{"id":1}', b'{"id":2}']

    def test_too_many_distinct_events_become_resync(self, hub: Recording) -> None:
        hub.publish([Event("user:1", "message", {"id": number}) for number in range(101)])
        assert hub.sent == [("resync", b"{}", 2)]

    def test_a_recheck_is_not_replaced_by_other_events_and_comes_first(
        self, hub: Recording
    ) -> None:
        others = [Event("user:1", "message", {"id": number}) for number in range(101)]
        hub.publish([*others, Event("user:1", "recheck")])
        assert [event for event, _, _ in hub.sent] == ["recheck", "resync"]

    def test_a_hub_that_is_too_slow_for_all_of_it_is_not_taken_for_dead(
        self, hub: Recording, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        clock = FakeClock(monkeypatch, base.__name__)
        monkeypatch.setattr(clock, "monotonic", lambda: 0.2 * len(hub.sent))
        hub.publish([Event(f"user:{number}") for number in range(100)])
        assert len(hub.sent) == 3
        assert "too slow" in caplog.text


class TestAddresses:
    def test_they_belong_to_one_topic_and_one_epoch(
        self, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.MONITIO_STREAM_RECHECK = 30
        clock = FakeClock(monkeypatch, base.__name__)
        present = base.channel_for("user:1")
        assert present == base.channel_for("user:1") != base.channel_for("user:2")
        clock.forward(30)
        assert base.channel_for("user:1") != present
        assert base.live_channels("user:1") == [base.channel_for("user:1"), present]
        clock.forward(30)
        assert present not in base.live_channels("user:1")

    def test_another_site_has_other_addresses(self, settings: Any) -> None:
        mine = base.channel_for("user:1")
        settings.SECRET_KEY = "of another site"
        assert base.channel_for("user:1") != mine
