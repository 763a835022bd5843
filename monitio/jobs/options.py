"""The options of ``@notify_user``, shared by every task queue.

A text option is a string, a lazily translated string, a function of the ``Outcome``, None (the
default text) or False (no message). Strings may hold ``{task}``, ``{result}``, ``{error}``,
``{attempt}``, ``{done}``, ``{total}`` and the names listed in ``arguments``.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from string import Formatter
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import quote

from django.core.exceptions import ValidationError
from django.utils import formats
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from monitio import constants
from monitio.channels.policy import CONDITIONS, Delay, Email, check
from monitio.constants import State
from monitio.exceptions import UserFacingError
from monitio.jobs.outcome import MessageContent, Outcome
from monitio.utils.shorten import LONGEST_LINE, LONGEST_URL
from monitio.utils.text import at_most, check_url, identifier

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    AnyString: TypeAlias = str | _StrPromise
else:
    AnyString = str

Text: TypeAlias = "AnyString | Callable[[Outcome], AnyString | bool | None] | Literal[False] | None"
When: TypeAlias = "Callable[[Outcome], bool] | float | None"

logger = logging.getLogger("monitio")

PLACEHOLDERS = ("task", "result", "error", "attempt", "done", "total")
TEXT_OPTIONS = ("title", "start", "progress", "success", "failure", "retry", "revoked", "lost")
_URL_OPTIONS = ("url", "url_label")
MAILED_BY_DEFAULT = frozenset({State.SUCCEEDED, State.FAILED})

_HEADLINES = {
    State.QUEUED: gettext_noop("%(title)s: waiting to start"),
    State.STARTED: gettext_noop("%(title)s: started"),
    State.RETRYING: gettext_noop("%(title)s: trying again"),
    State.SUCCEEDED: gettext_noop("%(title)s: done"),
    State.FAILED: gettext_noop("%(title)s: failed"),
    State.REVOKED: gettext_noop("%(title)s: cancelled"),
    State.LOST: gettext_noop("%(title)s: interrupted"),
}
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
    ``when`` is a function of the ``Outcome``, or seconds: a job that succeeds sooner sends no
    message, a slower one sends it with its next progress or its end; a failure always does.
    ``url`` is called when the job has succeeded; a string without ``{result}`` is always shown.
    ``user`` is the recipient: an argument's name, a primary key, or a function that is called with
    the job's arguments; None stands for the user who started the job.
    ``arguments`` names the arguments that may appear in texts; no other value ever does.
    ``cancel`` lets its recipients cancel the job.
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
    email: Email | str | Collection[str] | Mapping[str, Email] = False
    email_delay: Delay = None
    when: When = None
    lost_after: float | None = None
    user: Any = None
    arguments: str | Iterable[str] = ()
    levels: Mapping[str, int] = field(default_factory=dict)
    category: str = ""
    extra_tags: str = ""
    cancel: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "arguments", _names("arguments", self.arguments))
        ends = _ends(self.email)
        object.__setattr__(self, "email", ends)
        if self.email_delay is not None:
            check(next(iter(ends.values()), False), self.email_delay)
        for option in TEXT_OPTIONS:
            _check_text(option, getattr(self, option), self.placeholders, may_be_false=True)
        for option in _URL_OPTIONS:
            _check_text(option, getattr(self, option), self.placeholders)
        _check_when(self.when)
        _check_lost_after(self.lost_after)
        _check_levels(self.levels)
        if not isinstance(self.cancel, bool):
            raise TypeError(f"cancel= must be True or False, not {self.cancel!r}.")
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
        option = _option_for(outcome)
        body = self._text(option, outcome)
        if body is False:
            return None
        title, email = self.title_for(outcome), _ends(self.email).get(outcome.state, False)
        headline = "%(title)s" if option == "progress" else _(_HEADLINES[outcome.state])
        return MessageContent(
            subject=headline % {"title": title},
            message=_default_body(outcome) if body is None else body,
            level=self.levels.get(outcome.state, _LEVELS[outcome.state]),
            url=self._url(outcome),
            url_label=self._text("url_label", outcome) or "",
            email=email,
            email_delay=self.email_delay if email else None,
            extra_tags=self.extra_tags,
            category=self.category,
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
            return _Template(self._values(option, outcome)).render(str(text))
        except Exception:
            logger.exception("%s= of %s failed; the default text is used.", option, outcome.name)
            return None

    def _lacks_arguments(self, template: str, outcome: Outcome) -> bool:
        # A process that finds a job dead, or its task unregistered, does not know its arguments.
        return bool(_fields(template) & set(self.arguments) - outcome.arguments.keys())

    def _values(self, option: str, outcome: Outcome) -> dict[str, Any]:
        return {
            **outcome.arguments,
            "task": "" if option == "title" else self.title_for(outcome),
            "result": outcome.result,
            "error": public_reason(outcome.exception) or outcome.error,
            "attempt": outcome.attempt + 1,
            "done": _number(outcome.done),
            "total": _number(outcome.total),
        }

    def _url(self, outcome: Outcome) -> str | None:
        url, succeeded = self.url, outcome.state == State.SUCCEEDED
        try:
            if callable(url):
                link = url(outcome) if succeeded else None
            elif (
                url is None
                or (not succeeded and "result" in _fields(str(url)))
                or self._lacks_arguments(str(url), outcome)
            ):
                link = None
            else:
                link = _UrlTemplate(self._values("url", outcome)).render(str(url))
            return checked_link(str(link)) if link else None
        except Exception:
            logger.exception("url= of %s failed; there is no link.", outcome.name)
            return None


def prettify(name: str) -> str:
    """``reports.tasks.monthly_report`` -> ``Monthly report``."""
    return _in_words(name) or _("Background task")


@lru_cache
def _in_words(name: str) -> str:
    last = name.rsplit(".", 1)[-1]
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", last).replace("_", " ").replace("-", " ").split()
    return capfirst(" ".join(word if word.isupper() else word.lower() for word in words))


def pace(rate: float | None, eta: int | None) -> str:
    """“about 3 minutes left · 12 a second”; '' while neither is known."""
    words = [] if eta is None else [_time_left(eta)]
    if rate:
        words.append(_rate(rate))
    return " · ".join(words)


def _time_left(seconds: int) -> str:
    if seconds < 60:
        # Tens: a number that changes with each update would promise more than is known.
        number = seconds if seconds < 10 else math.ceil(seconds / 10) * 10
        text = ngettext(
            "about %(number)d second left", "about %(number)d seconds left", max(number, 1)
        )
    elif seconds < 60 * 60:
        number = math.ceil(seconds / 60)
        text = ngettext("about %(number)d minute left", "about %(number)d minutes left", number)
    else:
        number = math.ceil(seconds / 3600)
        text = ngettext("about %(number)d hour left", "about %(number)d hours left", number)
    return text % {"number": max(number, 1)}


def _rate(rate: float) -> str:
    """In the unit in which it is at least one, down to an hour."""
    if rate >= 1:
        text, number = _("%(number)s a second"), rate
    elif rate * 60 >= 1:
        text, number = _("%(number)s a minute"), rate * 60
    else:
        text, number = _("%(number)s an hour"), rate * 3600
    decimals = 0 if number >= 10 or round(number, 1).is_integer() else 1
    return text % {"number": formats.number_format(number, decimals)}


def public_reason(error: BaseException | None) -> str | None:
    """The text of ``error`` for users; None when it was written for developers, or is empty."""
    try:
        if isinstance(error, ValidationError):
            return " ".join(error.messages)
        if isinstance(error, UserFacingError):
            return str(error) or None
    except Exception:
        logger.exception("The text of a %s could not be read.", type(error).__name__)
    return None


def _option_for(outcome: Outcome) -> str:
    if outcome.state == State.STARTED and (outcome.done is not None or outcome.text):
        return "progress"
    return _OPTION_FOR[outcome.state]


def _default_body(outcome: Outcome) -> str:
    """The reason, the attempts or the progress: what the headline leaves out."""
    state, attempt = outcome.state, {"attempt": outcome.attempt + 1}
    if state == State.FAILED:
        return public_reason(outcome.exception) or _(
            "Something went wrong. The people who run this site can see the details."
        )
    if state == State.LOST:
        return _("There has been no sign of life for a while. It may have to be started again.")
    if state == State.RETRYING:
        return _("Attempt %(attempt)d did not succeed.") % attempt
    if state == State.SUCCEEDED and outcome.attempt:
        return _("It succeeded at attempt %(attempt)d.") % attempt
    if state == State.STARTED and outcome.text:
        return outcome.text
    if state == State.STARTED and outcome.attempt:
        return _("This is attempt %(attempt)d.") % attempt
    return ""


def _number(value: float | None) -> float | int | str:
    if value is None:
        return ""
    return int(value) if float(value).is_integer() else value


class _Template(Formatter):
    """``str.format`` over the known names only."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def render(self, template: str) -> str:
        return self.vformat(template, (), self.values)


class _UrlTemplate(_Template):
    """Values are quoted, so that none of them changes the rest of the address."""

    def render(self, template: str) -> str:
        self._is_whole = re.fullmatch(r"\{[^{}]*\}", template) is not None
        return super().render(template)

    def format_field(self, value: Any, format_spec: str) -> str:
        text = str(super().format_field(value, format_spec))
        # In a template of one placeholder, the value is the address.
        return text if self._is_whole else quote(text, safe="")


def checked_link(url: str) -> str:
    """``url``. Raises ``ValueError`` where it cannot be linked to, or is too long to be stored."""
    return check_url(at_most("url", url, LONGEST_URL))


def _fields(template: str) -> set[str]:
    """The names a format string uses. Raises ``ValueError`` when it is not one."""
    fields = [name for _text, name, _spec, _conv in Formatter().parse(template) if name is not None]
    return {re.split(r"[.\[]", name, maxsplit=1)[0] for name in fields}


def _check_text(
    option: str, text: object, placeholders: Collection[str], *, may_be_false: bool = False
) -> None:
    if isinstance(text, str):
        _check_template(option, text, placeholders)
        return
    # A lazily translated text is not checked: translations are not ready yet.
    if text is None or (text is False and may_be_false) or isinstance(text, Promise):
        return
    if not callable(text):
        choices = "a string, a function of the Outcome or None"
        raise TypeError(
            f"{option}= must be {choices}{', or False' if may_be_false else ''}, not {text!r}."
        )


def _check_template(option: str, text: str, placeholders: Collection[str]) -> None:
    try:
        unknown = sorted(_fields(text) - set(placeholders))
    except ValueError as error:
        raise ValueError(f"{option}={text!r}: {error}. Write {{{{ or }}}} for a brace.") from None
    if unknown:
        raise ValueError(
            f"{option}={text!r} uses {{{unknown[0]}}}. Known are "
            f"{', '.join('{' + name + '}' for name in placeholders)}. Name an argument of the task "
            "in arguments= to use it."
        )


def _names(option: str, names: str | Iterable[str]) -> tuple[str, ...]:
    listed = (names,) if isinstance(names, str) else tuple(names)
    wrong = [name for name in listed if not isinstance(name, str) or not name.isidentifier()]
    if wrong:
        raise TypeError(f"{option}= takes names of the task's arguments, not {wrong[0]!r}.")
    taken = set(listed) & set(PLACEHOLDERS)
    if taken:
        raise ValueError(f"{option}= cannot hold {taken.pop()!r}: that name is a placeholder.")
    return listed


def _ends(email: object) -> dict[str, Email]:
    """How each end is mailed that is."""
    if isinstance(email, bool):
        return dict.fromkeys(MAILED_BY_DEFAULT, True) if email else {}
    if isinstance(email, Mapping):
        chosen = dict(email)
    elif isinstance(email, Collection):
        chosen = _listed(frozenset((email,) if isinstance(email, str) else email))
    else:
        raise TypeError(f"email= must be True, False or names of ends, not {email!r}.")
    unknown = sorted(map(str, set(chosen) - set(State.ENDED)))
    if unknown:
        raise ValueError(
            f"email= does not know {unknown[0]!r}. Valid are {', '.join(State.ENDED)} and "
            f"{', '.join(CONDITIONS)}."
        )
    for how in chosen.values():
        check(how)
    return {end: how for end, how in chosen.items() if how}


def _listed(names: frozenset[str]) -> dict[str, Email]:
    """Ends, and at most one condition for them all; a condition alone is for the usual ends."""
    conditions = names & CONDITIONS.keys()
    if len(conditions) > 1:
        raise ValueError("email= takes one of unless_read and unless_seen, or one for each end.")
    how: Any = next(iter(conditions), True)
    return dict.fromkeys(names - conditions or (MAILED_BY_DEFAULT if conditions else ()), how)


def _check_when(when: object) -> None:
    is_number = isinstance(when, int | float) and not isinstance(when, bool)
    if when is not None and not is_number and not callable(when):
        raise TypeError(f"when= must be seconds or a function of the Outcome, not {when!r}.")
    if is_number and not when >= 0:  # type: ignore[operator]  # NaN is not
        raise ValueError(f"when= must not be negative: {when!r}.")


def _check_lost_after(seconds: object) -> None:
    if seconds is None:
        return
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"lost_after= must be seconds, not {seconds!r}.")
    if not 0 < seconds < math.inf:
        raise ValueError(f"lost_after= must be more than 0 seconds: {seconds!r}.")


def _check_levels(levels: object) -> None:
    if not isinstance(levels, Mapping):
        raise TypeError(f"levels= must map states to levels, not {levels!r}.")
    unknown = sorted(map(str, set(levels) - set(State.ALL)))
    if unknown:
        raise ValueError(f"levels= does not know {unknown[0]!r}. Valid are {', '.join(State.ALL)}.")
    wrong = [level for level in levels.values() if level not in constants.PERSISTENT_LEVELS]
    if wrong:
        raise ValueError(
            f"levels= takes monitio's levels (monitio.INFO ...), not {wrong[0]!r}: the message of "
            "a job stays until its recipient deletes it."
        )
