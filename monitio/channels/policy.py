"""``email=``, ``email_delay=`` and ``via=``: on which channels, when and if a message is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, TypeAlias

from monitio.conf import DAY, settings
from monitio.constants import EMAIL

Email: TypeAlias = bool | Literal["unless_read", "unless_seen"]
Delay: TypeAlias = float | timedelta | None

# The values of email=, and those of Delivery.unless.
CONDITIONS = {"unless_read": "read", "unless_seen": "seen"}
LONGEST_DELAY = 366 * DAY


@dataclass(frozen=True, kw_only=True)
class DeliveryPolicy:
    """``delay`` in seconds; ``unless`` is "read", "seen" or '' (send in any case)."""

    delay: float = 0.0
    unless: str = ""

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


# By channel. The JSON form of ``after`` is a mapping with its arguments.
Via: TypeAlias = Mapping[str, Email | DeliveryPolicy | Mapping[str, Any]]
# Channels, and when and on which condition each gets a message, the earliest first; empty: none.
Steps: TypeAlias = tuple[tuple[str, DeliveryPolicy], ...]


def after(delay: float | timedelta, unless: str = "") -> DeliveryPolicy:
    """A later step of ``via=``: ``{"push": True, "email": after(300, unless="seen")}``.

    ``delay`` is in seconds or a timedelta; ``unless`` is "read", "seen" or '' (in any case).
    Raises ``TypeError`` and ``ValueError`` that name the valid values.
    """
    if unless not in ("", *CONDITIONS.values()):
        raise ValueError(f"unless= is 'read', 'seen' or '', not {unless!r}.")
    return DeliveryPolicy(delay=_seconds("after()", delay), unless=unless)


def steps_from(email: Email = False, delay: Delay = None, via: Via | None = None) -> Steps:
    """The steps that these arguments ask for.

    Raises ``TypeError`` and ``ValueError`` that name the valid values.
    """
    if email is False and delay is None and via is None:
        return ()
    policies = {EMAIL: DeliveryPolicy.from_options(email, delay)}
    for channel, how in check_via(via).items():
        if policies.get(channel):
            raise ValueError(f"via= has {channel!r}, and so has email=: use one of the two.")
        if isinstance(how, Mapping):
            policies[channel] = after(**how)
        else:
            is_policy = isinstance(how, DeliveryPolicy)
            policies[channel] = how if is_policy else DeliveryPolicy.from_options(how)
    steps = [(channel, policy) for channel, policy in policies.items() if policy is not None]
    return tuple(sorted(steps, key=lambda step: step[1].delay))


def check_via(via: Any) -> Mapping[str, Any]:
    """``via``, or an empty mapping. Raises ``TypeError`` or ``ValueError``."""
    if via is None:
        return {}
    if not isinstance(via, Mapping):
        raise TypeError(f'via= maps channels to conditions: {{"email": True}}, not {via!r}.')
    for channel, how in via.items():
        if channel == "live":
            raise ValueError("'live' is no channel: open pages get every message without via=.")
        if channel not in settings.CHANNELS:
            known = ", ".join(settings.CHANNELS)
            raise ValueError(f"via= has {channel!r}, which MONITIO_CHANNELS lacks. It has {known}.")
        if isinstance(how, Mapping):
            after(**how)
        elif not isinstance(how, DeliveryPolicy | bool) and how not in CONDITIONS:
            known = ", ".join(map(repr, CONDITIONS))
            raise ValueError(
                f"via= takes True, False, {known} or after(…) for {channel!r}, not {how!r}."
            )
    return via


def check(email: object, delay: object = None) -> None:
    """Raises ``TypeError`` or ``ValueError`` that names the valid values."""
    if not isinstance(email, bool) and (not isinstance(email, str) or email not in CONDITIONS):
        known = " or ".join(map(repr, CONDITIONS))
        raise ValueError(f"email= is True, False, {known}, not {email!r}.")
    if delay is None:
        return
    if not email:
        raise ValueError("email_delay= says when to mail; say with email= that you want it.")
    _seconds("email_delay=", delay)


def _seconds(name: str, delay: object) -> float:
    if isinstance(delay, bool) or not isinstance(delay, int | float | timedelta):
        raise TypeError(f"{name} is in seconds, or a timedelta, not {delay!r}.")
    # Not as a float: an int may be too large for one.
    seconds = delay.total_seconds() if isinstance(delay, timedelta) else delay
    if not 0 <= seconds <= LONGEST_DELAY:
        raise ValueError(f"{name} is between nothing and a year, not {delay!r}.")
    return float(seconds)
