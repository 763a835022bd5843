"""Validation of the options of ``@notify_user``. Raises ``TypeError`` and ``ValueError``."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.utils.functional import Promise

from monitio import constants
from monitio.channels.policy import CONDITIONS, Email, Via, check, steps_from
from monitio.constants import State
from monitio.jobs.texts import placeholders_of

PLACEHOLDERS = ("task", "result", "error", "attempt", "done", "total")
EMAILED_BY_DEFAULT = frozenset({State.SUCCEEDED, State.FAILED})


def check_text(
    option: str, text: object, placeholders: Collection[str], *, may_be_false: bool = False
) -> None:
    """A string, lazy text, function or None, with ``may_be_false`` also False."""
    # A lazily translated text is not checked: translations are not ready yet.
    if text is None or (text is False and may_be_false) or isinstance(text, Promise):
        return
    if not isinstance(text, str):
        if callable(text):
            return
        choices = "a string, a function of the Outcome or None"
        raise TypeError(
            f"{option}= must be {choices}{', or False' if may_be_false else ''}, not {text!r}."
        )
    try:
        unknown = sorted(placeholders_of(text) - set(placeholders))
    except ValueError as error:
        raise ValueError(f"{option}={text!r}: {error}. Write {{{{ or }}}} for a brace.") from None
    if unknown:
        raise ValueError(
            f"{option}={text!r} uses {{{unknown[0]}}}. Known are "
            f"{', '.join('{' + name + '}' for name in placeholders)}. Name an argument of the task "
            "in arguments= to use it."
        )


def argument_names(option: str, names: str | Iterable[str]) -> tuple[str, ...]:
    listed = (names,) if isinstance(names, str) else tuple(names)
    wrong = [name for name in listed if not isinstance(name, str) or not name.isidentifier()]
    if wrong:
        raise TypeError(f"{option}= takes names of the task's arguments, not {wrong[0]!r}.")
    taken = set(listed) & set(PLACEHOLDERS)
    if taken:
        raise ValueError(f"{option}= cannot hold {taken.pop()!r}: that name is a placeholder.")
    return listed


def emails_by_end(email: object) -> dict[str, Email]:
    """How each end is mailed that is."""
    if isinstance(email, bool):
        return dict.fromkeys(EMAILED_BY_DEFAULT, True) if email else {}
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


def via_by_end(via: Any, emails: Mapping[str, Email] | None = None) -> dict[str, Via]:
    """The channels of each end, and of the start, that has some; ``emails`` are those of
    ``emails_by_end``.
    """
    if via is None:
        return {}
    if not isinstance(via, Mapping) or not via.keys() <= {State.STARTED, *State.ENDED}:
        via = dict.fromkeys(EMAILED_BY_DEFAULT, via)
    for end, channels in via.items():
        steps_from((emails or {}).get(end, False), via=channels)
    return dict(via)


def _listed(names: frozenset[str]) -> dict[str, Email]:
    """Ends, and at most one condition for them all; a condition alone is for the usual ends."""
    conditions = names & CONDITIONS.keys()
    if len(conditions) > 1:
        raise ValueError("email= takes one of unless_read and unless_seen, or one for each end.")
    how: Any = next(iter(conditions), True)
    return dict.fromkeys(names - conditions or (EMAILED_BY_DEFAULT if conditions else ()), how)


def check_when(when: object) -> None:
    is_number = isinstance(when, int | float) and not isinstance(when, bool)
    if when is not None and not is_number and not callable(when):
        raise TypeError(f"when= must be seconds or a function of the Outcome, not {when!r}.")
    if is_number and not when >= 0:  # type: ignore[operator]  # NaN is not
        raise ValueError(f"when= must not be negative: {when!r}.")


def check_lost_after(seconds: object) -> None:
    if seconds is None:
        return
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"lost_after= must be seconds, not {seconds!r}.")
    if not 0 < seconds < math.inf:
        raise ValueError(f"lost_after= must be more than 0 seconds: {seconds!r}.")


def check_levels(levels: object) -> None:
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
