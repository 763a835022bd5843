"""The events that transports carry between processes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from monitio.scope import key_in, scope_of

# What PostgreSQL's NOTIFY takes, and far more than a notification should be.
MAX_BYTES = 7_000

# A topic that every process receives, whatever streams it has; each scope has one (everybody_in).
EVERYBODY = "!"

MESSAGE, GONE, RESYNC, RECHECK = "message", "gone", "resync", "recheck"
KINDS = frozenset({MESSAGE, GONE, RESYNC, RECHECK})


@dataclass(frozen=True, slots=True)
class Event:
    """An announcement that a topic has news.

    ``message`` and ``gone`` carry the news as data; ``resync`` says to look it up; ``recheck`` says
    that a session of this recipient may have ended, or with a topic ``is_everybody`` the session
    whose mark is the data, or one that is not named.
    """

    topic: str
    kind: str = RESYNC
    data: dict[str, Any] | None = None

    def encode(self) -> bytes:
        """JSON bytes; a bell too large to carry becomes ``resync``."""
        encoded = dump({"topic": self.topic, "kind": self.kind, "data": self.data})
        if len(encoded) <= MAX_BYTES:
            return encoded
        return dump({"topic": self.topic, "kind": RESYNC, "data": None})

    def without_data(self) -> Event:
        """The same news, to be looked up: what it carried is old by the time it rings."""
        return Event(self.topic, RECHECK if self.kind == RECHECK else RESYNC)

    @classmethod
    def decode(cls, raw: bytes | str) -> Event | None:
        """The bell in these bytes, None when they hold none: others may share the channel."""
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


def is_everybody(topic: str) -> bool:
    return topic == everybody_in(scope_of(topic))


def dump(value: dict[str, Any]) -> bytes:
    """JSON, as small as it gets; it has no line breaks."""
    return _encode(value).encode()


_encode = DjangoJSONEncoder(separators=(",", ":")).encode
