"""A process that publishes and receives; the conformance suite runs two of them."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Iterable
from typing import Any

from tests.support.peers import TIMEOUT, serve, set_up

set_up()

from django.db import connection, transaction

from monitio import dispatch
from monitio.stream import broadcaster as broadcasters
from monitio.stream.broadcaster import Broadcaster, get_broadcaster
from monitio.stream.mailbox import Mailbox
from monitio.transports import Event, get_transport, postgres, redis
from monitio.transports import publish as publishing
from monitio.utils import database
from monitio.utils.fork import ProcessLocal

# A slow machine must not count as a dead server. Tests of dead servers use ``short_timeout``.
postgres.PUBLISH_TIMEOUT = redis.PUBLISH_TIMEOUT = database.LOCK_TIMEOUT = TIMEOUT
postgres.PONG_WITHIN = redis.PONG_WITHIN = TIMEOUT
received: list[list[Any]] = []
logged: list[str] = []
# One entry for each lost connection.
cuts: list[int] = []
mailboxes: dict[str, Mailbox] = {}
# That of the streams, as behind monitio.asgi.
loop: asyncio.AbstractEventLoop | None = None


class RecordingBroadcaster(Broadcaster):
    """A broadcaster with the real reconnecting loop that records events instead of delivering."""

    def event_loop(self) -> asyncio.AbstractEventLoop | None:
        return loop

    def receive(self, event: Event) -> None:
        data = event.encoded()
        received.append([event.topic, event.kind, data and data.load()])

    def on_subscribed(self, topics: Iterable[str]) -> None:
        super().on_subscribed(topics)
        received.extend([topic, "gap", None] for topic in topics)

    def on_gap(self, topic: str | None = None) -> None:
        received.append([topic, "gap", None])


class Recorder(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        logged.append(self.format(record))


def noted_pause(failures: int) -> float:
    """The usual delay before reconnecting; records the lost connection."""
    cuts.append(failures)
    return usual_pause(failures)


usual_pause, broadcasters.backoff = broadcasters.backoff, noted_pause
broadcasters._broadcaster = ProcessLocal(RecordingBroadcaster)
logging.getLogger("monitio").addHandler(Recorder())


def run_event_loop() -> None:
    """Before anything is followed."""
    global loop
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()


def follow(topics: list[str]) -> None:
    for topic in topics:
        mailboxes[topic] = Mailbox(topic, lambda: None)
        get_broadcaster().subscribe(mailboxes[topic])


def unfollow(topics: list[str]) -> None:
    for topic in topics:
        get_broadcaster().unsubscribe(mailboxes.pop(topic))


def take_received() -> list[list[Any]]:
    events = list(received)
    del received[: len(events)]
    return events


def publish(events: list[list[Any]]) -> None:
    get_transport().publish([Event(*event) for event in events])


def push_and_roll_back(topic: str) -> bool:
    """Whether progress is published from inside a transaction."""
    with transaction.atomic():
        published = dispatch.push([Event(topic, "recheck")])
        transaction.set_rollback(True)
    return published


def is_in_database() -> bool:
    return get_transport().in_database


def timed_publish(events: list[list[Any]]) -> tuple[bool, float]:
    begin = time.monotonic()
    return publishing.publish([Event(*event) for event in events]), time.monotonic() - begin


def cpu_share(seconds: float) -> float:
    """The share of one core that this process uses while it is idle."""
    begin = time.process_time()
    time.sleep(seconds)
    return (time.process_time() - begin) / seconds


def stop() -> tuple[float, list[str]]:
    """Stop the broadcaster; the seconds it took, and the threads that are left."""
    begin = time.monotonic()
    broadcasters.reset_broadcaster()
    return time.monotonic() - begin, [
        thread.name for thread in threading.enumerate() if thread.name == "monitio-broadcaster"
    ]


def fork(topic: str) -> list[str]:
    """Fork this process; the events that the child receives on its own topic."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        received.clear()
        if loop is not None:
            run_event_loop()
        connection.close()
        follow([topic])
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not any(event[0] == topic for event in received):
            time.sleep(0.02)
        publish([[topic, "resync"]])
        while time.monotonic() < deadline and not any(event[1] == "resync" for event in received):
            time.sleep(0.02)
        os.write(writer, ",".join(kind for name, kind, _ in received if name == topic).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer.split(",")


if __name__ == "__main__":
    serve(
        {
            "run_event_loop": run_event_loop,
            "follow": follow,
            "unfollow": unfollow,
            "received": take_received,
            "logged": lambda: logged,
            "cuts": lambda: len(cuts),
            "publish": publish,
            "timed_publish": timed_publish,
            "push_and_roll_back": push_and_roll_back,
            "is_in_database": is_in_database,
            "cpu_share": cpu_share,
            "stop": stop,
            "fork": fork,
            "check": lambda: [str(message.msg) for message in get_transport().check()],
        }
    )
