"""Passes the events of the transport to the mailboxes of this process's open streams.

One plain thread without an event loop: under gevent a loop in a thread would make every ORM call of
the process raise SynchronousOnlyOperation.
"""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from django.core.signals import setting_changed
from django.db import connections
from django.db.models import Count, Max, Sum

from monitio.conf import settings
from monitio.models import Message
from monitio.models.reading import newest_ids
from monitio.scope import activate, by_scope, scope_of
from monitio.stream import frames
from monitio.stream.identity import Identity, unchanged
from monitio.transports import Event, get_transport, reset_transport
from monitio.transports.events import GONE, MESSAGE, RECHECK, is_everybody
from monitio.utils.backoff import backoff
from monitio.utils.fork import ProcessLocal
from monitio.utils.outage import Outage

logger = logging.getLogger("monitio")

CAPACITY = 100
# Seconds of listening after which the next failure is another outage.
BACK_AFTER = 10.0
# Seconds; the ticks come about once a second.
LOOK_AHEAD = 2.5
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
# (version, seq) of a message
Rank = tuple[int, int]


@dataclass(slots=True)
class MailboxContents:
    """What a stream takes from its mailbox."""

    frames: list[bytes] = field(default_factory=list)
    # Take a new snapshot.
    resync: bool = False
    # Check the session: it may have ended.
    recheck: bool = False
    # Events may have been missed, also one that a session has ended.
    gap: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """How many streams may be open at once."""

    per_process: int
    per_recipient: int
    per_address: int | None = None
    # The client's address; "" is unknown, and not counted.
    address: str = ""


class Mailbox:
    """The frames that one stream has not sent yet; more than ``CAPACITY`` become a snapshot.

    Only the newest state of a message is kept, so a slow client gets fewer frames, not older ones.
    """

    def __init__(
        self, topic: str, wake: Callable[[], None], identity: Identity | None = None
    ) -> None:
        self.topic = topic
        self.identity = identity
        # time.monotonic() at which the stream itself checks its session.
        self.recheck_at = math.inf
        # Counts against the limit of this address.
        self.address = ""
        self._wake = wake
        self._lock = threading.Lock()
        self._frames: dict[object, tuple[Rank, bytes]] = {}
        self._resync = self._recheck = self._gap = False

    def put(self, key: object, frame: bytes, rank: Rank = (0, 0)) -> None:
        with self._lock:
            if not self._resync:  # else the snapshot will hold it
                waiting = self._frames.pop(key, (rank, frame))
                # Events may overtake each other: the higher version is newer.
                self._frames[key] = (rank, frame) if rank >= waiting[0] else waiting
                if len(self._frames) > CAPACITY:
                    self._frames.clear()
                    self._resync = True
        self._wake()

    def resync(self, *, gap: bool = False) -> None:
        """Ask for a snapshot. ``gap``: events may have been missed, also that of a log-out."""
        with self._lock:
            self._frames.clear()
            self._resync = True
            self._gap |= gap
        self._wake()

    def recheck(self) -> None:
        with self._lock:
            self._recheck = True
        self._wake()

    def take(self) -> MailboxContents:
        """Empty the mailbox. Call it before the database is read, never after."""
        with self._lock:
            waiting = [frame for _, frame in self._frames.values()]
            contents = MailboxContents(waiting, self._resync, self._recheck, self._gap)
            self._frames.clear()
            self._resync = self._recheck = self._gap = False
            return contents

    def wake(self) -> None:
        self._wake()


class Broadcaster:
    """Implements ``transports.base.Listener``."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._mailboxes: dict[str, set[Mailbox]] = {}
        # The sum over all topics: to count it for each new stream would be quadratic.
        self._open = 0
        self._outage, self._listens_since = Outage(), float("inf")
        self._addresses: Counter[str] = Counter()
        # Of each topic, when it was last compared with the database.
        self._fingerprints: dict[str, Fingerprint] = {}
        self._next_reconcile = 0.0
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def subscribe(self, mailbox: Mailbox, limits: Limits | None = None) -> bool:
        """Deliver to this mailbox from now on. False, with nothing done, above ``limits``."""
        with self._lock:
            if limits is not None:
                if not self._has_room(mailbox.topic, limits):
                    return False
                mailbox.address = limits.address
            mailboxes = self._mailboxes.setdefault(mailbox.topic, set())
            if mailbox not in mailboxes:
                mailboxes.add(mailbox)
                self._open += 1
                self._addresses[mailbox.address] += 1
            self._ensure_running()
            return True

    def _has_room(self, topic: str, limits: Limits) -> bool:
        per_address = limits.per_address if limits.address else None
        return (
            self.open_streams() < limits.per_process
            and self.open_streams(topic) < limits.per_recipient
            and (per_address is None or self._addresses[limits.address] < per_address)
        )

    def unsubscribe(self, mailbox: Mailbox) -> None:
        with self._lock:
            mailboxes = self._mailboxes.get(mailbox.topic, set())
            if mailbox not in mailboxes:
                return
            mailboxes.remove(mailbox)
            self._open -= 1
            self._addresses[mailbox.address] -= 1
            if not self._addresses[mailbox.address]:
                del self._addresses[mailbox.address]
            if not mailboxes:
                del self._mailboxes[mailbox.topic]

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
        if event.kind in (MESSAGE, GONE) and event.data is not None:
            # Encoded once, however many streams send it.
            frame = frames.event(event.kind, event.data)
            key = event.data.get("id", object())
            rank = (event.data.get("version", 0), event.data.get("seq", 0))
            for mailbox in mailboxes:
                mailbox.put(key, frame, rank)
        else:
            self._resync(event.topic)

    def _named_by(self, event: Event) -> Iterable[Mailbox]:
        """The mailboxes whose session may have ended."""
        if not is_everybody(event.topic):
            return self._mailboxes_of(event.topic)
        # Transports that carry no data do not name the session.
        session = event.data and event.data.get("session")
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

    def topics(self) -> set[str]:
        with self._lock:
            return set(self._mailboxes)

    def on_tick(self) -> None:
        if self._listens_long():
            self._outage.ends()
        self._reconcile_in_time()

    def _listens_long(self) -> bool:
        """Whether the transport works: one that is frozen accepts connections, too."""
        return time.monotonic() - self._listens_since > BACK_AFTER

    def _reconcile_in_time(self) -> None:
        if time.monotonic() >= self._next_reconcile:
            self._next_reconcile = time.monotonic() + settings.RECONCILE_INTERVAL
            self.reconcile()
        self.recheck()

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
            finally:
                close_connections()
            for topic in topics:
                now = self._fingerprints[topic] = current.get(topic, NOTHING)
                # At the first comparison the topic may have changed since its stream opened.
                if known.get(topic) != now:
                    self._resync(topic)

    def recheck(self) -> None:
        """Confirm the users of the streams whose check is due soon, with one query for all of them.

        A stream that is not confirmed here checks its session itself.
        """
        now = time.monotonic()
        horizon = now + min(LOOK_AHEAD, settings.STREAM_RECHECK / 2)
        scopes: dict[str, list[tuple[Mailbox, Identity]]] = {}
        for mailbox in self._mailboxes_of():
            if mailbox.identity and mailbox.recheck_at <= horizon:
                due = scopes.setdefault(scope_of(mailbox.topic), [])
                due.append((mailbox, mailbox.identity))
        for scope, due in scopes.items():
            try:
                with activate(scope):
                    valid = unchanged([identity for _, identity in due])
            except Exception as error:
                logger.warning("The users of open streams could not be looked up: %s", error)
                continue
            finally:
                close_connections()
            for mailbox, identity in due:
                if identity in valid:
                    mailbox.recheck_at = now + settings.STREAM_RECHECK

    def stop(self) -> None:
        """End the listening thread; a later ``subscribe`` starts a new one."""
        self._stop.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(5)
        self._thread = None

    def _mailboxes_of(self, topic: str | None = None) -> Iterable[Mailbox]:
        with self._lock:
            if topic is not None:
                return list(self._mailboxes.get(topic, ()))
            return [mailbox for mailboxes in self._mailboxes.values() for mailbox in mailboxes]

    def _ensure_running(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._stop = threading.Event()
            self._next_reconcile = time.monotonic() + settings.RECONCILE_INTERVAL
            self._thread = threading.Thread(
                target=self._run, name="monitio-broadcaster", daemon=True
            )
            self._thread.start()

    def _run(self) -> None:
        stop, failures = self._stop, 0
        while not stop.is_set():
            self._listens_since = time.monotonic()
            try:
                transport = get_transport()
                self._outage = transport.breaker.outage
                transport.listen(self)
            except Exception as error:
                if self._listens_long():
                    failures = 0
                self._outage.begins(
                    "The live transport is cut off; open pages catch up later. %s", error
                )
                failures += 1
            finally:
                close_connections()
            # Without the transport, changes are found in the database.
            self._reconcile_in_time()
            stop.wait(backoff(failures))


def close_connections() -> None:
    """Close this thread's database connections, unless a transaction (a test's) is open."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()


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


def _on_setting_changed(*, setting: str, **kwargs: object) -> None:
    if setting in TRANSPORT_SETTINGS:
        reset_broadcaster()


setting_changed.connect(_on_setting_changed, dispatch_uid="monitio.broadcaster")
