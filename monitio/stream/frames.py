"""Server-Sent Events on the wire (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

import json
from typing import Any, Final

from django.core.serializers.json import DjangoJSONEncoder

# No others are sent, so the text of a message cannot choose an event's name.
EVENTS: Final = frozenset({"snapshot", "message", "gone", "resync", "beat", "bye"})


def event(name: str, data: dict[str, Any]) -> bytes:
    """One event. JSON keeps every line break out of the data: a bare CR would forge an event."""
    text = json.dumps(data, cls=DjangoJSONEncoder, separators=(",", ":"))
    return encoded(name, text.encode())


def encoded(name: str, json_data: bytes) -> bytes:
    """One event of data that is JSON without line breaks already."""
    if name not in EVENTS:
        raise ValueError(f"{name!r} is not an event of this stream; use one of {sorted(EVENTS)}.")
    return b"event: %b\ndata: %b\n\n" % (name.encode(), json_data)


def retry(milliseconds: int) -> bytes:
    """How long the browser waits before it connects again: the first bytes of every stream."""
    return f"retry: {milliseconds}\n\n".encode()


# An event, not a comment: scripts must be able to see that the connection is alive.
BEAT: Final = event("beat", {})
