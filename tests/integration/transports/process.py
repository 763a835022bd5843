"""A process that rings and hears: what the conformance suite has two of."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Any

from tests.support.peers import serve, set_up

set_up()

from django.core.management import call_command
from django.db import connection, transaction

from monitio import dispatch
from monitio.stream import broadcaster as hubs
from monitio.stream.broadcaster import Broadcaster, Mailbox, get_broadcaster
from monitio.transports import Event, get_transport
from monitio.transports import publish as publishing
from monitio.utils.fork import ProcessLocal

heard: list[list[Any]] = []
logged: list[str] = []
# One for each time the transport was cut off.
cuts: list[int] = []
mailboxes: dict[str, Mailbox] = {}


class RecordingHub(Broadcaster):
    """The real hub, whose loop connects again; it also writes down what it is told."""

    def hear(self, bell: Event) -> None:
        # Told to nobody: the mailboxes are not what is tested here, and would say "gap" again.
        heard.append([bell.topic, bell.kind, bell.data])

    def gap(self, topic: str | None = None) -> None:
        heard.append([topic, "gap", None])


class Recorder(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        logged.append(self.format(record))


def noted_pause(failures: int) -> float:
    """The hub's own pause before it connects again."""
    cuts.append(failures)
    return usual_pause(failures)


usual_pause, hubs.backoff = hubs.backoff, noted_pause
hubs._broadcaster = ProcessLocal(RecordingHub)
logging.getLogger("monitio").addHandler(Recorder())


def follow(topics: list[str]) -> None:
    for topic in topics:
        mailboxes[topic] = Mailbox(topic, lambda: None)
        get_broadcaster().subscribe(mailboxes[topic])


def unfollow(topics: list[str]) -> None:
    for topic in topics:
        get_broadcaster().unsubscribe(mailboxes.pop(topic))


def take_heard() -> list[list[Any]]:
    events = list(heard)
    del heard[: len(events)]
    return events


def publish(bells: list[list[Any]]) -> None:
    get_transport().publish([Event(*bell) for bell in bells])


def push_and_roll_back(topic: str) -> bool:
    """Whether a moving bar rang from inside of a transaction."""
    with transaction.atomic():
        rang = dispatch.push([Event(topic, "recheck")])
        transaction.set_rollback(True)
    return rang


def is_in_database() -> bool:
    return get_transport().in_database


def timed_ring(bells: list[list[Any]]) -> tuple[bool, float]:
    begin = time.monotonic()
    return publishing.publish([Event(*bell) for bell in bells]), time.monotonic() - begin


def patch(path: str, value: Any) -> None:
    """Set a constant: ``("monitio.transports.redis.PONG_WITHIN", 2)``."""
    import importlib

    module, _, name = path.rpartition(".")
    setattr(importlib.import_module(module), name, value)


def cpu_share(seconds: float) -> float:
    """How much of one core this process needs while nothing happens."""
    begin = time.process_time()
    time.sleep(seconds)
    return (time.process_time() - begin) / seconds


def stop() -> tuple[float, list[str]]:
    """Seconds until the hub has stopped, and the threads that are left."""
    begin = time.monotonic()
    hubs.reset_broadcaster()
    return time.monotonic() - begin, [
        thread.name for thread in threading.enumerate() if thread.name == "monitio-hub"
    ]


def fork(topic: str) -> list[str]:
    """What a forked child of this listening process hears of a topic of its own."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        heard.clear()
        connection.close()
        follow([topic])
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not any(event[0] == topic for event in heard):
            time.sleep(0.02)
        publish([[topic, "resync"]])
        while time.monotonic() < deadline and not any(event[1] == "resync" for event in heard):
            time.sleep(0.02)
        os.write(writer, ",".join(kind for name, kind, _ in heard if name == topic).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer.split(",")


if __name__ == "__main__":
    serve(
        {
            "migrate": lambda: call_command("migrate", verbosity=0),
            "follow": follow,
            "unfollow": unfollow,
            "heard": take_heard,
            "logged": lambda: logged,
            "cuts": lambda: len(cuts),
            "publish": publish,
            "ring": timed_ring,
            "push_and_roll_back": push_and_roll_back,
            "is_in_database": is_in_database,
            "patch": patch,
            "cpu_share": cpu_share,
            "stop": stop,
            "fork": fork,
            "check": lambda: [str(message.msg) for message in get_transport().check()],
        }
    )
