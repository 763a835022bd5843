"""One line in the log for each outage of a server, in each process."""

from __future__ import annotations

import logging

logger = logging.getLogger("monitio")

LONGEST_LINE = 300


def one_line(error: BaseException) -> str:
    """The kind of an error and the first line of its text, without a traceback."""
    text = f"{type(error).__name__}: {error}".strip().splitlines()[0]
    return text[:LONGEST_LINE]


class Outage:
    """Whether a server is away, as far as this process has noticed."""

    def __init__(self) -> None:
        self._lasts = False

    def begins(self, message: str, error: BaseException) -> None:
        """Log ``message``, whose ``%s`` is the error, unless this outage has been logged."""
        if not self._lasts:
            self._lasts = True
            logger.warning(message, one_line(error))

    def ends(self) -> None:
        self._lasts = False
