"""What every channel offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from monitio.exceptions import PermanentFailure, TemporaryFailure

if TYPE_CHECKING:
    from monitio.models import Delivery, Message

__all__ = ["Channel", "PermanentFailure", "TemporaryFailure"]


class Channel(ABC):
    """One way to reach a person. A new one is a file with this class and its tests."""

    @abstractmethod
    def send(self, message: Message, delivery: Delivery | None = None) -> None:
        """Hand one message over. Runs outside every transaction.

        Raises ``TemporaryFailure`` when trying again later may help, ``PermanentFailure`` when it
        cannot.
        """
