"""Which channels a connection to Redis subscribes to."""

from __future__ import annotations

from typing import Any

import pytest

from monitio.transports.base import Waker
from monitio.transports.redis import _Subscription


class Changes:
    """A listener whose streams open and close; it gives each change once."""

    def take_changes(self) -> tuple[set[str], set[str]]:
        return {"user:1"}, {"user:2"}


class BrokenConnection:
    def subscribe(self, *channels: str) -> None:
        raise ConnectionError("the server has closed the connection")


def test_a_change_that_a_broken_connection_did_not_take_is_left_to_the_next_one() -> None:
    topics = {"user:2", "user:3"}
    listener: Any = Changes()
    waker = Waker()
    subscription = _Subscription(BrokenConnection(), listener, waker, topics)
    with pytest.raises(ConnectionError):
        subscription._follow_changes()
    waker.close()
    assert topics == {"user:1", "user:3"}
