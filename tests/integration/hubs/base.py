"""The conformance suite for hubs that serve a site's streams.

A hub's tests inherit ``Conformance`` and provide a running hub; site, web server, pages and other
processes are real.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

import pytest

from tests.integration.stream.client import EventSource
from tests.integration.stream.page import Page, open_stream
from tests.integration.stream.servers import Server
from tests.support.peers import Peer, short_timeout
from tests.support.waiting import wait_until

PROCESS = "tests.integration.hubs.process"
RECHECK = 2.0
Browser = dict[str, str]


class Hub(Protocol):
    # The value of MONITIO_STREAM.
    options: dict[str, Any]
    # The port that the site's web server must use, and the one that pages use.
    app: int
    public: int

    def start(self) -> None:
        """Start it. Does nothing when it runs."""

    def stop(self) -> None: ...

    def frozen(self) -> AbstractContextManager[None]:
        """Freeze it: it accepts connections and does not answer."""

    def close(self) -> None: ...


class Conformance(ABC):
    """The suite. The subclass defines the fixture ``hub``."""

    @abstractmethod
    def was_ended(self, stream: EventSource) -> bool:
        """Whether an event has ended this stream, or made its page reconnect."""

    @pytest.fixture(scope="class")
    @classmethod
    def settings(cls, hub: Hub) -> dict[str, Any]:
        return {"MONITIO_STREAM": hub.options, "MONITIO_STREAM_RECHECK": RECHECK}

    @pytest.fixture(scope="class")
    @classmethod
    def database(cls, tmp_path_factory: pytest.TempPathFactory) -> str:
        return f"sqlite://{tmp_path_factory.mktemp('hubs')}/site.sqlite3"

    @pytest.fixture(scope="class")
    @classmethod
    def site(cls, database: str, settings: dict[str, Any]) -> Iterator[Peer]:
        """Another process of the same site."""
        peer = Peer(PROCESS, database, **settings)
        peer.migrate()
        yield peer
        peer.close()

    @pytest.fixture(scope="class")
    @classmethod
    def port(cls, hub: Hub, database: str, settings: dict[str, Any], site: Peer) -> Iterator[int]:
        """The port of the site for pages."""
        server = Server("endpoint", database, port=hub.app, **settings)
        yield hub.public
        server.close()

    @pytest.fixture
    def browser(self, hub: Hub, port: int, site: Peer, name: str) -> Browser:
        """A signed-in user's browser, with a running hub and a closed circuit breaker."""
        hub.start()
        site.forget_failures()
        return dict(site.sign_in(name))

    @pytest.fixture
    def page(self, port: int, browser: Browser) -> Iterator[Page]:
        with Page(port, browser, handed_off=True) as page:
            page.wait_until_open()
            yield page

    # Snapshots and live messages.

    def test_a_page_begins_with_what_is_there(
        self, port: int, site: Peer, browser: Browser
    ) -> None:
        site.write(browser["key"], "written before")
        with Page(port, browser, handed_off=True) as page:
            page.wait_until_it_shows("written before")

    def test_what_another_process_writes_arrives_live(
        self, site: Peer, browser: Browser, page: Page
    ) -> None:
        texts = [f"message {number}" for number in range(20)]
        for text in texts:
            site.write(browser["key"], text)
        page.wait_until_it_shows(*texts)
        assert page.equals_its_reload()

    def test_a_stream_goes_on_when_addresses_change(
        self, port: int, site: Peer, browser: Browser
    ) -> None:
        def span() -> int:
            return int(time.time() // RECHECK)

        for _ in range(10):
            wait_until(lambda: time.time() % RECHECK > RECHECK - 0.7, message="the span's end")
            first = span()
            with stream_of(port, browser) as stream:
                opened_in_time = span() == first
                wait_until(lambda first=first: span() > first, message="the next span")
                site.write(browser["key"], "in the next")
                # On a busy machine, the stream may have ended before.
                wait_until(lambda stream=stream: stream.of("message") or stream.ended.is_set())
                if opened_in_time and stream.of("message"):
                    return
        raise AssertionError("The machine is too slow for this test.")

    def test_the_frames_are_those_of_our_own_streams(
        self, site: Peer, browser: Browser, page: Page
    ) -> None:
        text = "ąę\n\r\u2028 event: bye\n\ndata: <b>\\"

        def come_by_events() -> bool:
            pk = site.write(browser["key"], text)
            wait_until(lambda: pk in page.known)
            known = page.known[pk]
            assert known == site.state(browser["key"])["messages"][0]
            site.delete(browser["key"], pk)
            wait_until(lambda: pk not in page.known)
            return ("message", known) in page.frames and ("gone", {"ids": [pk]}) in page.frames

        # Repeated: between two streams, the page gets changes by a snapshot.
        wait_until(come_by_events)

    def test_many_changes_become_resync(self, site: Peer, browser: Browser, page: Page) -> None:
        site.write(browser["key"], "one")
        page.wait_until_it_shows("one")
        site.read_all(browser["key"])
        wait_until(lambda: all(known["read"] for known in page.known.values()))
        assert page.equals_its_reload()

    def test_a_large_event_becomes_resync(self, site: Peer, browser: Browser, page: Page) -> None:
        def comes_by_resync() -> bool:
            count = len(page.known)
            site.write(browser["key"], "ą" * 9_000)
            wait_until(lambda: page.texts() == ["ą" * 9_000] * (count + 1))
            return ("resync", {}) in page.frames

        # Repeated: between two streams, the page gets it by a snapshot.
        wait_until(comes_by_resync)

    def test_many_recipients_get_an_event_at_once(
        self, port: int, site: Peer, browser: Browser, name: str, page: Page
    ) -> None:
        others = [site.sign_in(f"{name}-{number}")["key"] for number in range(3)]
        # More than are published one by one.
        crowd = [f"user:{10_000 + number}" for number in range(150)]
        events = [[key, "message", {"id": 1, "body": key}] for key in [*crowd, *others]]
        events.append([browser["key"], "message", {"id": 1}])

        def comes_by_resync() -> bool:
            assert site.timed_publish(events)[0]
            return ("resync", {}) in page.frames

        wait_until(comes_by_resync, interval=0.2)
        site.write_to_many([*others, browser["key"]], "to all of you")
        page.wait_until_it_shows("to all of you")

    def test_events_reach_their_own_recipient_only(
        self, site: Peer, browser: Browser, name: str, page: Page
    ) -> None:
        other = site.sign_in(f"{name}-other")
        site.write(other["key"], "not for her")
        site.write(browser["key"], "for her")
        page.wait_until_it_shows("for her")
        assert "not for her" not in str(page.frames)

    def test_a_visitor_has_a_stream_too(self, port: int, site: Peer, browser: Browser) -> None:
        visitor = site.visit()
        with Page(port, visitor, handed_off=True) as page:
            page.wait_until_open()
            site.write(visitor["key"], "whoever you are")
            page.wait_until_it_shows("whoever you are")

    def test_nothing_may_be_kept_of_a_stream(self, port: int, browser: Browser) -> None:
        with stream_of(port, browser) as stream:
            assert "no-store" in stream.headers["Cache-Control"]

    # Authentication.

    def test_a_page_of_another_user_is_stopped(
        self, port: int, site: Peer, browser: Browser, name: str
    ) -> None:
        other = site.sign_in(f"{name}-other")
        for page in (other["page"], "", "u.forged", site.visit()["page"]):
            with Page(port, {**browser, "page": page}, handed_off=True) as foreign:
                foreign.wait_for_state("stopped")

    def test_logging_out_stops_the_page_at_once(
        self, site: Peer, browser: Browser, page: Page
    ) -> None:
        site.log_out(browser["cookie"])
        page.wait_for_state("stopped")

    def test_logging_out_needs_no_look(self, port: int, site: Peer, browser: Browser) -> None:
        with stream_of(port, browser) as stream:
            site.write(browser["key"], "she is heard")
            stream.wait_for("message")
            site.log_out(browser["cookie"])
            wait_until(lambda: self.was_ended(stream), 20, lambda: str(stream.events))

    def test_logging_out_leaves_other_browsers_alone(
        self, port: int, site: Peer, browser: Browser, name: str, page: Page
    ) -> None:
        with Page(port, site.sign_in(name), handed_off=True) as elsewhere:
            elsewhere.wait_until_open()
            site.log_out(browser["cookie"])
            page.wait_for_state("stopped")
            site.write(browser["key"], "still here")
            elsewhere.wait_until_it_shows("still here")

    def test_another_log_in_in_the_same_browser_stops_the_page(
        self, site: Peer, browser: Browser, name: str, page: Page
    ) -> None:
        browser["cookie"] = site.switch_user(browser["cookie"], f"{name}-other")
        page.wait_for_state("stopped")
        assert page.known == {}

    def test_a_new_password_stops_the_page(self, site: Peer, name: str, page: Page) -> None:
        site.change_account(name, "new password")
        page.wait_for_state("stopped")

    def test_a_session_that_ended_without_an_event_stops_the_page_at_the_next_recheck(
        self, site: Peer, page: Page
    ) -> None:
        site.end_sessions("flushed")
        page.wait_for_state("stopped")

    def test_a_client_that_ignores_everything_gets_nothing_after_two_epochs(
        self, port: int, site: Peer, browser: Browser, name: str
    ) -> None:
        """A client with a stolen cookie that never reconnects by itself."""
        with stream_of(port, browser) as stream:
            site.write(browser["key"], "still hers")
            stream.wait_for("message")
            site.end_sessions("flushed")
            begin = time.monotonic()
            while time.monotonic() - begin < 2 * RECHECK + 0.5:
                # Keep it busy: nchan's own time-out restarts with each message.
                site.write(browser["key"], "before")
                time.sleep(RECHECK / 4)
            site.write(browser["key"], "nobody's")
            with Page(port, site.sign_in(name), handed_off=True) as owner:
                owner.wait_until_open()
                site.write(browser["key"], "last")
                wait_until(lambda: "last" in owner.texts())
            # How many of the earlier ones reach it depends on the machine's speed.
            assert "nobody's" not in str(stream.events)
            assert "last" not in str(stream.events)

    # Failures.

    def test_a_page_comes_back_by_itself_and_finds_what_no_event_carried(
        self, hub: Hub, database: str, settings: dict[str, Any], browser: Browser, page: Page
    ) -> None:
        nowhere = {**hub.options, "PUBLISH_URL": "http://127.0.0.1:1/"}
        cut_off = Peer(PROCESS, database, **{**settings, "MONITIO_STREAM": nowhere})
        cut_off.write(browser["key"], "by nobody's event")
        cut_off.close()
        page.wait_until_it_shows("by nobody's event")
        assert not [data for name, data in page.frames if name == "message"]

    def test_a_dead_hub_costs_nothing_and_what_it_missed_is_repaired(
        self, hub: Hub, site: Peer, browser: Browser, page: Page
    ) -> None:
        hub.stop()
        begin = time.monotonic()
        for number in range(10):
            site.write(browser["key"], f"in the dark {number}")
        assert time.monotonic() - begin < 8, (
            "the first waits a second at most, the others not at all"
        )
        hub.start()
        page.wait_until_it_shows(*(f"in the dark {number}" for number in range(10)))
        site.forget_failures()
        site.write(browser["key"], "light")
        wait_until(lambda: "light" in page.texts())
        assert page.equals_its_reload()

    def test_a_frozen_hub_costs_a_second_once(
        self, hub: Hub, site: Peer, browser: Browser, page: Page
    ) -> None:
        with short_timeout(site, "transports.hub"), hub.frozen():
            times = [site.timed_publish([[browser["key"], "resync"]]) for _ in range(10)]
        assert not any(published for published, _ in times)
        # Ten that wait for a second each would take longer.
        assert times[0][1] < 8
        assert sum(seconds for _, seconds in times[1:]) < 8

    def test_a_restart_costs_the_publisher_no_event(
        self, hub: Hub, site: Peer, browser: Browser
    ) -> None:
        assert site.timed_publish([[browser["key"], "resync"]])[0]
        hub.stop()
        hub.start()
        assert site.timed_publish([[browser["key"], "resync"]])[0]

    def test_it_finds_nothing_wrong_with_itself(self, site: Peer, browser: Browser) -> None:
        assert site.check() == []

    # Attacks by clients.

    def test_no_parameter_or_header_chooses_the_stream(
        self, hub: Hub, port: int, site: Peer, browser: Browser, name: str
    ) -> None:
        other = site.sign_in(f"{name}-other")
        tries = [
            {"topic": other["key"]}, {"user": "1"}, {"id": other["key"]}, {"channel": other["key"]},
            {"recipient": other["key"]},
        ]  # fmt: skip
        headers = {
            "X-Accel-Redirect": "/monitio/nchan/" + "0" * 32,
            "X-Monitio-Topic": other["key"],
        }
        streams = [stream_of(port, browser, parameters, headers) for parameters in tries]
        site.write(other["key"], "a secret")
        site.write(browser["key"], "her own")
        for stream in streams:
            stream.wait_for("message")
            assert "a secret" not in str(stream.events)
            stream.close()


def stream_of(
    port: int,
    browser: Browser,
    parameters: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> EventSource:
    """One stream that never reconnects. ``parameters`` are appended to the page's own."""
    more = "".join(f"&{name}={value}" for name, value in (parameters or {}).items())
    path = f"/messages/stream/?page={browser['page']}{more}"
    return open_stream(port, path, browser["cookie"], headers)
