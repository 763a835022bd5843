"""Message levels, their tags and names, and the states of a job."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from django.contrib.messages import constants as django_levels
from django.utils.translation import gettext_lazy as _

DEBUG: Final = 110
INFO: Final = 120
SUCCESS: Final = 125
WARNING: Final = 130
ERROR: Final = 140

PERSISTENT_LEVELS: Final = (DEBUG, INFO, SUCCESS, WARNING, ERROR)
# The name of the original package for the same tuple.
PERSISTENT_MESSAGE_LEVELS: Final = PERSISTENT_LEVELS

LEVELS = (
    (django_levels.DEBUG, _("Debug")),
    (django_levels.INFO, _("Info")),
    (django_levels.SUCCESS, _("Success")),
    (django_levels.WARNING, _("Warning")),
    (django_levels.ERROR, _("Error")),
    (DEBUG, _("Debug, persistent")),
    (INFO, _("Info, persistent")),
    (SUCCESS, _("Success, persistent")),
    (WARNING, _("Warning, persistent")),
    (ERROR, _("Error, persistent")),
)

# From a Django level to the persistent level with the same tag and name.
OFFSET: Final = 100

# For Django's levels; those of persistent levels are the same, OFFSET above.
_NAMES: Final = ((40, "error"), (30, "warning"), (25, "success"), (20, "info"))

# What the smallest supported integer column holds.
LARGEST_INTEGER: Final = 2**31 - 1

# The channel that users' preferences apply to.
EMAIL: Final = "email"
PUSH: Final = "push"


def as_level(level: Any) -> int:
    """``level`` as a number that the database takes. Raises ``ValueError`` for anything else."""
    try:
        number = int(level)
    except (TypeError, ValueError, OverflowError):
        raise wrong_level(level) from None
    if not 0 <= number <= LARGEST_INTEGER:
        raise wrong_level(level)
    return number


def wrong_level(level: object) -> ValueError:
    return ValueError(
        f"level is monitio.DEBUG, INFO, SUCCESS, WARNING or ERROR, a level of "
        f"django.contrib.messages.constants or one of MESSAGE_TAGS, not {level!r}."
    )


def is_persistent(level: int) -> bool:
    """Whether a message of this level is kept until it is deleted."""
    return level in PERSISTENT_LEVELS


@lru_cache(maxsize=64)
def level_name(level: int) -> str:
    """``debug``, ``info``, ``success``, ``warning`` or ``error`` for any number.

    A site's own level reads as the nearest standard level below it, for example 35 as ``warning``.
    """
    ordinary = level - OFFSET if level >= OFFSET else level
    return next((name for floor, name in _NAMES if ordinary >= floor), "debug")


# In ascending order of severity.
LEVEL_NAMES: Final = ("debug", "info", "success", "warning", "error")


def levels_named(name: str) -> tuple[range, range]:
    """Every level that reads as ``name``: Django's, and those that are kept."""
    floors = [0, *(floor for floor, _name in reversed(_NAMES)), OFFSET]
    if name not in LEVEL_NAMES:
        raise ValueError(f"level is one of {', '.join(LEVEL_NAMES)}, not {name!r}.")
    at = LEVEL_NAMES.index(name)
    low, high = floors[at], floors[at + 1]
    return range(low, high), range(low + OFFSET, high + OFFSET)


class State:
    """The states of a job, as stored and as sent to browsers."""

    QUEUED: Final = "queued"
    STARTED: Final = "started"
    RETRYING: Final = "retrying"
    SUCCEEDED: Final = "succeeded"
    FAILED: Final = "failed"
    REVOKED: Final = "revoked"
    # No heartbeat for too long. The recipient sees an end, but a later heartbeat overrides it.
    LOST: Final = "lost"

    FINAL: Final = (SUCCEEDED, FAILED, REVOKED)
    ENDED: Final = (*FINAL, LOST)
    ALL: Final = (QUEUED, STARTED, RETRYING, *ENDED)
