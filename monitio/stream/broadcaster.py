"""Passes the events of the transport to the mailboxes of this process's open streams.

One plain thread without an event loop: under gevent a loop in a thread would make every ORM call of
the process raise SynchronousOnlyOperation.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from django.db import router
from django.db.models import Count, Max, Sum

from monitio.conf import settings, when_overridden
from monitio.models import Message
from monitio.models.reading import FINGERPRINT, newest_ids
from monitio.scope import activate, by_scope, scope_of
from monitio.stream import frames
from monitio.stream.identity import Identity, unchanged
from monitio.stream.mailbox import Mailbox
from monitio.stream.threads import close_connections, get_loaders, refresh_connections
from monitio.transports import Event, Transport, get_transport, reset_transport
from monitio.transports.events import GONE, MESSAGE, RECHECK, is_everybody
from monitio.utils.backoff import backoff
from monitio.utils.fork import ProcessLocal
from monitio.utils.measure import record
from monitio.utils.outage import Outage

logger = logging.getLogger("monitio")

# Seconds of listening after which the next failure is another outage.
BACK_AFTER = 10.0
# Seconds between two looks for checks that are due, and those that each looks ahead: the ticks come
# about once a second, and looking at every stream costs as much as checking one in thirty.
LOOK_EVERY, LOOK_AHEAD = 2.0, 3.5
CHUNK = 500
# Topics in each reconciliation that are compared in full.
FULLY = 100
TRANSPORT_SETTINGS = frozenset(
    f"MONITIO_{name}"
    for name in "TRANSPORT STREAM REDIS_URL REDIS_PREFIX POSTGRES_DSN POSTGRES_CHANNEL".split()
)
# (count, sum of versions, highest id) of one recipient's messages
Fingerprint = tuple[int, int, int]
NOTHING: Fingerprint = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many streams may be open at once."""

    per_process: int
    per_recipient: int
    per_address: int | None = None
    # The client's address; "" is unknown, and not counted.
    address: str = ""


class Broadcaster:
    """Implements ``transports.base.Listener``."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        # Tuples, which are smaller than sets, and can be read without the lock.
        self._mailboxes: dict[str, tuple[Mailbox, ...]] = {}
        # The sum over all topics: to count it for each new stream would be quadratic.
        self._open = 0
        self._outage, self._listens_since = Outage(), float("inf")
        self._addresses: Counter[str] = Counter()
        # The topics whose events are received, and what the transport has to change about them.
        self._subscribed: set[str] = set()
        self._opened: set[str] = set()
        self._closed: set[str] = set()
        self._transport: Transport | None = None
        self._is_cut_off = False
        # Of each topic, when it was last compared with the database.
        self._fingerprints: dict[str, Fingerprint] = {}
        self._next_reconcile = self._next_look = 0.0
        self._checking: Future[None] | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        # Of the streams behind monitio.asgi.
        self.loop: asyncio.AbstractEventLoop | None = None

    def subscribe(self, mailbox: Mailbox, limits: Limits | None = None) -> bool:
        """Deliver to this mailbox from now on. False, with nothing done, above ``limits``."""
        with self._lock:
            if limits is not None:
                if not self._has_room(mailbox.topic, limits):
                    return False
                mailbox.address = limits.address
            mailboxes = self._mailboxes.get(mailbox.topic, ())
            is_first = not mailboxes
            if mailbox not in mailboxes:
                self._mailboxes[mailbox.topic] = (*mailboxes, mailbox)
                self._open += 1
                record("streams")
                self._addresses[mailbox.address] += 1
            mailbox.is_subscribed = self._is_cut_off or mailbox.topic in self._subscribed
            if is_first:
                self._note(mailbox.topic, self._opened, self._closed)
            self._ensure_running()
        if is_first and self._transport is not None:
            self._transport.wake()
        return True

    @staticmethod
    def _note(topic: str, changes: set[str], opposite: set[str]) -> None:
        """Note a change, unless it only takes back one that the transport does not know yet."""
        if topic in opposite:
            opposite.remove(topic)
        else:
            changes.add(topic)

    def _has_room(self, topic: str, limits: Limits) -> bool:
        per_address = limits.per_address if limits.address else None
        return (
            self.open_streams() < limits.per_process
            and self.open_streams(topic) < limits.per_recipient
            and (per_address is None or self._addresses[limits.address] < per_address)
        )

    def unsubscribe(self, mailbox: Mailbox) -> None:
        with self._lock:
            mailboxes = self._mailboxes.get(mailbox.topic, ())
            if mailbox not in mailboxes:
                return
            self._mailboxes[mailbox.topic] = tuple(one for one in mailboxes if one is not mailbox)
            self._open -= 1
            record("streams", -1)
            self._addresses[mailbox.address] -= 1
            if not self._addresses[mailbox.address]:
                del self._addresses[mailbox.address]
            if len(mailboxes) == 1:
                del self._mailboxes[mailbox.topic]
                self._note(mailbox.topic, self._closed, self._opened)

    def open_streams(self, topic: str | None = None) -> int:
        """How many streams are open in this process, or of one topic."""
        with self._lock:
            return self._open if topic is None else len(self._mailboxes.get(topic, ()))

    def wake_all(self) -> None:
        for mailbox in self._mailboxes_of():
            mailbox.wake()

    def receive(self, event: Event) -> None:
        if event.kind == RECHECK:
            for mailbox in self._named_by(event):
                mailbox.recheck()
            return
        mailboxes = self._mailboxes_of(event.topic)
        if not mailboxes:
            return
        data = event.encoded()
        if event.kind in (MESSAGE, GONE) and data is not None:
            # One frame, however many streams send it.
            frame = frames.encoded(event.kind, data.json)
            key = object() if data.id is None else data.id
            for mailbox in mailboxes:
                mailbox.put(key, frame, (data.version, data.seq))
        else:
            self._resync(event.topic)

    def _named_by(self, event: Event) -> Iterable[Mailbox]:
        """The mailboxes whose session may have ended."""
        if not is_everybody(event.topic):
            return self._mailboxes_of(event.topic)
        # Transports that carry no data do not name the session.
        data = event.encoded()
        session = data and data.load().get("session")
        return [
            mailbox
            for mailbox in self._mailboxes_of()
            if session is None or (mailbox.identity and mailbox.identity.session_mark == session)
        ]

    def on_gap(self, topic: str | None = None) -> None:
        for mailbox in self._mailboxes_of(topic):
            mailbox.resync(gap=True)

    def _resync(self, topic: str) -> None:
        for mailbox in self._mailboxes_of(topic):
            mailbox.resync()

    def take_changes(self) -> tuple[set[str], set[str]]:
        with self._lock:
            changes = self._opened, self._closed
            self._subscribed -= self._closed
            self._opened, self._closed = set(), set()
            return changes

    def on_subscribed(self, topics: Iterable[str]) -> None:
        self._is_cut_off = False
        for topic in topics:
            # At once: a mailbox that is added later finds the topic in the set.
            with self._lock:
                self._subscribed.add(topic)
                mailboxes = self._mailboxes.get(topic, ())
            for mailbox in mailboxes:
                mailbox.subscribed()

    def topics(self) -> set[str]:
        """The topics of the open streams."""
        with self._lock:
            return set(self._mailboxes)

    def event_loop(self) -> asyncio.AbstractEventLoop | None:
        return self.loop if self.loop is not None and self.loop.is_running() else None

    def on_tick(self) -> None:
        if self._listens_long():
            self._outage.ends()
        self._check_in_time()

    def _listens_long(self) -> bool:
        """Whether the transport works: one that is frozen accepts connections, too."""
        return time.monotonic() - self._listens_since > BACK_AFTER

    def _check_in_time(self) -> None:
        """Compare and recheck what is due, in another thread: no event waits for the database."""
        if self._checking is not None and not self._checking.done():
            return
        now, due = time.monotonic(), list[Mailbox]()
        must_reconcile = now >= self._next_reconcile
        if must_reconcile:
            self._next_reconcile = now + settings.RECONCILE_INTERVAL
        if now >= self._next_look:
            self._next_look, due = now + LOOK_EVERY, self.due()
        if must_reconcile or due:
            self._checking = get_loaders().submit(self._check, must_reconcile, due)

    def _check(self, must_reconcile: bool, due: list[Mailbox]) -> None:
        refresh_connections()
        if must_reconcile:
            self.reconcile()
        self.recheck(due)
        refresh_connections()  # a pool gets its own back

    def stopping(self) -> bool:
        return self._stop.is_set()

    def reconcile(self) -> None:
        """Find changes without an event: their publisher may have been cut off from the transport.

        Compares the highest id, and of some topics count and sum of versions, too. Neither ids nor
        clocks show what is new: insert order is not commit order.
        """
        known, self._fingerprints = self._fingerprints, {}
        for scope, topics in by_scope(self.topics()).items():
            try:
                with activate(scope):
                    current = _fingerprints(topics, known)
            except Exception as error:
                logger.warning("Open streams could not be compared with the database: %s", error)
                self._fingerprints |= {topic: known[topic] for topic in topics if topic in known}
                continue
            for topic in topics:
                now = self._fingerprints[topic] = current.get(topic, NOTHING)
                # Unknown: its stream is about to take its first snapshot.
                if known.get(topic) != now:
                    self._resync(topic)

    def before_snapshot(self, topic: str) -> None:
        """Remember the state of a topic that has just been opened.

        From then on reconciliation finds its changes, and need not resync it at its first turn.
        """
        if topic in self._mailboxes and topic not in self._fingerprints:
            rows = FINGERPRINT.run(router.db_for_write(Message), key=topic)
            count, versions, top = rows[0] if rows else NOTHING
            self._fingerprints[topic] = (count, versions, top)

    def due(self) -> list[Mailbox]:
        """The streams whose next check is due before the next look."""
        horizon = time.monotonic() + min(LOOK_AHEAD, settings.STREAM_RECHECK / 2)
        return [
            mailbox
            for mailbox in self._mailboxes_of()
            if mailbox.identity and mailbox.recheck_at <= horizon
        ]

    def recheck(self, due: Iterable[Mailbox]) -> None:
        """Confirm the users of these streams, with one query for all of them.

        A stream that is not confirmed here checks its session itself.
        """
        scopes: dict[str, list[tuple[Mailbox, Identity]]] = {}
        for mailbox in due:
            if mailbox.identity:
                scopes.setdefault(scope_of(mailbox.topic), []).append((mailbox, mailbox.identity))
        for scope, some in scopes.items():
            try:
                with activate(scope):
                    valid = unchanged([identity for _, identity in some])
            except Exception as error:
                logger.warning("The users of open streams could not be looked up: %s", error)
                continue
            now = time.monotonic()
            for mailbox, identity in some:
                if identity in valid:
                    # Spread: streams that opened together are not due together for ever.
                    share = random.uniform(0.85, 1.0)  # noqa: S311
                    mailbox.recheck_at = now + settings.STREAM_RECHECK * share

    def stop(self) -> None:
        """End the listening thread; a later ``subscribe`` starts a new one."""
        with self._lock:  # a thread that is being started cannot be joined yet
            self._stop.set()
            thread = self._thread
        if self._transport is not None:
            self._transport.wake()
        if thread is not None and thread is not threading.current_thread():
            thread.join(5)
        with self._lock:
            if self._thread is thread:  # else a stream has opened meanwhile
                self._thread = None

    def _mailboxes_of(self, topic: str | None = None) -> Iterable[Mailbox]:
        with self._lock:
            if topic is not None:
                return self._mailboxes.get(topic, ())
            return [mailbox for mailboxes in self._mailboxes.values() for mailbox in mailboxes]

    def _ensure_running(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._stop = threading.Event()
            self._next_reconcile = time.monotonic() + settings.RECONCILE_INTERVAL
            self._thread = threading.Thread(
                target=self._run, args=[self._stop], name="monitio-broadcaster", daemon=True
            )
            self._thread.start()

    def _run(self, stop: threading.Event) -> None:
        failures = 0
        while not stop.is_set():
            self._listens_since = time.monotonic()
            with self._lock:
                self._opened, self._closed = set(self._mailboxes), set()
                self._subscribed &= self._opened
            try:
                self._transport = transport = get_transport()
                self._outage = transport.breaker.outage
                transport.listen(self)
            except Exception as error:
                self._is_cut_off = True
                if self._listens_long():
                    failures = 0
                self._outage.begins(
                    "The live transport is cut off; open pages catch up later. %s", error
                )
                failures += 1
            finally:
                close_connections()
            # Without the transport, changes are found in the database.
            self._check_in_time()
            stop.wait(backoff(failures))


def _fingerprints(
    topics: Iterable[str], known: Mapping[str, Fingerprint] | None = None
) -> dict[str, Fingerprint]:
    """Those of ``known`` for topics whose newest message is still the same.

    Some of these are compared in full, too: a message may have been read or deleted. A stream takes
    a new snapshot after ``MONITIO_STREAM_MAX_AGE`` anyway.
    """
    known = known or {}
    found: dict[str, Fingerprint] = {}
    for seen in _chunks(known.keys() & set(topics)):
        newest = newest_ids(seen)
        found |= {topic: known[topic] for topic in seen if known[topic][2] == newest.get(topic, 0)}
    for topic in random.sample(sorted(found), min(FULLY, len(found))):
        del found[topic]  # compared below
    for wanted in _chunks(set(topics) - found.keys()):
        rows = (
            Message.objects.filter(recipient_key__in=wanted)
            .order_by()
            .values_list("recipient_key")
            .annotate(Count("pk"), Sum("version"), Max("pk"))
        )
        found |= {key: (count, versions or 0, top or 0) for key, count, versions, top in rows}
    return found


def _chunks(topics: Iterable[str]) -> Iterator[list[str]]:
    ordered = sorted(topics)
    return (ordered[start : start + CHUNK] for start in range(0, len(ordered), CHUNK))


_broadcaster = ProcessLocal(Broadcaster)


def get_broadcaster() -> Broadcaster:
    """The broadcaster of this process."""
    return _broadcaster.get()


def reset_broadcaster(**kwargs: object) -> None:
    """Stop listening; the next stream starts a new broadcaster."""
    former = _broadcaster.reset()
    if former is not None:
        former.stop()
        former.wake_all()
    reset_transport()


when_overridden(reset_broadcaster, *TRANSPORT_SETTINGS)
