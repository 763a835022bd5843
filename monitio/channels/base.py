"""The interface of a channel."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from django.core.checks import CheckMessage
from django.utils.text import capfirst

from monitio.exceptions import PermanentFailure, Skipped, TemporaryFailure
from monitio.recipients import scope_mark
from monitio.utils.deadline import remaining

if TYPE_CHECKING:
    from django.forms import Form

    from monitio.models import Delivery, Destination, Message, Preferences

__all__ = [
    "Channel",
    "PermanentFailure",
    "Skipped",
    "TemporaryFailure",
    "attempt_key",
    "time_left",
]


class Channel(ABC):
    """One way to reach a user. A new channel is a subclass that passes the conformance suite."""

    # Its key in MONITIO_CHANNELS, set when it is loaded.
    name: str = ""
    # Seconds that one ``send`` may take.
    timeout: float = 10.0
    # Whether users have destinations on it; False: the channel finds the address by the user.
    has_destinations: bool = True
    # Whether an address, such as that of a browser, is one user's at a time.
    is_exclusive: bool = False
    # Whether a destination that is gone is deleted. False: it is disabled, and its user is shown
    # the reason and can turn it on again.
    removes_gone: bool = False

    # What users read in their preferences, translated lazily; '': its name.
    title: Any = ""

    @property
    def label(self) -> str:
        return str(self.title or capfirst(self.name.replace("_", " ")))

    def plan(self, message: Message, destinations: Sequence[Destination]) -> Iterable[str]:
        """The targets of a message: keys of the user's ``destinations`` on this channel.

        A channel without destinations returns one, ''.
        """
        return [row.key for row in destinations if row.takes(message.category)]

    def wants(self, preferences: Preferences, message: Message) -> bool:
        """Whether the user wants this message on this channel. They may have no choice saved."""
        return preferences.mode(message.category, self.name) == "at_once"

    def identify(self, address: Any) -> Any:
        """The part of an address (JSON) by which it is found when it is added again.

        Raises ``ValueError`` for an address that can never be used.
        """
        return address

    def server(self, address: Any) -> str:
        """The server of an address: when it is down, its other destinations wait, and no others.

        '': each address has its own.
        """
        return ""

    @abstractmethod
    def send(self, delivery: Delivery) -> None:
        """Send ``delivery.message`` to ``delivery.destination``. Runs outside every transaction.

        Every attempt has the same ``delivery.pk``. Takes ``seconds_left()`` at most. Raises
        ``TemporaryFailure`` when trying again later may help, ``PermanentFailure`` when it cannot,
        ``Skipped`` when there is nothing to send.
        """

    def form(self, user: Any, data: Any = None) -> Form | None:
        """The form by which ``user`` adds a destination in the preferences; None: they cannot.

        Its clean data are the ``address`` and ``label`` for ``destinations.add``.
        """
        return None

    def seconds_left(self) -> float:
        """``timeout``, or less where the caller has less time."""
        return time_left(self.timeout)

    def check(self) -> list[CheckMessage]:
        """System checks of what the channel needs."""
        return []


def attempt_key(row: Message | Delivery) -> str:
    """Identifies what is sent to receivers: the same for every attempt."""
    # With the timestamp: in a new database the keys start from 1 again.
    key = f"{row._meta.model_name}-{row.pk}-{row.created.timestamp():.0f}"
    # Tenants with tables of their own have the same keys.
    return f"{key}-{scope_mark(row.scope)}" if row.scope else key


def time_left(seconds: float) -> float:
    """``seconds``, or what is left of the caller's. Raises ``TemporaryFailure`` without any."""
    left = remaining(seconds)
    if not left:
        raise TemporaryFailure("There was no time left to send it.")
    return left
