"""One attempt to send a delivery or a digest, and the state that results."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from datetime import timedelta

from monitio.conf import settings
from monitio.exceptions import PermanentFailure, TemporaryFailure
from monitio.models.outgoing import Outgoing

logger = logging.getLogger("monitio")

# The longest time between two attempts, in seconds.
LONGEST_BACKOFF = 15 * 60.0
State = Outgoing.State


def attempt(row: Outgoing, send: Callable[[], str]) -> tuple[State, str]:
    """Send a claimed row, whose ``attempts`` count this one: the state that results, the reason.

    ``send`` returns why sending was not needed, '' when it was done; it raises ``TemporaryFailure``
    or ``PermanentFailure``. The state is PENDING when a retry is due after ``backoff``.
    """
    if row.attempts > settings.DELIVER_RETRIES + 1:
        # Every process that sent it died: the e-mail itself may be the cause.
        return State.FAILED, f"Given up after {row.attempts - 1} tries."
    try:
        needless = send()
    except TemporaryFailure as failure:
        if row.attempts <= settings.DELIVER_RETRIES:
            return State.PENDING, str(failure)
        return State.FAILED, f"Given up after {row.attempts} tries. The last one: {failure}"
    except PermanentFailure as failure:
        return State.FAILED, str(failure)
    except Exception:
        # A defect of a template or a channel: a retry would only repeat it.
        logger.exception("%s %s failed.", type(row).__name__, row.pk)
        return State.FAILED, "See the log."
    return (State.SKIPPED, needless) if needless else (State.SENT, "")


def backoff(attempts: int) -> timedelta:
    """Doubles with each attempt, up to ``LONGEST_BACKOFF``; random, so that retries spread."""
    seconds = min(settings.DELIVER_BACKOFF * 2.0 ** min(attempts - 1, 20), LONGEST_BACKOFF)
    return timedelta(seconds=seconds * random.uniform(0.75, 1.25))  # noqa: S311 - no secret
