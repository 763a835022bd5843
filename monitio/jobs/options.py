"""The options of ``@notify_user``, shared by every task queue.

A text option is a string, a lazily translated string, a function of the ``Outcome``, None (the
default text) or False (no message). Strings may hold ``{task}``, ``{result}``, ``{error}``,
``{attempt}``, ``{done}``, ``{total}`` and the names listed in ``arguments``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from django.utils.translation import gettext as _

from monitio import constants
from monitio.channels.policy import Delay, Email, Via, check
from monitio.constants import State
from monitio.jobs.option_checks import (
    PLACEHOLDERS,
    argument_names,
    check_levels,
    check_lost_after,
    check_text,
    check_when,
    emails_by_end,
    via_by_end,
)
from monitio.jobs.outcome import MessageContent, Outcome
from monitio.jobs.texts import (
    HEADLINES,
    Template,
    UrlTemplate,
    default_body,
    placeholders_of,
    plain_number,
    prettify,
    public_reason,
)
from monitio.utils.icons import check_icon
from monitio.utils.shorten import LONGEST_LINE, LONGEST_URL
from monitio.utils.text import AnyString, at_most, check_url, identifier

Text: TypeAlias = "AnyString | Callable[[Outcome], AnyString | bool | None] | Literal[False] | None"
When: TypeAlias = "Callable[[Outcome], bool] | float | None"

logger = logging.getLogger("monitio")

TEXT_OPTIONS = ("title", "start", "progress", "success", "failure", "retry", "revoked", "lost")
_URL_OPTIONS = ("url", "url_label")

_OPTION_FOR = {
    State.QUEUED: "start",
    State.STARTED: "start",
    State.RETRYING: "retry",
    State.SUCCEEDED: "success",
    State.FAILED: "failure",
    State.REVOKED: "revoked",
    State.LOST: "lost",
}
_LEVELS = {
    State.QUEUED: constants.INFO,
    State.STARTED: constants.INFO,
    State.RETRYING: constants.WARNING,
    State.SUCCEEDED: constants.SUCCESS,
    State.FAILED: constants.ERROR,
    State.REVOKED: constants.WARNING,
    State.LOST: constants.WARNING,
}


@dataclass(frozen=True, kw_only=True)
class NotifyOptions:
    """What a task's author chose. Raises ``TypeError`` or ``ValueError`` for invalid options.

    ``email`` is True (when it succeeded or failed), the names of the ends that are mailed,
    "unless_read" or "unless_seen", or several of these; or it maps ends to True, "unless_read" or
    "unless_seen". ``email_delay`` is how long the two wait (seconds or a timedelta).
    ``via`` maps channels as in ``create_message`` (when it succeeded or failed), or ends and
    "started" to such mappings.
    ``when`` is a function of the ``Outcome``, or seconds: a job that succeeds sooner sends no
    message, a slower one sends it with its next progress or its end; a failure always does.
    ``url`` is called when the job has succeeded; a string without ``{result}`` is always shown.
    ``file`` is called in the worker when the task has returned, and returns what ``attach`` takes:
    a path or a file, a pair of one and its name, or a list of these.
    ``user`` is the recipient: an argument's name, a primary key, or a function that is called with
    the job's arguments; None stands for the user who started the job.
    ``arguments`` names the arguments that may appear in texts; no other value ever does.
    ``cancel`` lets its recipients cancel the job.
    ``retryable`` stores the arguments and lets its recipients try the job again when it has failed.
    ``lost_after`` is the seconds without a heartbeat after which a running job counts as
    interrupted; None: the site's setting.
    """

    title: Text = None
    start: Text = None
    progress: Text = None
    success: Text = None
    failure: Text = None
    retry: Text = None
    revoked: Text = None
    lost: Text = None
    url: AnyString | Callable[[Outcome], str | None] | None = None
    url_label: AnyString | Callable[[Outcome], AnyString | None] = ""
    file: Callable[[Outcome], Any] | None = None
    email: Email | str | Collection[str] | Mapping[str, Email] = False
    email_delay: Delay = None
    via: Via | Mapping[str, Via] | None = None
    when: When = None
    lost_after: float | None = None
    user: Any = None
    arguments: str | Iterable[str] = ()
    levels: Mapping[str, int] = field(default_factory=dict)
    category: str = ""
    icon: str = ""
    extra_tags: str = ""
    cancel: bool = False
    retryable: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "arguments", argument_names("arguments", self.arguments))
        ends = emails_by_end(self.email)
        object.__setattr__(self, "email", ends)
        object.__setattr__(self, "via", via_by_end(self.via, ends))
        if self.email_delay is not None:
            check(next(iter(ends.values()), False), self.email_delay)
        for option in TEXT_OPTIONS:
            check_text(option, getattr(self, option), self.placeholders, may_be_false=True)
        for option in _URL_OPTIONS:
            check_text(option, getattr(self, option), self.placeholders)
        if self.file is not None and not callable(self.file):
            raise TypeError(f"file= must be a function of the Outcome, not {self.file!r}.")
        check_when(self.when)
        check_lost_after(self.lost_after)
        check_levels(self.levels)
        for option in ("cancel", "retryable"):
            flag = getattr(self, option)
            if not isinstance(flag, bool):
                raise TypeError(f"{option}= must be True or False, not {flag!r}.")
        check_icon(self.icon)
        for option, longest in (("category", 100), ("extra_tags", LONGEST_LINE)):
            text = getattr(self, option)
            if not isinstance(text, str):
                raise TypeError(f"{option}= must be a string, not {text!r}.")
            identifier(option, at_most(option, text, longest))

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The names a string may use."""
        return (*PLACEHOLDERS, *self.arguments)

    def content(self, outcome: Outcome) -> MessageContent | None:
        """The message as it should read now, in the active language; None: no message."""
        if not self.should_notify(outcome):
            return None
        option = _OPTION_FOR[outcome.state]
        if outcome.state == State.STARTED and (outcome.done is not None or outcome.text):
            option = "progress"
        body = self._text(option, outcome)
        if body is False:
            return None
        emails: Any = self.email  # by end, as via=: see __post_init__
        via: Any = self.via
        title, email = self.title_for(outcome), emails.get(outcome.state, False)
        headline = _(HEADLINES[outcome.state]) if outcome.has_ended else "%(title)s"
        return MessageContent(
            subject=headline % {"title": title},
            message=default_body(outcome) if body is None else body,
            level=self.levels.get(outcome.state, _LEVELS[outcome.state]),
            url=self._url(outcome),
            url_label=self._text("url_label", outcome) or "",
            email=email,
            email_delay=self.email_delay if email else None,
            via=via.get(outcome.state),
            start_via=via.get(State.STARTED) if outcome.state == State.STARTED else None,
            extra_tags=self.extra_tags,
            category=self.category,
            icon=self.icon,
        )

    def should_notify(self, outcome: Outcome) -> bool:
        when = self.when
        if when is None or (outcome.state in (State.FAILED, State.LOST) and not callable(when)):
            return True
        if not callable(when):
            return outcome.runtime is not None and outcome.runtime >= when
        try:
            return bool(when(outcome))
        except Exception:
            logger.exception("when= of %s failed; the message is shown.", outcome.name)
            return True

    def title_for(self, outcome: Outcome) -> str:
        """What the job is called."""
        return self._text("title", outcome) or prettify(outcome.name)

    def _text(self, option: str, outcome: Outcome) -> str | Literal[False] | None:
        """The author's text; None where the default text is due, also when theirs fails."""
        text = getattr(self, option)
        try:
            if callable(text):
                text = text(outcome)
                return text if text is None or text is False else str(text)
            if text is None or text is False:
                return text
            if text == "":
                return ""
            if self._lacks_arguments(str(text), outcome):
                return None
            return Template(self._values(option, outcome)).render(str(text))
        except Exception:
            logger.exception("%s= of %s failed; the default text is used.", option, outcome.name)
            return None

    def _lacks_arguments(self, template: str, outcome: Outcome) -> bool:
        # A process that finds a job dead, or its task unregistered, does not know its arguments.
        return bool(placeholders_of(template) & set(self.arguments) - outcome.arguments.keys())

    def _values(self, option: str, outcome: Outcome) -> dict[str, Any]:
        return {
            **outcome.arguments,
            "task": "" if option == "title" else self.title_for(outcome),
            "result": outcome.result,
            "error": public_reason(outcome.exception) or outcome.error,
            "attempt": outcome.attempt + 1,
            "done": plain_number(outcome.done),
            "total": plain_number(outcome.total),
        }

    def _url(self, outcome: Outcome) -> str | None:
        url, succeeded = self.url, outcome.state == State.SUCCEEDED
        try:
            if callable(url):
                link = url(outcome) if succeeded else None
            elif (
                url is None
                or (not succeeded and "result" in placeholders_of(str(url)))
                or self._lacks_arguments(str(url), outcome)
            ):
                link = None
            else:
                link = UrlTemplate(self._values("url", outcome)).render(str(url))
            return checked_link(str(link)) if link else None
        except Exception:
            logger.exception("url= of %s failed; there is no link.", outcome.name)
            return None


def checked_link(url: str) -> str:
    """``url``. Raises ``ValueError`` where it cannot be linked to, or is too long to be stored."""
    return check_url(at_most("url", url, LONGEST_URL))
