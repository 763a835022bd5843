"""Values that cross between a job and its wording."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from monitio import constants
from monitio.channels.policy import Delay, Email
from monitio.constants import State


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Where a job stands: what a wording is given.

    ``error`` is the text of the exception, written for developers; ``runtime`` is in seconds since
    the first start; ``arguments`` holds only what the author listed.
    """

    task_id: str
    name: str = ""
    state: str = State.QUEUED
    attempt: int = 0
    result: Any = None
    error: str = ""
    exception: BaseException | None = None
    done: float | None = None
    total: float | None = None
    text: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    runtime: float | None = None

    @property
    def has_ended(self) -> bool:
        return self.state in State.ENDED


@dataclass(frozen=True, kw_only=True)
class MessageContent:
    """What a wording answers: the message as it should read now.

    ``email`` and ``email_delay`` count at an end alone, and mean what ``create_message`` says.
    """

    subject: str
    message: str = ""
    level: int = constants.INFO
    url: str | None = None
    url_label: str = ""
    email: Email = False
    extra_tags: str = ""
    category: str = ""
    email_delay: Delay = None


# None: say nothing; a message that exists keeps its text. Called in the recipient's language.
Render = Callable[[Outcome], MessageContent | None]
