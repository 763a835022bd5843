"""Another process of the site: writes at the worst moments, says what a reload would show."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

from tests.support.peers import serve, set_up

set_up()

from django.db import DatabaseError, connection, transaction

from monitio import api
from monitio.recipients import Recipient
from monitio.serializers import snapshot
from tests.integration.faults.clock import turn_back
from tests.integration.stream.process import sign_in, write


class ChangedMind(Exception):
    """Rolls a block back."""


def sign_in_many(count: int) -> list[dict[str, str]]:
    return [sign_in(f"user{number}") for number in range(count)]


def write_all(plan: list[list[str]], seconds: float = 0.0) -> float:
    """Write ``[key, text]`` one after the other, spread over so many seconds at least.

    The longest that one of them took.
    """
    longest = 0.0
    for key, text in spread(plan, seconds):
        started = time.monotonic()
        write(key, text)
        longest = max(longest, time.monotonic() - started)
    return longest


def write_despite(plan: list[list[str]], seconds: float) -> int:
    """The same with a database that fails: what fails is not written. How many were."""
    written = 0
    for key, text in spread(plan, seconds):
        try:
            write(key, text)
            written += 1
        except DatabaseError:
            connection.close()
    return written


def spread(plan: list[list[str]], seconds: float) -> Iterator[list[str]]:
    begin = time.monotonic()
    for number, one in enumerate(plan):
        time.sleep(max(0.0, begin + seconds * number / len(plan) - time.monotonic()))
        yield one


def write_crossed(key: str) -> list[int]:
    """Two messages: the first, with the lower id, is committed last. Their ids in that order."""
    first: list[int] = []
    has_written, may_commit = threading.Event(), threading.Event()

    def slowly() -> None:
        try:
            with transaction.atomic():
                first.append(write(key, f"{key} first"))
                has_written.set()
                may_commit.wait(20)
        finally:
            connection.close()

    slow = threading.Thread(target=slowly)
    slow.start()
    has_written.wait(20)
    second = write(key, f"{key} second")
    crossing.append((slow, may_commit))
    return [*first, second]


crossing: list[tuple[threading.Thread, threading.Event]] = []


def commit_the_first() -> None:
    slow, may_commit = crossing.pop()
    may_commit.set()
    slow.join(20)


def write_and_roll_back(key: str) -> None:
    """A block that fails, a savepoint that fails inside one that does not, and one that works."""
    try:
        with transaction.atomic():
            write(key, f"{key} of a failed block")
            raise ChangedMind
    except ChangedMind:
        pass
    with transaction.atomic():
        write(key, f"{key} around the savepoint")
        try:
            with transaction.atomic():
                write(key, f"{key} of a failed savepoint")
                raise ChangedMind
        except ChangedMind:
            pass
        with transaction.atomic():
            write(key, f"{key} of a savepoint")


def snapshots(keys: list[str]) -> list[dict[str, Any]]:
    """What each of these people's pages would show after a reload."""
    connection.close()
    return [dict(snapshot(Recipient.from_key(key))) for key in keys]


if __name__ == "__main__":
    serve(
        {
            "sign_in_many": sign_in_many,
            "write_all": write_all,
            "write_despite": write_despite,
            "write_crossed": write_crossed,
            "commit_the_first": commit_the_first,
            "write_and_roll_back": write_and_roll_back,
            "delete": lambda key, pks: api.delete(Recipient.from_key(key), pks),
            "turn_back": turn_back,
            "snapshots": snapshots,
        }
    )
