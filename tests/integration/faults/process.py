"""A process of the site that writes at the worst moments and returns what a reload would show."""

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


class RollBack(Exception):
    """Raised to roll a block back."""


def sign_in_many(count: int) -> list[dict[str, str]]:
    return [sign_in(f"user{number}") for number in range(count)]


def write_all(plan: list[list[str]], seconds: float = 0.0) -> float:
    """Write each ``[key, text]``, spread over at least ``seconds``.

    Returns the longest duration of a write, in seconds.
    """
    longest = 0.0
    for key, text in spread(plan, seconds):
        started = time.monotonic()
        write(key, text)
        longest = max(longest, time.monotonic() - started)
    return longest


def write_despite(plan: list[list[str]], seconds: float) -> int:
    """The same with a database that fails; returns how many were written."""
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
    """Write two messages, of which the first, with the lower id, is committed last; their ids."""
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
    """Write in a failed block, and in a committed one with a failed and a committed savepoint."""
    try:
        with transaction.atomic():
            write(key, f"{key} of a failed block")
            raise RollBack
    except RollBack:
        pass
    with transaction.atomic():
        write(key, f"{key} around the savepoint")
        try:
            with transaction.atomic():
                write(key, f"{key} of a failed savepoint")
                raise RollBack
        except RollBack:
            pass
        with transaction.atomic():
            write(key, f"{key} of a savepoint")


def snapshots(keys: list[str]) -> list[dict[str, Any]]:
    """The snapshot of each recipient, as a reload would get it."""
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
