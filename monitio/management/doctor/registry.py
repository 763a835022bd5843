"""The faults that the doctor looks for. A new one is a function with ``@fault``.

An app of the site registers its own in a module ``monitio_doctor``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.core import checks
from django.db import Error

from monitio.utils.outage import one_line

T = TypeVar("T")

ERROR, WARNING, INFO, OK, SKIPPED = "error", "warning", "info", "ok", "skipped"
# Symptoms that several faults share.
NO_STYLE = "Messages appear as plain text, without pop-ups"
NOTHING_LIVE = "Messages appear only after a reload"
LATE_LIVE = "Messages appear late"
TASKS_WAIT = "Tasks stay queued"
TASKS_SILENT = "Tasks run, and no one is notified"
NO_END = "Tasks stay started or queued for ever; no digest, no retried e-mail"
NO_EMAIL = "E-mails do not arrive"
ALL_FAILS = "Pages and tasks fail"


class Skip(Exception):
    """Why a fault cannot be looked for here."""


class Site:
    """The site that is examined, and what several faults ask about it."""

    def __init__(self, url: str = "", user: Any = None) -> None:
        self.url, self.user = url.rstrip("/"), user
        self.asked: dict[Callable[[Site], Any], Any] = {}

    def once(self, ask: Callable[[Site], T]) -> T:
        """The answer of ``ask(site)``, which is called once. Its exception is raised each time."""
        if ask not in self.asked:
            try:
                self.asked[ask] = ask(self)
            except Exception as error:
                self.asked[ask] = error
        answer = self.asked[ask]
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]


# Returns what it saw where the fault is there, None where it is not. Raises Skip.
Look = Callable[[Site], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    id: str
    symptom: str
    cause: str
    cure: str
    # A page of docs/.
    docs: str
    level: str
    look: Look = field(repr=False)


@dataclass(frozen=True, slots=True)
class Finding:
    """``status``: ok, info, warning, error, or skipped."""

    id: str
    status: str
    saw: str = ""
    cure: str = ""
    docs: str = ""


FAULTS: dict[str, Fault] = {}


def fault(
    identifier: str, *, symptom: str, cause: str, cure: str, docs: str, level: str = ERROR
) -> Callable[[Look], Look]:
    """Register a function that looks for a fault. They run in the order of registration."""

    def register(look: Look) -> Look:
        FAULTS[identifier] = Fault(
            id=identifier,
            symptom=symptom,
            cause=cause,
            cure=cure,
            docs=f"docs/{docs}",
            level=level,
            look=look,
        )
        return look

    return register


def examine(site: Site) -> Iterator[Finding]:
    """The findings of the system checks, then one for each fault."""
    yield from of_checks()
    for known in FAULTS.values():
        try:
            saw = known.look(site)
        except Skip as reason:
            yield Finding(known.id, SKIPPED, str(reason))
            continue
        except Error as error:
            # The faults of the database are others.
            yield Finding(known.id, SKIPPED, f"The database does not answer: {one_line(error)}")
            continue
        except Exception as error:
            saw = f"It could not be examined: {one_line(error)}"
        if saw is None:
            yield Finding(known.id, OK)
        else:
            yield Finding(known.id, known.level, saw, known.cure, known.docs)


def of_checks() -> Iterator[Finding]:
    """What the system checks of monitio find, with those of ``--deploy``."""
    found = checks.run_checks(include_deployment_checks=True)
    ours = [message for message in found if str(message.id).startswith("monitio")]
    if not ours:
        yield Finding("checks", OK)
    for message in ours:
        if message.level >= checks.ERROR:
            level = ERROR
        else:
            level = WARNING if message.level >= checks.WARNING else INFO
        page = "celery.md" if str(message.id).startswith("monitio_celery") else "checks.md"
        yield Finding(str(message.id), level, message.msg, str(message.hint or ""), f"docs/{page}")
