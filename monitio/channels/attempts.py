"""One attempt to send a delivery or a digest, and the state that results."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from monitio.conf import DAY, settings
from monitio.exceptions import PermanentFailure, Skipped, TemporaryFailure
from monitio.models.outgoing import Outgoing

logger = logging.getLogger("monitio")

# The longest time between two attempts, in seconds, unless the server asks for more.
LONGEST_BACKOFF = 15 * 60.0
State = Outgoing.State


@dataclass(frozen=True, kw_only=True)
class Result:
    """``wait`` until the next attempt, when the state is PENDING; ``is_gone``: of the target."""

    state: State
    reason: str = ""
    wait: timedelta = timedelta()
    is_gone: bool = False


def attempt(row: Outgoing, send: Callable[[], object]) -> Result:
    """Send a claimed row, whose ``attempts`` count this one.

    ``send`` raises ``Skipped``, ``TemporaryFailure`` or ``PermanentFailure``.
    """
    if row.attempts > settings.DELIVER_RETRIES + 1:
        # Every process that sent it died: the message itself may be the cause.
        return Result(state=State.FAILED, reason=f"Given up after {row.attempts - 1} tries.")
    try:
        send()
    except Skipped as skipped:
        return Result(state=State.SKIPPED, reason=str(skipped))
    except TemporaryFailure as failure:
        if row.attempts <= settings.DELIVER_RETRIES:
            wait = backoff(row.attempts, _seconds(failure.retry_after))
            return Result(state=State.PENDING, reason=str(failure), wait=wait)
        reason = f"Given up after {row.attempts} tries. The last one: {failure}"
        return Result(state=State.FAILED, reason=reason)
    except PermanentFailure as failure:
        return Result(state=State.FAILED, reason=str(failure), is_gone=failure.is_gone)
    except Exception:
        # A defect of a template or a channel: a retry would only repeat it.
        logger.exception("%s %s failed.", type(row).__name__, row.pk)
        return Result(state=State.FAILED, reason="See the log.")
    return Result(state=State.SENT)


def backoff(attempts: int, retry_after: float = 0.0) -> timedelta:
    """Doubles with each attempt, up to ``LONGEST_BACKOFF``; random, so that retries spread.

    Never less than ``retry_after`` seconds, up to a day.
    """
    seconds = min(settings.DELIVER_BACKOFF * 2.0 ** min(attempts - 1, 20), LONGEST_BACKOFF)
    seconds *= random.uniform(0.75, 1.25)  # noqa: S311 - no secret
    return timedelta(seconds=max(seconds, min(retry_after, float(DAY))))


def _seconds(retry_after: float | str | None) -> float:
    """RFC 9110 10.2.3: seconds or a date; 0 for anything else."""
    try:
        return float(retry_after or 0)
    except ValueError:
        try:
            moment = parsedate_to_datetime(str(retry_after)).astimezone(UTC)
        except (ValueError, OverflowError):
            return 0.0
    return (moment - datetime.now(UTC)).total_seconds()
