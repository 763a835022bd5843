"""The rank of a job's states, and which events are newer than its row.

Events arrive late, twice and shuffled: each has a rank, and one that does not raise the row's rank
is ignored.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from monitio import dispatch
from monitio.constants import State
from monitio.models import Job
from monitio.utils.compiled_sql import CompiledUpdate, Placeholder
from monitio.utils.shorten import LONGEST_TEXT, as_ascii, shorten

# A retry outranks the failure of its attempt: a process may publish it and die.
_PHASES = {State.QUEUED: 0, State.STARTED: 1, State.FAILED: 2, State.RETRYING: 3}
# Above the rank of any attempt.
FINAL_KEY = 2**40


def rank(state: str, attempt: int | None) -> int:
    """Rises with attempt and phase; the end of the job (``attempt`` is None) is the highest."""
    return FINAL_KEY if attempt is None else attempt * 4 + _PHASES[state]


def is_newer(key: int | Placeholder) -> Q:
    """True of rows below this rank, and of a lost job at this rank."""
    return Q(rank__lt=key) | Q(state=State.LOST, rank__lte=key)


@dataclass(frozen=True, kw_only=True)
class Transition:
    """What an event changes: ``changes`` by column, in the rows that ``guard`` allows.

    Without a guard these are the rows of a lower rank. ``result`` and ``exception`` are what
    ``render`` sees and the row does not hold.
    """

    changes: dict[str, Any]
    guard: Q | None = None
    result: Any = None
    exception: BaseException | None = None

    def in_ascii(self) -> Transition:
        """For a database that refuses the text of the error."""
        error = as_ascii(self.changes.get("error", ""))
        return replace(self, changes={**self.changes, "error": error}) if error else self


def transition(
    state: str,
    attempt: int | None,
    *,
    error: str = "",
    result: Any = None,
    exception: BaseException | None = None,
    **columns: Any,
) -> Transition:
    """To ``state``; ``attempt`` is None where the event belongs to no single one."""
    changes: dict[str, Any] = {
        "state": state,
        "finished_at": timezone.now() if state in State.ENDED else None,
        "error": shorten(error, LONGEST_TEXT),
        **columns,
    }
    if state == State.LOST:
        return Transition(changes=changes, guard=Q(state=State.STARTED))
    changes["rank"] = rank(state, attempt)
    if attempt is not None:
        changes["attempt"] = attempt
    return Transition(changes=changes, result=result, exception=exception)


# A job that waits for a worker.
WAITS = Q(state__in=(State.QUEUED, State.RETRYING))
RESET_PROGRESS = {"completed": None, "total": None, "status_text": "", "rate": None}
# The time of the first start is kept, and a success fills the bar, whatever was shown last.
KEEP_STARTED_AT = Coalesce(F("started_at"), Placeholder("now", Job._meta.get_field("started_at")))
FILL_BAR = Coalesce(F("total"), F("completed"))
ADVANCE = CompiledUpdate(
    lambda: Job.objects.filter(
        is_newer(Placeholder("below", Job._meta.get_field("rank"))),
        task_id=Placeholder("task", Job._meta.get_field("task_id")),
        scope=Placeholder("scope", Job._meta.get_field("scope")),
    )
)


def advance(task_id: str, scope: str, event: Transition) -> Job | None:
    """Update the job's row; the row as it now is, None where the event does not change it."""
    changes = event.changes
    if event.guard is None:
        slots = {"task": task_id, "scope": scope, "below": changes["rank"]}
        found = ADVANCE.run(dispatch.database(), changes, now=changes.get("alive_at"), **slots)
        if found is not None:
            return found[0] if found else None
    rows = Job.objects.of_task(task_id)
    by_hand = {
        name: value if value is not KEEP_STARTED_AT else Coalesce(F(name), changes["alive_at"])
        for name, value in changes.items()
    }
    allowed = is_newer(changes["rank"]) if event.guard is None else event.guard
    return rows.first() if rows.filter(allowed).update(**by_hand) else None
