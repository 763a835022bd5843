"""The base of hubs, which hold the streams in place of the web processes.

To publishers a hub is a transport: it takes events and sends them to the open pages. The circuit
breaker and the system check apply to it unchanged. A page that opens a stream asks a web process,
which authenticates the user and hands the page to a *channel* of the hub.

A channel is valid for a limited time. It changes every ``MONITIO_STREAM_RECHECK`` seconds (an
epoch), events go to the channels of this epoch and the last, and a page comes back for a new one.
So a user whose session has ended receives nothing after two epochs, whatever their client does. A
page that comes back takes a snapshot, which has what no event has carried.
"""

from __future__ import annotations

import logging
import time
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.crypto import salted_hmac

from monitio.conf import settings
from monitio.exceptions import TransportError
from monitio.transports.base import Listener, Transport
from monitio.transports.events import GONE, MAX_BYTES, MESSAGE, RECHECK, RESYNC, Event
from monitio.utils.optional import import_optional

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

logger = logging.getLogger("monitio")

# One publish never holds a request longer than this.
PUBLISH_TIMEOUT = 1.0
# Seconds after which no request begins: the last one still has time to be answered.
LAST_START = 0.5
# More events than this in one publish become "resync", which many channels share.
MAX_DISTINCT = 100
# Connections a process keeps open; more are made when needed.
KEPT_OPEN = 100
NO_DATA: Final = b"{}"


class Hub(Transport):
    """A hub. The tests of a new one inherit those of ``tests/integration/hubs/base.py``."""

    # The keys of MONITIO_STREAM beside BACKEND.
    required: ClassVar[tuple[str, ...]] = ("PUBLISH_URL",)
    defaults: ClassVar[dict[str, Any]] = {}
    # Channels in one request, at most.
    addresses_at_once: ClassVar[int]

    def __init__(self) -> None:
        self.options = _options(settings.STREAM, self.required, self.defaults)
        self._urllib3 = import_optional("urllib3", extra="nchan", needed_by="MONITIO_STREAM")
        self._pool = self._urllib3.PoolManager(maxsize=KEPT_OPEN, retries=False)

    @abstractmethod
    def respond(self, request: HttpRequest, topic: str) -> HttpResponseBase:
        """The response that hands the page to the hub, for the stream of ``topic``."""

    @abstractmethod
    def send(self, event: str, data: bytes, channels: Sequence[str], deadline: float) -> None:
        """Send an event to these channels. Raises ``TransportError`` or an error of urllib3.

        ``recheck`` ends the streams there, or makes their pages come back.
        """

    def publish(self, events: Sequence[Event]) -> None:
        begin = time.monotonic()
        for event, data, channels in self._requests(events):
            if time.monotonic() > begin + LAST_START:
                # It answers, so the breaker stays closed: to repeat all events would never end.
                logger.warning("The hub is too slow for all events; some pages catch up later.")
                return
            self.send(event, data, channels, begin + PUBLISH_TIMEOUT)

    def _requests(self, events: Sequence[Event]) -> Iterator[tuple[str, bytes, list[str]]]:
        """Name, data and channels of each request."""
        topics = _topics_by_event(events)
        if len(topics) > MAX_DISTINCT:
            topics = _topics_by_event(event.without_data() for event in events)
        # Sessions that may have ended come first.
        for name, data in sorted(topics, key=lambda one: one[0] != RECHECK):
            channels = (channel for topic in topics[name, data] for channel in live_channels(topic))
            while some := list(islice(channels, self.addresses_at_once)):
                yield name, data, some

    def request(
        self, method: str, url: str, deadline: float, accept: Sequence[int] = (), **options: Any
    ) -> BaseHTTPResponse:
        """One request to the hub. Raises ``TransportError`` unless it answers 2xx or ``accept``."""
        timeout = self._urllib3.Timeout(total=max(0.001, deadline - time.monotonic()))
        answer: BaseHTTPResponse = self._pool.request(
            method, url, timeout=timeout, redirect=False, **options
        )
        if not 200 <= answer.status < 300 and answer.status not in accept:
            where = url.partition("?")[0]
            raise TransportError(f"The hub answers {answer.status} to {method} {where}.")
        return answer

    def listen(self, listener: Listener) -> None:
        raise TransportError("A hub holds the streams (MONITIO_STREAM): do not listen.")

    def check(self) -> list[checks.CheckMessage]:
        try:
            # No recipient has this topic.
            self.publish([Event("check")])
        except (TransportError, self._urllib3.exceptions.HTTPError) as error:
            return [
                checks.Warning(
                    f"monitio cannot publish to the hub: {error}",
                    hint="Start the hub, or correct MONITIO_STREAM (docs/hubs.md).",
                    id="monitio.W031",
                )
            ]
        return []


def channel_for(topic: str) -> str:
    """The channel of a stream of this topic that opens now; it does not reveal the topic."""
    return _channel(topic, _epoch())


def live_channels(topic: str) -> list[str]:
    """The channels that open streams of this topic have: of this epoch and of the one before."""
    epoch = _epoch()
    return [_channel(topic, epoch), _channel(topic, epoch - 1)]


def _epoch() -> int:
    return int(time.time() // settings.STREAM_RECHECK)


def _channel(topic: str, epoch: int) -> str:
    value = f"{epoch}:{topic}"
    return salted_hmac("monitio.handoff", value, algorithm="sha256").hexdigest()[:32]


def _topics_by_event(events: Iterable[Event]) -> dict[tuple[str, bytes], dict[str, None]]:
    """The topics of each event; those of equal name and data share requests."""
    topics: dict[tuple[str, bytes], dict[str, None]] = {}
    for event in events:
        # Name and JSON are as other streams send them; on "resync" a page fetches the snapshot.
        name, data = RECHECK if event.kind == RECHECK else RESYNC, NO_DATA
        encoded = event.encoded()
        if event.kind in (MESSAGE, GONE) and encoded is not None and len(encoded.json) <= MAX_BYTES:
            name, data = event.kind, encoded.json
        topics.setdefault((name, data), {})[event.topic] = None
    return topics


def _options(
    given: dict[str, Any], required: Sequence[str], defaults: dict[str, Any]
) -> dict[str, Any]:
    """MONITIO_STREAM with its defaults. Raises ``ImproperlyConfigured`` when it cannot work."""
    known = ["BACKEND", *required, *defaults]
    unknown = [key for key in given if key not in known]
    if unknown:
        raise ImproperlyConfigured(
            f"MONITIO_STREAM has no {unknown[0]!r}; it takes {', '.join(known)}."
        )
    missing = [key for key in required if not given.get(key)]
    if missing:
        raise ImproperlyConfigured(f"MONITIO_STREAM needs {' and '.join(missing)}.")
    if not str(given["PUBLISH_URL"]).startswith(("http://", "https://")):
        raise ImproperlyConfigured(
            f"MONITIO_STREAM: PUBLISH_URL {given['PUBLISH_URL']!r} must begin with http:// or "
            "https://; the web processes and workers post to it."
        )
    return {**defaults, **given}
