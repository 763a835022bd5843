"""Errors that monitio raises. Each docstring is the default message."""

from __future__ import annotations


class MonitioError(Exception):
    """Something monitio was asked to do cannot be done."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class UserFacingError(Exception):
    """Raise this (or a subclass) in a task to show its text to the person who started it.

    The text of every other exception stays in the log: it was written for developers and may hold
    paths, queries or other users' data.
    """


class UnknownRecipient(MonitioError, LookupError):
    """There is no such recipient: the user does not exist, or the visitor has no session."""


class TransportError(MonitioError):
    """The transport cannot be used as it is configured."""


class NotAllowed(MonitioError, PermissionError):
    """This message cannot be answered: it has no sender, or it is not yours."""


class RetryFailed(MonitioError):
    """The task could not be started again: its queue is down, or its code is gone."""


class TooManyReplies(MonitioError):
    """This message was answered too often (MONITIO_REPLIES_PER_HOUR)."""


class TemporaryFailure(MonitioError):
    """The channel could not be reached; try again later."""

    def __init__(
        self, message: str | None = None, *, retry_after: float | str | None = None
    ) -> None:
        """``retry_after``: the seconds that the server asks to wait, or its header of that name."""
        super().__init__(message)
        self.retry_after = retry_after


class PermanentFailure(MonitioError):
    """This message can never be delivered on this channel."""

    def __init__(self, message: str | None = None, *, is_gone: bool = False) -> None:
        """``is_gone``: the target does not exist any more, so nothing can be sent to it."""
        super().__init__(message)
        self.is_gone = is_gone


class Skipped(MonitioError):
    """This does not have to be sent any more, or must not be."""


class BadToken(MonitioError, ValueError):
    """This link is incomplete or was altered."""


class ScopesFailed(MonitioError):
    """The work failed in some of the scopes; the log has the reasons."""
