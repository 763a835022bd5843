"""The texts of jobs: default texts, templates, and the rate and time left of progress."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from string import Formatter
from typing import Any
from urllib.parse import quote

from django.core.exceptions import ValidationError
from django.utils import formats
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from monitio.constants import State
from monitio.exceptions import UserFacingError
from monitio.jobs.outcome import Outcome

logger = logging.getLogger("monitio")

HEADLINES = {
    State.SUCCEEDED: gettext_noop("%(title)s: done"),
    State.FAILED: gettext_noop("%(title)s: failed"),
    State.REVOKED: gettext_noop("%(title)s: cancelled"),
    State.LOST: gettext_noop("%(title)s: interrupted"),
}


def default_body(outcome: Outcome) -> str:
    """The reason, the attempts or the progress: what the headline leaves out."""
    state, attempt = outcome.state, {"attempt": outcome.attempt + 1}
    if state == State.FAILED:
        return public_reason(outcome.exception) or _(
            "Something went wrong. Site administrators can see the details."
        )
    if state == State.LOST:
        return _("This task stopped responding and may need to be restarted.")
    if state == State.RETRYING:
        return _("Attempt %(attempt)d failed.") % attempt
    if state == State.SUCCEEDED and outcome.attempt:
        return _("Succeeded on attempt %(attempt)d.") % attempt
    if state == State.STARTED and outcome.text:
        return outcome.text
    if state == State.STARTED and outcome.attempt:
        return _("Attempt %(attempt)d is running.") % attempt
    return ""


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


def prettify(name: str) -> str:
    """``reports.tasks.monthly_report`` -> ``Monthly report``."""
    return _in_words(name) or _("Background task")


@lru_cache(maxsize=1000)  # for each event of a task
def _in_words(name: str) -> str:
    last = name.rsplit(".", 1)[-1]
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_-]", " ", last).split()
    return capfirst(" ".join(word if word.isupper() else word.lower() for word in words))


def pace(rate: float | None, eta: int | None) -> str:
    """“about 3 minutes left · 12 per second”; '' while neither is known."""
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
        text, number = _("%(number)s per second"), rate
    elif rate * 60 >= 1:
        text, number = _("%(number)s per minute"), rate * 60
    else:
        text, number = _("%(number)s per hour"), rate * 3600
    decimals = 0 if number >= 10 or round(number, 1).is_integer() else 1
    return text % {"number": formats.number_format(number, decimals)}


def plain_number(value: float | None) -> float | int | str:
    if value is None:
        return ""
    return int(value) if float(value).is_integer() else value


class Template(Formatter):
    """``str.format`` over the known names only."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def render(self, template: str) -> str:
        return self.vformat(template, (), self.values)


class UrlTemplate(Template):
    """Values are quoted, so that none of them changes the rest of the address."""

    def render(self, template: str) -> str:
        self._is_whole = re.fullmatch(r"\{[^{}]*\}", template) is not None
        return super().render(template)

    def format_field(self, value: Any, format_spec: str) -> str:
        text = str(super().format_field(value, format_spec))
        # In a template of one placeholder, the value is the address.
        return text if self._is_whole else quote(text, safe="")


def placeholders_of(template: str) -> set[str]:
    """The names a format string uses. Raises ``ValueError`` when it is not one."""
    fields = [name for _text, name, _spec, _conv in Formatter().parse(template) if name is not None]
    return {re.split(r"[.\[]", name, maxsplit=1)[0] for name in fields}
