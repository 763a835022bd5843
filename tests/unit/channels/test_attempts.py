"""The result of an attempt, for deliveries and digests alike."""

from __future__ import annotations

from typing import Any

import pytest

from monitio.channels import PermanentFailure, Skipped, TemporaryFailure
from monitio.channels.attempts import LONGEST_BACKOFF, attempt, backoff
from monitio.models import Delivery, Digest
from monitio.models.outgoing import Outgoing

RETRIES = 2


@pytest.mark.parametrize("model", [Delivery, Digest])
@pytest.mark.parametrize(
    ("attempts", "result", "expected"),
    [
        (1, None, ("sent", "")),
        (1, Skipped("It was read."), ("skipped", "It was read.")),
        (1, TemporaryFailure("busy"), ("pending", "busy")),
        (RETRIES, TemporaryFailure("busy"), ("pending", "busy")),
        (3, TemporaryFailure("busy"), ("failed", "Given up after 3 tries. The last one: busy")),
        (4, None, ("failed", "Given up after 3 tries.")),
        (1, PermanentFailure("unknown user"), ("failed", "unknown user")),
        (1, KeyError("x"), ("failed", "See the log.")),
    ],
)
def test_the_result_of_an_attempt(
    model: type[Outgoing],
    attempts: int,
    result: Exception | None,
    expected: tuple[str, str],
    settings: Any,
) -> None:
    def send() -> None:
        if result is not None:
            raise result

    settings.MONITIO_DELIVER_RETRIES = RETRIES
    found = attempt(model(attempts=attempts), send)
    assert (found.state, found.reason) == expected
    assert bool(found.wait) == (found.state == "pending")


@pytest.mark.parametrize(
    ("asked", "waits"),
    [
        (3600, 3600),
        ("3600", 3600),
        ("Fri, 31 Dec 2999 23:59:59 GMT", 24 * 3600),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 20),
        (10**9, 24 * 3600),
        (0.001, 20),
        ("soon", 20),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 20),
        ("nan", 20),
    ],
)
def test_retry_after_is_respected_up_to_a_day(asked: float | str, waits: float) -> None:
    def send() -> None:
        raise TemporaryFailure("busy", retry_after=asked)

    wait = attempt(Delivery(attempts=1), send).wait.total_seconds()
    assert waits <= wait <= max(waits, 40)


def test_the_backoff_doubles_up_to_a_limit() -> None:
    assert 1.2 <= backoff(2) / backoff(1) <= 3.4
    assert backoff(10**6).total_seconds() <= 1.25 * LONGEST_BACKOFF
