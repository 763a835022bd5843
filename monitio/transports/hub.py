"""What every hub offers that holds the streams in place of the web processes.

For whoever publishes it is a transport: bells go to the hub, which gives them to the open pages. So
the breaker, the bells that were missed and the check are the transports' own. A page that opens a
stream asks the web process whose it is, and is handed to the hub with an *address*.

An address is worth something for a while only. It changes every ``MONITIO_STREAM_RECHECK`` seconds,
bells go to the present and to the one before, and a page comes back for a new one. So whoever has
lost their session hears nothing after two of these spans, whatever their client does, and a page
that comes back takes a snapshot, which finds what no bell said.
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
from monitio.transports.events import GONE, MAX_BYTES, MESSAGE, RECHECK, RESYNC, Event, dump
from monitio.utils.optional import import_optional

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

logger = logging.getLogger("monitio")

# One publish never holds a request longer than this.
PUBLISH_TIMEOUT = 1.0
# After this nothing more is sent: what has begun by then still has time to be answered.
LAST_BEGINNING = 0.5
# More than this in one go is said as "look", to many at once.
ONE_BY_ONE = 100
# Connections a process keeps open; more are made when needed.
KEPT_OPEN = 100
NO_DATA: Final = b"{}"


class Hub(Transport):
    """A hub. Tests of a new one inherit those of ``tests/integration/hubs/base.py``."""

    # The keys of MONITIO_STREAM beside BACKEND.
    required: ClassVar[tuple[str, ...]] = ("PUBLISH_URL",)
    defaults: ClassVar[dict[str, Any]] = {}
    # How many addresses one request may name.
    addresses_at_once: ClassVar[int]

    def __init__(self) -> None:
        self.options = _options(settings.STREAM, self.required, self.defaults)
        self._urllib3 = import_optional("urllib3", extra="nchan", needed_by="MONITIO_STREAM")
        self._pool = self._urllib3.PoolManager(maxsize=KEPT_OPEN, retries=False)

    @abstractmethod
    def respond(self, request: HttpRequest, topic: str) -> HttpResponseBase:
        """The answer that hands the page of ``request`` to the hub, as the stream of ``topic``."""

    @abstractmethod
    def send(self, event: str, data: bytes, addresses: Sequence[str], deadline: float) -> None:
        """Give an event to these addresses.

        ``recheck`` asks for more: the streams there end, or are told to come back.
        """

    def publish(self, bells: Sequence[Event]) -> None:
        begin = time.monotonic()
        for event, data, addresses in self._requests(bells):
            if time.monotonic() > begin + LAST_BEGINNING:
                # It answers, so it is not dead; to try all of it again would never end.
                logger.warning("The hub is too slow for all bells; some pages catch up later.")
                return
            self.send(event, data, addresses, begin + PUBLISH_TIMEOUT)

    def _requests(self, bells: Sequence[Event]) -> Iterator[tuple[str, bytes, list[str]]]:
        """What to send to which addresses."""
        events = _together(bells)
        if len(events) > ONE_BY_ONE:
            events = _together(bell.without_data() for bell in bells)
        # Whose session may have ended comes first.
        for event, data in sorted(events, key=lambda one: one[0] != RECHECK):
            topics = events[event, data]
            addresses = (address for topic in topics for address in live_channels(topic))
            for some in _chunks(addresses, self.addresses_at_once):
                yield event, data, some

    def request(
        self, method: str, url: str, deadline: float, accept: Sequence[int] = (), **options: Any
    ) -> BaseHTTPResponse:
        """One request to the hub. Any answer but 2xx and ``accept`` raises ``TransportError``."""
        timeout = self._urllib3.Timeout(total=max(0.001, deadline - time.monotonic()))
        answer: BaseHTTPResponse = self._pool.request(
            method, url, timeout=timeout, redirect=False, **options
        )
        if not 200 <= answer.status < 300 and answer.status not in accept:
            where = url.partition("?")[0]
            raise TransportError(f"The hub answers {answer.status} to {method} {where}.")
        return answer

    def listen(self, ears: Listener) -> None:
        raise TransportError("A hub holds the streams (MONITIO_STREAM): nothing rings here.")

    def check(self) -> list[checks.CheckMessage]:
        try:
            # Nobody has this topic.
            self.publish([Event("check")])
        except (TransportError, self._urllib3.exceptions.HTTPError) as error:
            return [
                checks.Warning(
                    f"monitio cannot publish to the hub: {error}",
                    hint="Start the hub, or correct MONITIO_STREAM: docs/hubs.md has both sides.",
                    id="monitio.W031",
                )
            ]
        return []


def channel_for(topic: str) -> str:
    """Where a stream of this topic that opens now is held. Tells a reader nothing."""
    return _address(topic, _epoch())


def live_channels(topic: str) -> list[str]:
    """Where streams of this topic may be held: they opened in this span or in the one before."""
    span = _epoch()
    return [_address(topic, span), _address(topic, span - 1)]


def _epoch() -> int:
    return int(time.time() // settings.STREAM_RECHECK)


def _address(topic: str, span: int) -> str:
    return salted_hmac("monitio.handoff", f"{span}:{topic}", algorithm="sha256").hexdigest()[:32]


def _together(bells: Iterable[Event]) -> dict[tuple[str, bytes], dict[str, None]]:
    """Each event, with the topics it goes to."""
    events: dict[tuple[str, bytes], dict[str, None]] = {}
    for bell in bells:
        events.setdefault(_event(bell), {})[bell.topic] = None
    return events


def _event(bell: Event) -> tuple[str, bytes]:
    """Name and JSON, as a stream of our own sends them; ``resync`` says to fetch the snapshot."""
    if bell.kind == RECHECK:
        return RECHECK, NO_DATA
    if bell.kind in (MESSAGE, GONE) and bell.data is not None:
        data = dump(bell.data)
        if len(data) <= MAX_BYTES:
            return bell.kind, data
    return RESYNC, NO_DATA


def _chunks(items: Iterable[str], size: int) -> Iterator[list[str]]:
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


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
