"""The encoding of events."""

from __future__ import annotations

import json

import pytest

from monitio.stream import frames


def test_an_event_is_its_name_and_one_line_of_json() -> None:
    assert frames.event("gone", {"ids": [1]}) == b'event: gone\ndata: {"ids":[1]}\n\n'


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\r\n\r\nevent: bye\ndata: {}", "\u2028", "\0"])
def test_no_text_can_forge_an_event(text: str) -> None:
    frame = frames.event("message", {"body": text})
    _name, data, *rest = frame.split(b"\n")
    assert rest == [b"", b""] and b"\r" not in frame
    assert json.loads(data.removeprefix(b"data: ")) == {"body": text}


def test_only_known_events_are_sent() -> None:
    with pytest.raises(ValueError, match="not an event of this stream"):
        frames.event("exec", {})


def test_the_retry_delay_is_in_milliseconds() -> None:
    assert frames.retry(3000) == b"retry: 3000\n\n"
