"""The rank of a job's states, and which events are newer than its row.

Events arrive late, twice and shuffled: each has a rank, and one that does not raise the row's rank
is ignored.
"""

from __future__ import annotations

from typing import Any

from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from monitio.constants import State
from monitio.models import Job
from monitio.utils.compiled_sql import CompiledUpdate, Placeholder

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


def transition(state: str, attempt: int | None) -> tuple[Q | None, dict[str, Any]]:
    """The rows that an event changes (None: those of a lower rank), and its changes."""
    ended = state in State.ENDED
    changes: dict[str, Any] = {
        "state": state,
        "error": "",
        "finished_at": timezone.now() if ended else None,
    }
    if state == State.LOST:
        return Q(state=State.STARTED), changes
    changes["rank"] = rank(state, attempt)
    if attempt is not None:
        changes["attempt"] = attempt
    return None, changes


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
