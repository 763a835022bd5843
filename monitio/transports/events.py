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


@dataclass(frozen=True, slots=True)
class Event:
    """A change of a topic.

    ``message`` and ``gone`` carry the change as data; after ``resync`` streams read the database.
    ``recheck``: a session of this recipient may have ended. With a topic ``is_everybody`` it is the
    session whose mark is the data, or any session when there is no data.
    """

    topic: str
    kind: str = RESYNC
    data: dict[str, Any] | None = None

    def encode(self) -> bytes:
        """JSON bytes; an event of more than ``MAX_BYTES`` becomes ``resync``."""
        encoded = dump({"topic": self.topic, "kind": self.kind, "data": self.data})
        if len(encoded) <= MAX_BYTES:
            return encoded
        return dump({"topic": self.topic, "kind": RESYNC, "data": None})

    def without_data(self) -> Event:
        """The same change without its data, which is old by the time the event is published."""
        return Event(self.topic, RECHECK if self.kind == RECHECK else RESYNC)

    @classmethod
    def decode(cls, raw: bytes | str) -> Event | None:
        """The event in these bytes; None for others, as programs may share the channel."""
        try:
            fields = json.loads(raw)
            topic, kind, data = fields["topic"], fields["kind"], fields.get("data")
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
        if not isinstance(topic, str) or kind not in KINDS or not isinstance(data, dict | None):
            return None
        return cls(topic, kind, data)


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
    named = event.data.get("topics") if event.kind == RESYNC and event.data else None
    if not isinstance(named, list):
        return [event]
    return [Event(topic) for topic in named if isinstance(topic, str) and topic in topics]


def is_everybody(topic: str) -> bool:
    return topic == everybody_in(scope_of(topic))


def dump(value: dict[str, Any]) -> bytes:
    """Compact JSON, without line breaks."""
    return _encode(value).encode()


_encode = DjangoJSONEncoder(separators=(",", ":")).encode
