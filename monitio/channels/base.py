"""The interface of a channel."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from monitio.exceptions import PermanentFailure, TemporaryFailure

if TYPE_CHECKING:
    from monitio.models import Delivery, Message

__all__ = ["Channel", "PermanentFailure", "TemporaryFailure"]


class Channel(ABC):
    """One way to reach a user. A new channel is a subclass with its tests."""

    @abstractmethod
    def send(self, message: Message, delivery: Delivery | None = None) -> None:
        """Send one message. Runs outside every transaction.

        Raises ``TemporaryFailure`` when trying again later may help, ``PermanentFailure`` when it
        cannot.
        """
