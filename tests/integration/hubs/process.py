"""Another process of a site with a hub: the functions of stream/process.py, and more."""

from __future__ import annotations

import time
from typing import Any

from tests.support.peers import TIMEOUT, serve, set_up

set_up()

from monitio import INFO, api
from monitio.recipients import Recipient
from monitio.serializers import snapshot
from monitio.transports import Event, get_transport, hub, reset_transport
from monitio.transports.publish import publish
from tests.integration.stream import process

# A slow machine must not count as a dead hub. Tests of dead hubs use ``short_timeout``.
hub.PUBLISH_TIMEOUT = hub.LAST_START = TIMEOUT


def write_to_many(keys: list[str], text: str) -> None:
    """Write in one transaction, so that all events are published together."""
    api.notify_many([Recipient.from_key(key) for key in keys], INFO, text)


def delete(key: str, pk: int) -> None:
    api.delete(Recipient.from_key(key), [pk])


def read_all(key: str) -> None:
    api.mark_all_read(Recipient.from_key(key))


def timed_publish(events: list[list[Any]]) -> tuple[bool, float]:
    begin = time.monotonic()
    return publish([Event(*event) for event in events]), time.monotonic() - begin


def state(key: str) -> dict[str, Any]:
    return snapshot(Recipient.from_key(key))


def check() -> list[str]:
    return [str(message.msg) for message in get_transport().check()]


if __name__ == "__main__":
    serve(
        {
            **process.FUNCTIONS,
            "write_to_many": write_to_many,
            "delete": delete,
            "read_all": read_all,
            "timed_publish": timed_publish,
            "state": state,
            "check": check,
            # Creates a new circuit breaker.
            "forget_failures": reset_transport,
        }
    )
