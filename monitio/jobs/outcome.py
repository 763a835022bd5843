"""Values that pass between a job and its ``render``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from monitio import constants
from monitio.channels.policy import Delay, Email, Via
from monitio.constants import State


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Where a job stands: the argument of ``render``.

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
    """What ``render`` returns: the message as it should read now.

    ``email``, ``email_delay`` and ``via`` apply at an end alone, and mean the same as in
    ``create_message``; ``start_via`` is ``via`` for the start.
    """

    subject: str
    message: str = ""
    level: int = constants.INFO
    url: str | None = None
    url_label: str = ""
    email: Email = False
    extra_tags: str = ""
    category: str = ""
    icon: str = ""
    email_delay: Delay = None
    via: Via | None = None
    start_via: Via | None = None


# None: no message; one that exists keeps its text. Called with the recipient's language active.
Render = Callable[[Outcome], MessageContent | None]
