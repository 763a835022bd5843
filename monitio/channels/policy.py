"""``email=`` and ``email_delay=``: whether, when and on which condition a message is e-mailed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypeAlias

from monitio.conf import DAY, settings

Email: TypeAlias = bool | Literal["unless_read", "unless_seen"]
Delay: TypeAlias = float | timedelta | None

# The values of email=, and those of Delivery.unless.
CONDITIONS = {"unless_read": "read", "unless_seen": "seen"}
LONGEST_DELAY = 366 * DAY


@dataclass(frozen=True, kw_only=True)
class DeliveryPolicy:
    """``delay`` in seconds; ``unless`` is "read", "seen" or '' (send in any case)."""

    unless: str = ""
    delay: float = 0.0

    @classmethod
    def from_options(cls, email: Email, delay: Delay = None) -> DeliveryPolicy | None:
        """How to e-mail a message; None: not at all.

        A delay serves to save needless e-mails, so a delay alone means "unless_read".
        Raises ``TypeError`` and ``ValueError`` like ``check``.
        """
        check(email, delay)
        if not email:
            return None
        if email is True and not delay:
            return cls()
        if delay is None:
            delay = settings.EMAIL_DELAY
        seconds = delay.total_seconds() if isinstance(delay, timedelta) else float(delay)
        return cls(unless="read" if email is True else CONDITIONS[email], delay=seconds)


def check(email: object, delay: object = None) -> None:
    """Raises ``TypeError`` or ``ValueError`` that names the valid values."""
    if not isinstance(email, bool) and (not isinstance(email, str) or email not in CONDITIONS):
        known = " or ".join(map(repr, CONDITIONS))
        raise ValueError(f"email= is True, False, {known}, not {email!r}.")
    if delay is None:
        return
    if not email:
        raise ValueError("email_delay= says when to mail; say with email= that you want it.")
    if isinstance(delay, bool) or not isinstance(delay, int | float | timedelta):
        raise TypeError(f"email_delay= is in seconds, or a timedelta, not {delay!r}.")
    # Not as a float: an int may be too large for one.
    seconds = delay.total_seconds() if isinstance(delay, timedelta) else delay
    if not 0 <= seconds <= LONGEST_DELAY:
        raise ValueError(f"email_delay= is between nothing and a year, not {delay!r}.")
