"""Encoded events: a head for the mailboxes, and JSON that streams send unchanged."""

from __future__ import annotations

from typing import Any

import pytest

from monitio.transports import Event
from monitio.transports.events import MAX_BYTES, EncodedData

MESSAGE = Event("user:1", "message", {"id": 7, "version": 2, "seq": 3, "body": "ą\n"})


def test_a_message_arrives_encoded_with_its_rank() -> None:
    event = Event.decode(MESSAGE.encode())
    assert event is not None and (event.topic, event.kind) == ("user:1", "message")
    assert isinstance(event.data, EncodedData)
    assert (event.data.id, event.data.version, event.data.seq) == (7, 2, 3)
    assert event.data.load() == MESSAGE.data


def test_it_is_encoded_once() -> None:
    event = Event.decode(MESSAGE.encode())
    assert event is not None and event.encoded() is event.data
    assert event.encode() == MESSAGE.encode()


@pytest.mark.parametrize("kind", ["resync", "recheck"])
def test_an_event_without_data_arrives_without(kind: str) -> None:
    assert Event.decode(Event("a/user:ą", kind).encode()) == Event("a/user:ą", kind)


def test_data_without_an_id_has_none() -> None:
    event = Event.decode(Event("user:1", "gone", {"ids": [1]}).encode())
    assert event is not None and event.data == EncodedData(b'{"ids":[1]}')


def test_one_that_is_too_large_becomes_resync() -> None:
    large = Event("user:1", "message", {"id": 1, "body": "x" * MAX_BYTES})
    assert large.encode() == Event("user:1").encode()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"user:1\x1fmessage",
        b"user:1\x1funknown\x1f\x1f\x1f\x1f",
        b"user:1\x1fmessage\x1fx\x1f1\x1f1\x1f{}",
        b"user:1\x1fmessage\x1f1\x1f1\x1f1\x1f{}\n\nevent: bye\n",
        b"user:1\x1fmessage\x1f1\x1f1\x1f1\x1f{}\r",
        b"user:1\x1frecheck\x1f\x1f0\x1f0\x1f[]",
        b"user:1\x1frecheck\x1f\x1f0\x1f0\x1f{",
        b"\xff\x1fresync\x1f\x1f\x1f\x1f",
    ],
)
def test_foreign_bytes_are_not_an_event(raw: Any) -> None:
    assert Event.decode(raw) is None
