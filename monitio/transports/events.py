"""The events that transports carry between processes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from monitio.scope import by_scope, key_in, scope_of

# What PostgreSQL's NOTIFY takes, and far more than a notification should be.
MAX_BYTES = 7_000

# A topic that every process receives, whatever streams it has; each scope has one (everybody_in).
EVERYBODY = "!"

# From so many on, events without data are packed: every process of the site reads them then.
MANY = 50

MESSAGE, GONE, RESYNC, RECHECK = "message", "gone", "resync", "recheck"
KINDS = frozenset({MESSAGE, GONE, RESYNC, RECHECK})


# Between the parts of an event on the wire; neither a topic nor JSON holds it.
SEPARATOR = b"\x1f"


@dataclass(frozen=True, slots=True)
class EncodedData:
    """The data of an event as JSON, and what a mailbox needs of it: nothing decodes it again."""

    json: bytes
    # None: not the state of a message.
    id: int | None = None
    version: int = 0
    seq: int = 0

    @classmethod
    def of(cls, data: dict[str, Any]) -> EncodedData:
        head = (data.get("id"), data.get("version", 0), data.get("seq", 0))
        return cls(dump(data), *head)

    def load(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.json)
        return loaded


@dataclass(frozen=True, slots=True)
class Event:
    """A change of a topic.

    ``message`` and ``gone`` carry the change as data; after ``resync`` streams read the database.
    ``recheck``: a session of this recipient may have ended. With a topic ``is_everybody`` it is the
    session whose mark is the data, or any session when there is no data. Data is a dictionary where
    it is published, and ``EncodedData`` where it was received.
    """

    topic: str
    kind: str = RESYNC
    data: dict[str, Any] | EncodedData | None = None

    def encoded(self) -> EncodedData | None:
        """The data as JSON."""
        return EncodedData.of(self.data) if isinstance(self.data, dict) else self.data

    def encode(self) -> bytes:
        """``topic kind id version seq data``; an event of more than ``MAX_BYTES`` is ``resync``."""
        data = self.encoded()
        if data is None:
            parts = (self.topic.encode(), self.kind.encode(), b"", b"", b"", b"")
        else:
            number = b"" if data.id is None else b"%d" % data.id
            rank = b"%d" % data.version, b"%d" % data.seq
            parts = (self.topic.encode(), self.kind.encode(), number, *rank, data.json)
        encoded = SEPARATOR.join(parts)
        return encoded if len(encoded) <= MAX_BYTES else Event(self.topic).encode()

    def without_data(self) -> Event:
        """The same change without its data, which is old by the time the event is published."""
        return Event(self.topic, RECHECK if self.kind == RECHECK else RESYNC)

    @classmethod
    def decode(cls, raw: bytes) -> Event | None:
        """The event in these bytes; None for others, as programs may share the channel."""
        try:
            topic, name, number, version, seq, json_data = raw.split(SEPARATOR, 5)
            kind, data = name.decode(), None
            if json_data:
                head = (int(number) if number else None, int(version), int(seq))
                data = EncodedData(json_data, *head)
            # Streams send the data as it is: a line break would forge an event there.
            if kind not in KINDS or b"\n" in json_data or b"\r" in json_data:
                return None
            if kind in (RESYNC, RECHECK) and data and not isinstance(data.load(), dict):
                return None
            return cls(topic.decode(), kind, data)
        except ValueError:
            return None


def everybody_in(scope: str) -> str:
    """The topic of all streams of a scope."""
    return key_in(scope, EVERYBODY)


def packed(events: Sequence[Event]) -> list[Event]:
    """The same changes in fewer events, for transports whose every process gets ``everybody_in``.

    Many ``resync`` without data become one for hundreds of topics: published one by one they cost
    more than the messages that they announce.
    """
    bare = [event.topic for event in events if event.kind == RESYNC and event.data is None]
    if len(bare) < MANY:
        return list(events)
    found = [event for event in events if event.kind != RESYNC or event.data is not None]
    for scope, topics in by_scope(bare).items():
        longest = max(map(len, map(encode_basestring_ascii, topics)))
        size = (MAX_BYTES - 500) // (longest + 1)
        for start in range(0, len(topics), size):
            data = {"topics": topics[start : start + size]}
            found.append(Event(everybody_in(scope), RESYNC, data))
    return found


def unpacked(event: Event, topics: Set[str]) -> Iterable[Event]:
    """The inverse of ``packed``, for these topics; any other event unchanged."""
    data = event.encoded() if event.kind == RESYNC else None
    if data is None:
        return [event]
    named = data.load().get("topics", ())
    return [Event(topic) for topic in named if isinstance(topic, str) and topic in topics]


def is_everybody(topic: str) -> bool:
    return topic == everybody_in(scope_of(topic))


def dump(value: dict[str, Any]) -> bytes:
    """Compact JSON, without line breaks."""
    return _encode(value).encode()


_encode = DjangoJSONEncoder(separators=(",", ":")).encode
