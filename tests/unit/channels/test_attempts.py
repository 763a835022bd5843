"""One attempt decides alike for deliveries and digests."""

from __future__ import annotations

from typing import Any

import pytest

from monitio.channels import PermanentFailure, TemporaryFailure
from monitio.channels.attempts import LONGEST_BACKOFF, attempt, backoff
from monitio.models import Delivery, Digest
from monitio.models.outgoing import Outgoing

RETRIES = 2


@pytest.mark.parametrize("model", [Delivery, Digest])
@pytest.mark.parametrize(
    ("attempts", "result", "expected"),
    [
        (1, "", ("sent", "")),
        (1, "It was read.", ("skipped", "It was read.")),
        (1, TemporaryFailure("busy"), ("pending", "busy")),
        (RETRIES, TemporaryFailure("busy"), ("pending", "busy")),
        (3, TemporaryFailure("busy"), ("failed", "Given up after 3 tries. The last one: busy")),
        (4, "", ("failed", "Given up after 3 tries.")),
        (1, PermanentFailure("unknown user"), ("failed", "unknown user")),
        (1, KeyError("x"), ("failed", "See the log.")),
    ],
)
def test_the_result_of_an_attempt(
    model: type[Outgoing],
    attempts: int,
    result: str | Exception,
    expected: tuple[str, str],
    settings: Any,
) -> None:
    def send() -> str:
        if isinstance(result, Exception):
            raise result
        return result

    settings.MONITIO_DELIVER_RETRIES = RETRIES
    assert attempt(model(attempts=attempts), send) == expected


def test_the_backoff_doubles_up_to_a_limit() -> None:
    assert 1.2 <= backoff(2) / backoff(1) <= 3.4
    assert backoff(10**6).total_seconds() <= 1.25 * LONGEST_BACKOFF
